package edge

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"testing"

	"landfall"
)

// Ports come and go with maps, and none of them touches another.
func TestPortsComeAndGoWithMaps(t *testing.T) {
	w := newWire(t, introduced)
	kept, err := w.dial(8883, "one.landfall.test")
	if err != nil {
		t.Fatal(err)
	}
	defer kept.Close()
	leaving, err := w.dial(5432, "")
	if err != nil {
		t.Fatal(err)
	}
	defer leaving.Close()
	before := w.at(8883)

	m := wired("127.0.0.1:1")
	m.Services = slices.DeleteFunc(m.Services, func(s landfall.Service) bool { return s.Port == 5432 })
	m.Services = append(m.Services, landfall.Service{Host: "db.landfall.test", Kind: landfall.TCP, Port: 6379, Upstream: "tcp://127.0.0.1:1"})
	w.SetMap(m)
	w.at(6379)
	eventually(t, "the old port is closed", func() bool {
		c, err := net.Dial("tcp", w.at(5432))
		if err == nil {
			c.Close()
		}
		return err != nil
	})
	if now := w.at(8883); now != before {
		t.Error("a port that stays in the map was opened anew")
	}
	for name, c := range map[string]net.Conn{"a port that stays": kept, "a port that is closed": leaving} {
		io.WriteString(c, "on")
		if _, err := io.ReadFull(c, make([]byte, 20)); err != nil {
			t.Errorf("a stream by %s: %v", name, err)
		}
	}
	if s := w.Stats().Ports; len(s) != 2 || s["6379"] != 1 || s["8883"] != 1 {
		t.Errorf("%v", s)
	}
}

// moody is a Config.Listen that fails as often as it is told to.
type moody struct {
	mu    sync.Mutex
	fail  int
	tries int
	open  []net.Listener
}

func (m *moody) listen(uint16) ([]net.Listener, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.tries++; m.tries <= m.fail {
		return nil, errors.New("address already in use")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	m.open = append(m.open, l)
	return []net.Listener{l}, err
}

func (m *moody) tried() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.tries
}

func TestPortThatCannotBeOpenedHarmsNobody(t *testing.T) {
	w := newWire(t, introduced)
	w.stop()
	m := &moody{fail: 3}
	cfg := w.cfg
	cfg.Listen = m.listen
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	two := wired("127.0.0.1:1") // 5432 and 8883
	s.SetMap(two)
	l := listen(t)
	running := run(t, s, l)
	eventually(t, "both have been tried", func() bool { return s.Stats().PortErrors == 2 })
	if p := s.Stats().Ports; p["5432"] != 0 || p["8883"] != 0 || len(p) != 2 {
		t.Errorf("%v", p)
	}
	conn, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{RootCAs: w.ca.pool, ServerName: "chat.landfall.test"})
	if err != nil {
		t.Fatalf("the port of HTTPS: %v", err)
	}
	conn.Close()
	s.SetMap(two) // a new map tries again at once
	eventually(t, "one is open", func() bool { p := s.Stats().Ports; return p["5432"]+p["8883"] == 1 })
	s.SetMap(two)
	eventually(t, "both are open", func() bool { p := s.Stats().Ports; return p["5432"]+p["8883"] == 2 })
	if n := s.Stats().PortErrors; n != 3 || m.tried() != 5 {
		t.Errorf("%d errors of %d attempts", n, m.tried())
	}
	m.mu.Lock()
	m.open[0].Close() // it breaks
	m.mu.Unlock()
	eventually(t, "the broken one is opened anew", func() bool { return m.tried() == 6 })
	running()
	for _, l := range m.open {
		if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Error("a listener is left open")
		}
	}
}
