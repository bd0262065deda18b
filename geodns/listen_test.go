package geodns

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"landfall"

	"github.com/miekg/dns"
)

// start runs a server on loopback, on two addresses, and gives theirs.
func start(t *testing.T) (s *Server, addrs []string) {
	t.Helper()
	var c Config
	for range 2 {
		udp, tcp := samePort(t)
		c.UDP, c.TCP, addrs = append(c.UDP, udp), append(c.TCP, tcp), append(addrs, udp.LocalAddr().String())
	}
	c.Atlas = testAtlas()
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	s.SetMap(testMap())
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return s, addrs
}

// samePort listens on one port by UDP and TCP. What is free for the one may be
// taken for the other: then another is tried.
func samePort(t *testing.T) (*net.UDPConn, net.Listener) {
	t.Helper()
	var fault error
	for range 10 {
		udp, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		tcp, err := net.Listen("tcp4", udp.LocalAddr().String())
		if err == nil {
			return udp, tcp
		}
		fault = err
		udp.Close()
	}
	t.Fatal(fault)
	return nil, nil
}

func TestResolversAreAnsweredOnEverySocket(t *testing.T) {
	s, addrs := start(t)
	for _, addr := range addrs {
		for _, network := range []string{"udp", "tcp"} {
			client := dns.Client{Net: network, Timeout: 5 * time.Second}
			got, _, err := client.ExchangeContext(t.Context(), question("chat.landfall.test", dns.TypeA), addr)
			if err != nil {
				t.Fatalf("%s %s: %v", network, addr, err)
			}
			if want := []string{"A 192.0.2.1"}; !slices.Equal(data(got.Answer), want) {
				t.Errorf("%s %s: %q, want %q", network, addr, data(got.Answer), want)
			}
			for subnet, want := range map[string]string{"10.2.3.0/24": "A 192.0.2.2", "10.3.3.0/24": "A 192.0.2.3"} {
				got, _, err := client.ExchangeContext(t.Context(), withSubnet(question("chat.landfall.test", dns.TypeA), subnet), addr)
				if err != nil {
					t.Fatalf("%s %s: %v", network, addr, err)
				}
				if !slices.Equal(data(got.Answer), []string{want}) || subnetOf(got).SourceScope != 16 {
					t.Errorf("%s %s %s: %q, want %q with scope 16", network, addr, subnet, data(got.Answer), want)
				}
			}
		}
	}
	stats := s.Stats()
	if stats.Queries["udp"] != 6 || stats.Queries["tcp"] != 6 || stats.Answers["NOERROR"] != 12 || stats.Subnets != 8 {
		t.Errorf("figures: %+v", stats)
	}
	if stats.Named["fra1"] != 4 || stats.Named["nyc1"] != 4 || stats.Named["sin1"] != 4 {
		t.Errorf("edges named: %v", stats.Named)
	}
}

func TestLongAnswerComesByTCP(t *testing.T) {
	s, addrs := start(t)
	m := testMap()
	for i := range 100 {
		m.Records = append(m.Records, landfall.Record{Name: "many.landfall.test", Type: "A", Data: net.IPv4(198, 51, 100, byte(i)).String()})
	}
	s.SetMap(m)
	client := dns.Client{Timeout: 5 * time.Second}
	q := question("many.landfall.test", dns.TypeA)
	got, _, err := client.ExchangeContext(t.Context(), q, addrs[0])
	if err != nil || !got.Truncated || len(got.Answer) != 0 {
		t.Fatalf("by UDP: %v, %v", got, err)
	}
	client.Net = "tcp"
	got, _, err = client.ExchangeContext(t.Context(), q, addrs[0])
	if err != nil || got.Truncated || len(got.Answer) != 100 {
		t.Fatalf("by TCP: %v, %v", got, err)
	}
}

// pipes is a listener whose connections are pipes.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
}

func newPipes() *pipes { return &pipes{make(chan net.Conn), make(chan struct{})} }

func (p *pipes) dial() net.Conn { return p.dialFrom("10.1.0.1") }

// dialFrom connects from an address.
func (p *pipes) dialFrom(addr string) net.Conn {
	ours, theirs := net.Pipe()
	p.conns <- addressed{theirs, &net.TCPAddr{IP: net.ParseIP(addr), Port: 5353}}
	return ours
}

// addressed is a connection that says where it comes from.
type addressed struct {
	net.Conn
	remote net.Addr
}

func (a addressed) RemoteAddr() net.Addr { return a.remote }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { close(p.done); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// tcpTest runs a server on pipes in a bubble.
func tcpTest(t *testing.T, test func(t *testing.T, s *Server, l *pipes)) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipes()
		s, err := New(Config{TCP: []net.Listener{l}, Atlas: testAtlas()})
		if err != nil {
			t.Fatal(err)
		}
		s.SetMap(testMap())
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx) }()
		test(t, s, l)
		stop()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
		if n := s.Stats().Conns; n != 0 {
			t.Errorf("%d connections left", n)
		}
	})
}

func framed(t *testing.T, m *dns.Msg) []byte {
	t.Helper()
	b, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...)
}

func readFramed(t *testing.T, conn net.Conn) *dns.Msg {
	t.Helper()
	var size [2]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, binary.BigEndian.Uint16(size[:]))
	if _, err := io.ReadFull(conn, b); err != nil {
		t.Fatal(err)
	}
	m := new(dns.Msg)
	if err := m.Unpack(b); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestPipelinedQueriesAreAnsweredInOrder(t *testing.T) {
	tcpTest(t, func(t *testing.T, s *Server, l *pipes) {
		conn := l.dial()
		defer conn.Close()
		var all []byte
		for i := range 5 {
			m := question("chat.landfall.test", dns.TypeA)
			m.Id = uint16(i)
			all = append(all, framed(t, m)...)
		}
		written := make(chan error, 1)
		go func() {
			for _, b := range all { // each byte in a packet of its own
				if _, err := conn.Write([]byte{b}); err != nil {
					written <- err
					return
				}
			}
			written <- nil
		}()
		for i := range 5 {
			if m := readFramed(t, conn); m.Id != uint16(i) || len(m.Answer) != 1 {
				t.Errorf("answer %d: %v", i, m)
			}
		}
		if err := <-written; err != nil {
			t.Error(err)
		}
	})
}

func TestIdleClientIsLetGo(t *testing.T) {
	for _, sent := range []int{0, 1, 2, 20} { // also one that stops in the middle
		tcpTest(t, func(t *testing.T, s *Server, l *pipes) {
			conn := l.dial()
			defer conn.Close()
			begin := time.Now()
			if _, err := conn.Write(framed(t, question("chat.landfall.test", dns.TypeA))[:sent]); err != nil {
				t.Fatal(err)
			}
			if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
				t.Errorf("%v, want the end", err)
			}
			if took := time.Since(begin); took != idle {
				t.Errorf("after %v, want %v", took, idle)
			}
		})
	}
}

func TestWhatIsNotDNSEndsTheConnection(t *testing.T) {
	tcpTest(t, func(t *testing.T, s *Server, l *pipes) {
		conn := l.dial()
		defer conn.Close()
		if _, err := conn.Write([]byte("\x00\x04GET ")); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("%v, want the end", err)
		}
	})
}

func TestStopClosesIdleConnections(t *testing.T) {
	tcpTest(t, func(t *testing.T, s *Server, l *pipes) {
		for range 3 {
			l.dial()
		}
	})
}

// faulty is a listener that fails a few times, as when there are no more file
// numbers.
type faulty struct {
	*pipes
	left int
}

func (f *faulty) Accept() (net.Conn, error) {
	if f.left > 0 {
		f.left--
		return nil, errors.New("too many open files")
	}
	return f.pipes.Accept()
}

func TestListenerThatFailsIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &faulty{pipes: newPipes(), left: 3}
		s, err := New(Config{TCP: []net.Listener{l}})
		if err != nil {
			t.Fatal(err)
		}
		s.SetMap(testMap())
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx) }()
		conn := l.dial()
		defer conn.Close()
		go conn.Write(framed(t, question("chat.landfall.test", dns.TypeA)))
		if got := readFramed(t, conn); len(got.Answer) != 1 {
			t.Errorf("got %v", got)
		}
		if n := s.Stats().IOErrors; n != 3 {
			t.Errorf("%d errors counted, want 3", n)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestServerWithoutSocketsIsRefused(t *testing.T) {
	if _, err := New(Config{}); err == nil {
		t.Error("no error")
	}
}
