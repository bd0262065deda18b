package wg

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/nettest"

	"landfall"
	"landfall/mesh/conn"
)

// pair is two devices that are each other's only peer.
type pair struct {
	cfg    Config
	a, b   *Device
	bAddr  netip.Addr
	keys   [2]landfall.PrivateKey
	others [2]chan []byte
}

func newPair(t testing.TB) *pair { return newPairOf(t, Config{}) }

// newPairOf starts both with what more the configuration says.
func newPairOf(t testing.TB, cfg Config) *pair {
	t.Helper()
	p := pair{cfg: cfg}
	var conns [2]*net.UDPConn
	for i := range 2 {
		u, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv6loopback})
		if err != nil {
			t.Fatal(err)
		}
		conns[i], p.keys[i], p.others[i] = u, landfall.NewPrivateKey(), make(chan []byte, 16)
	}
	p.a = p.start(t, 0, conns[0])
	p.b = p.start(t, 1, conns[1])
	p.bAddr = p.b.addr
	p.meet(t, p.b, 0, conns[0], false) // first, so that it hears a's initiation
	p.meet(t, p.a, 1, conns[1], true)
	return &p
}

func (p *pair) start(t testing.TB, i int, c net.PacketConn) *Device {
	t.Helper()
	cfg := p.cfg
	cfg.Key, cfg.Addr, cfg.Conn = p.keys[i], landfall.MeshAddr("test", landfall.NodeID('a'+rune(i))), c
	cfg.Other = func(b []byte, _ netip.AddrPort) { p.others[i] <- bytes.Clone(b) }
	cfg.Wanted = func(landfall.PublicKey) {}
	d, err := Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

func (p *pair) meet(t testing.TB, d *Device, other int, at *net.UDPConn, initiate bool) {
	t.Helper()
	addr := at.LocalAddr().(*net.UDPAddr).AddrPort()
	key := p.keys[other].Public()
	peer := Peer{Key: key, Addr: landfall.MeshAddr("test", landfall.NodeID('a'+rune(other))), Initiate: initiate}
	if err := d.AddPeer(peer, addr); err != nil {
		t.Fatal(err)
	}
}

// dial connects a to a port of b.
func (p *pair) dial(t testing.TB, port uint16) *conn.Conn {
	t.Helper()
	c, err := conn.Open(func(sink landfall.Sink) (landfall.Stream, net.Addr, net.Addr, error) {
		s, err := p.a.Open(t.Context(), netip.AddrPortFrom(p.bAddr, port), nil, sink)
		return s, nil, nil, err
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// accept serves every stream to a port of b.
func (p *pair) accept(t testing.TB, port uint16, serve func(net.Conn)) {
	t.Helper()
	var serving sync.WaitGroup
	t.Cleanup(func() {
		p.b.Close()
		serving.Wait()
	})
	err := p.b.Listen(port, func(s *Stream) {
		c, err := conn.Open(func(sink landfall.Sink) (landfall.Stream, net.Addr, net.Addr, error) {
			s.Start(sink)
			return s, nil, nil, nil
		})
		if err == nil {
			serving.Go(func() { serve(c) })
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}

// echoPort is where tests let b send back what it is sent.
const echoPort = 7

func serveEcho(t testing.TB, p *pair) {
	t.Helper()
	p.accept(t, echoPort, func(c net.Conn) {
		_, _ = io.Copy(c, c) // ends when the other side does
		c.Close()
	})
}

func roundTrip(t testing.TB, c net.Conn) {
	t.Helper()
	if _, err := c.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
}

func TestConnIsANetConn(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	p := newPair(t)
	far := make(chan net.Conn)
	done := make(chan struct{})
	defer close(done)
	p.accept(t, 9, func(c net.Conn) {
		select {
		case far <- c:
		case <-done:
		}
	})
	nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
		c1 = p.dial(t, 9)
		c2 = <-far
		return c1, c2, func() { c1.Close(); c2.Close() }, nil
	})
}

func TestManyStreamsAtOnce(t *testing.T) {
	p := newPair(t)
	serveEcho(t, p)
	count := 100
	if testing.Short() {
		count = 30
	}
	var clients sync.WaitGroup
	for i := range count {
		clients.Go(func() {
			c := p.dial(t, echoPort)
			defer c.Close()
			sent := bytes.Repeat([]byte{byte(i)}, 20_000+i)
			if _, err := c.Write(sent); err != nil {
				t.Error(err)
			}
			_ = c.CloseWrite()
			if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, sent) {
				t.Errorf("stream %d: %d bytes of %d, %v", i, len(got), len(sent), err)
			}
		})
	}
	clients.Wait()
}

func TestDialWhereNobodyListens(t *testing.T) {
	p := newPair(t)
	_, err := p.a.Open(t.Context(), netip.AddrPortFrom(p.bAddr, 99), nil, nil)
	if !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("got %v", err)
	}
}

func TestOpenHonoursItsContext(t *testing.T) {
	p := newPair(t)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := p.a.Open(ctx, netip.AddrPortFrom(landfall.MeshAddr("test", "nobody"), 1), nil, nil)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestUnlistenRefuses(t *testing.T) {
	p := newPair(t)
	serveEcho(t, p)
	c := p.dial(t, echoPort)
	defer c.Close()
	roundTrip(t, c) // or it might not be accepted yet
	p.b.Unlisten(echoPort)
	if _, err := p.a.Open(t.Context(), netip.AddrPortFrom(p.bAddr, echoPort), nil, nil); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("got %v", err)
	}
	roundTrip(t, c)
}

// TestSlowReaderKeepsItsStream holds a writer back for longer than the
// timeout that ends streams to a dead peer.
func TestSlowReaderKeepsItsStream(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	p := newPairOf(t, Config{Timeout: time.Second})
	stalled := make(chan net.Conn, 1)
	p.accept(t, 9, func(c net.Conn) { stalled <- c })
	c := p.dial(t, 9)
	defer c.Close()
	far := <-stalled
	sent := make(chan error, 1)
	const size = 8 << 20 // more than the buffers hold
	go func() {
		_, err := c.Write(make([]byte, size))
		sent <- errors.Join(err, c.CloseWrite())
	}()
	select {
	case err := <-sent:
		t.Fatalf("written with nobody reading: %v", err)
	case <-time.After(2 * time.Second):
	}
	n, err := io.Copy(io.Discard, far)
	if err := errors.Join(err, <-sent); err != nil || n != size {
		t.Errorf("%d bytes, %v", n, err)
	}
}

func TestCloseLeavesNoGoroutine(t *testing.T) {
	before := runtime.NumGoroutine()
	t.Run("pair", func(t *testing.T) {
		p := newPair(t)
		serveEcho(t, p)
		for range 3 {
			roundTrip(t, p.dial(t, echoPort))
		}
	})
	// WireGuard's workers end by themselves shortly after the device has.
	for wait := time.Millisecond; runtime.NumGoroutine() > before; wait *= 2 {
		if wait > 4*time.Second {
			stacks := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
		}
		<-time.After(wait)
	}
}

func TestSocketClosedUnderTheDevice(t *testing.T) {
	p := newPair(t)
	p.a.bind.conn.Close()
	if err := <-p.a.Failed(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v", err)
	}
}

func BenchmarkBulk(b *testing.B) {
	p := newPair(b)
	p.accept(b, 9, func(c net.Conn) {
		_, _ = io.Copy(io.Discard, c)
		c.Close()
	})
	c := p.dial(b, 9)
	buf := make([]byte, 1<<20)
	b.SetBytes(int64(len(buf)))
	for b.Loop() {
		if _, err := c.Write(buf); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRoundTrip(b *testing.B) {
	p := newPair(b)
	p.accept(b, echoPort, func(c net.Conn) {
		_, _ = io.Copy(c, c)
		c.Close()
	})
	c := p.dial(b, echoPort)
	buf := make([]byte, 1<<10)
	for b.Loop() {
		if _, err := c.Write(buf); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(c, buf); err != nil {
			b.Fatal(err)
		}
	}
}
