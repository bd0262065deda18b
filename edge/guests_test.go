package edge

import (
	"bytes"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// line is a connection as far as guests look at it.
type line struct {
	net.Conn
	from   string
	closed bool
}

func (l *line) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(l.from))
}

func (l *line) Close() error {
	l.closed = true
	return nil
}

func hall(limit int) *guests {
	g := new(guests)
	g.init(limit)
	return g
}

// arrive lets a client in; busy ones have a request under way.
func arrive(g *guests, from string, busy bool) (*line, *conn, bool) {
	l := &line{from: from}
	c, ok := g.welcome(l)
	if ok && busy {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.rouse(c)
	}
	return l, c, ok
}

func TestOneAddressLeavesRoomForOthers(t *testing.T) {
	for _, from := range []string{"192.0.2.1:1", "[2001:db8::1]:1"} {
		g := hall(100)
		in := 0
		for range 200 {
			if _, _, ok := arrive(g, from, true); ok {
				in++
			}
		}
		if in != 50 || g.turned.Load() != 150 {
			t.Errorf("%s: %d came in and %d were turned away, want 50 and 150", from, in, g.turned.Load())
		}
		if _, _, ok := arrive(g, "[2001:db8::ffff]:1", false); ok != (from == "192.0.2.1:1") {
			t.Errorf("%s: a neighbour in its /64 came in: %v", from, ok)
		}
		if _, _, ok := arrive(g, "[2001:db8:0:1::1]:1", false); !ok {
			t.Errorf("%s: another address found no room", from)
		}
	}
}

func TestIdleConnectionsMakeRoom(t *testing.T) {
	g := hall(100)
	first, _, _ := arrive(g, "192.0.2.1:1", false)
	second, _, _ := arrive(g, "192.0.2.1:1", false)
	for range 200 {
		if _, _, ok := arrive(g, "192.0.2.1:1", false); !ok {
			t.Fatal("turned away although it has idle connections of its own")
		}
	}
	if !first.closed || !second.closed || g.open() != 50 {
		t.Errorf("oldest closed: %v, %v; %d open, want 50", first.closed, second.closed, g.open())
	}
	var quiet []*line // one connection each, all idle for longer than the crowd's
	for i := range 200 {
		l, _, ok := arrive(g, netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}), 1).String(), false)
		if !ok {
			t.Fatalf("client %d of others was turned away", i)
		}
		if quiet = append(quiet, l); i < 70 && quiet[0].closed {
			t.Fatalf("client %d cost a client with one connection its place, while another had %d", i, g.parties[netip.MustParsePrefix("192.0.2.1/32")].conns)
		}
	}
	if g.open() != 80 {
		t.Errorf("%d open, want 80 of 100", g.open())
	}
}

func TestBusyConnectionsAreNotShed(t *testing.T) {
	g := hall(10)
	var busy []*line
	for i := range 20 {
		if l, _, ok := arrive(g, netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}), 1).String(), true); ok {
			busy = append(busy, l)
		}
	}
	if len(busy) != 10 || g.turned.Load() != 10 {
		t.Errorf("%d came in, %d were turned away", len(busy), g.turned.Load())
	}
	for _, l := range busy {
		if l.closed {
			t.Error("a connection with a request under way was closed")
		}
	}
}

// Whatever happens, the books agree with each other.
func TestGuestsKeepTheirBooks(t *testing.T) {
	g, rng := hall(40), rand.New(rand.NewPCG(1, 2))
	var in []*conn
	for range 20000 {
		if c := rng.IntN(4); c < 2 || len(in) == 0 {
			from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(rng.IntN(12))}), 1)
			if _, c, ok := arrive(g, from.String(), c == 0); ok {
				in = append(in, c)
			}
		} else {
			i := rng.IntN(len(in))
			if c == 2 {
				in[i].Close()
				in = append(in[:i], in[i+1:]...)
			} else {
				g.rest(in[i])
			}
		}
		idle, conns := 0, 0
		for _, p := range g.parties {
			conns += p.conns
			idle += p.idle.Len()
			if g.idlers[p.rank] != p || p.idle.Len() > g.idlers[0].idle.Len() || p.conns == 0 {
				t.Fatalf("%v: rank %d, %d idle, %d open", p.from, p.rank, p.idle.Len(), p.conns)
			}
		}
		if conns != len(g.conns) || idle > conns || len(g.conns) > g.limit || len(g.idlers) != len(g.parties) {
			t.Fatalf("%d and %d open, %d idle, %d and %d parties", conns, len(g.conns), idle, len(g.idlers), len(g.parties))
		}
	}
	for _, c := range in {
		c.Close()
	}
	if len(g.parties) != 0 || len(g.conns) != 0 {
		t.Errorf("%d parties are left, %d connections", len(g.parties), len(g.conns))
	}
}

// A crowd that only holds connections does not keep a client out.
func TestIdleCrowdIsShedForAClient(t *testing.T) {
	inBubble(t, ok, func(t *testing.T, b *bubble) {
		b.guests.limit = 10
		early := b.client(true)
		get(t, early, "chat.landfall.test", "/")
		for range 30 {
			c, err := b.dial(t.Context(), "", "")
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
		}
		time.Sleep(time.Second)
		if res, _ := get(t, b.client(false), "chat.landfall.test", "/"); res.StatusCode != http.StatusOK {
			t.Error(res.Status)
		}
		if s := b.Stats(); s.Connections > 5 || s.Shed < 25 {
			t.Errorf("%+v", s)
		}
	})
}

// tired is a listener that is out of descriptors now and then.
type tired struct {
	net.Listener
	fail chan error
}

func (l tired) Accept() (net.Conn, error) {
	select {
	case err := <-l.fail:
		return nil, err
	default:
		return nil, net.ErrClosed
	}
}

func TestAcceptErrorsAreTold(t *testing.T) {
	var log bytes.Buffer
	var failed atomic.Uint64
	l := &listener{Listener: tired{listen(t), make(chan error, 5)}, guests: hall(10), errors: &failed, log: slog.New(slog.NewTextHandler(&log, nil))}
	defer l.Close()
	for range 5 {
		l.Listener.(tired).fail <- syscall.EMFILE
	}
	for range 5 {
		if _, err := l.Accept(); !errors.Is(err, syscall.EMFILE) {
			t.Fatal(err)
		}
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Fatal(err)
	}
	if n := strings.Count(log.String(), "level=WARN"); n != 1 || failed.Load() != 5 {
		t.Errorf("%d warnings for %d errors:\n%s", n, failed.Load(), &log)
	}
}
