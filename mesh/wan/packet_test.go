package wan

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
)

// air is an instant packet network in memory, for bubbles.
type air struct {
	mu    sync.Mutex
	conns map[netip.AddrPort]*airConn
}

type airConn struct {
	net.PacketConn // what is not used here
	air            *air
	addr           netip.AddrPort
	in             chan airPacket
	done           chan struct{}
	once           sync.Once
}

type airPacket struct {
	b    []byte
	from netip.AddrPort
	at   time.Time
}

func (a *air) listen(s string) *airConn {
	c := &airConn{air: a, addr: netip.MustParseAddrPort(s), in: make(chan airPacket, 10000), done: make(chan struct{})}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.conns == nil {
		a.conns = map[netip.AddrPort]*airConn{}
	}
	a.conns[c.addr] = c
	return c
}

func (c *airConn) LocalAddr() net.Addr { return net.UDPAddrFromAddrPort(c.addr) }

func (c *airConn) Close() error {
	c.once.Do(func() { close(c.done) })
	return nil
}

func (c *airConn) WriteTo(b []byte, to net.Addr) (int, error) {
	select {
	case <-c.done:
		return 0, net.ErrClosed
	default:
	}
	c.air.mu.Lock()
	peer := c.air.conns[addrPort(to)]
	c.air.mu.Unlock()
	if peer != nil {
		peer.in <- airPacket{bytes.Clone(b), c.addr, time.Now()}
	}
	return len(b), nil
}

func (c *airConn) ReadFrom(b []byte) (int, net.Addr, error) {
	select {
	case k := <-c.in:
		return copy(b, k.b), net.UDPAddrFromAddrPort(k.from), nil
	case <-c.done:
		return 0, nil, net.ErrClosed
	}
}

// pair is two conns with a link between them.
func pair(t *testing.T, l Link) (n *Network, a, b *PacketConn, inbox chan airPacket) {
	t.Helper()
	n = New(1)
	if err := n.Connect("fra", "nyc", l); err != nil {
		t.Fatal(err)
	}
	var sky air
	ia, ib := sky.listen("192.0.2.1:1"), sky.listen("192.0.2.2:2")
	a, b = place(t, n, ia, "fra"), place(t, n, ib, "nyc")
	return n, a, b, ib.in
}

func place(t *testing.T, n *Network, c net.PacketConn, s Site) *PacketConn {
	t.Helper()
	p, err := n.PacketConn(c, s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func TestPacketsArriveOnTheNanosecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, a, b, inbox := pair(t, Link{Delay: 70 * time.Millisecond})
		start := time.Now()
		for i := range 100 {
			if _, err := a.WriteTo([]byte{byte(i)}, b.LocalAddr()); err != nil {
				t.Fatal(err)
			}
			time.Sleep(333 * time.Microsecond)
		}
		for i := range 100 {
			k := <-inbox
			want := time.Duration(i)*333*time.Microsecond + 70*time.Millisecond
			if got := k.at.Sub(start); got != want || k.b[0] != byte(i) {
				t.Fatalf("packet %d: number %d after %v, want %v", i, k.b[0], got, want)
			}
		}
		if s := n.Stats(); s.Packets["delayed"] != 100 || s.LateMax != 0 || s.Bytes != 100 {
			t.Errorf("stats %+v", s)
		}
	})
}

// The front does what the pure core says, packet by packet.
func TestFrontFollowsTheCore(t *testing.T) {
	l := Link{Delay: 30 * time.Millisecond, Jitter: 40 * time.Millisecond, Reorder: true, Loss: 0.1, Rate: 2_000_000, Queue: 20_000}
	synctest.Test(t, func(t *testing.T) {
		n, a, b, inbox := pair(t, l)
		w := n.path("fra", "nyc").wire
		want := map[uint16]time.Time{}
		for i := range uint16(1000) {
			size := 100 + int(i)*7%1200
			var v verdict
			if w, v = l.packet(w, size+28, 0, time.Now()); v.fate == arrives {
				want[i] = v.at
			}
			a.WriteTo(binary.BigEndian.AppendUint16(make([]byte, 0, size), i)[:size], b.LocalAddr())
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Second)
		if len(inbox) != len(want) || len(want) < 100 {
			t.Fatalf("%d packets arrived, want %d", len(inbox), len(want))
		}
		for range len(inbox) {
			k := <-inbox
			if i := binary.BigEndian.Uint16(k.b); !k.at.Equal(want[i]) {
				t.Errorf("packet %d off by %v", i, k.at.Sub(want[i]))
			}
		}
		s := n.Stats()
		if s.Packets["lost"] == 0 || s.Packets["full"] == 0 || s.Packets["lost"]+s.Packets["full"]+s.Packets["delayed"] != 1000 {
			t.Errorf("stats %+v", s)
		}
	})
}

func TestCutDropsWhatIsSentWhileItLasts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, a, b, inbox := pair(t, Link{Delay: 70 * time.Millisecond})
		send := func(s string) { a.WriteTo([]byte(s), b.LocalAddr()) }
		send("before")
		n.Cut("fra", "nyc")
		send("during")
		time.Sleep(time.Second)
		n.Heal("fra", "nyc")
		send("after")
		time.Sleep(time.Second)
		var got []string
		for range len(inbox) {
			got = append(got, string((<-inbox).b))
		}
		if !slices.Equal(got, []string{"before", "after"}) {
			t.Errorf("arrived: %q", got)
		}
		if s := n.Stats(); s.Packets["cut"] != 1 {
			t.Errorf("stats %+v", s)
		}
	})
}

func TestPacketConnDuplicatesAndRefuses(t *testing.T) {
	for _, delay := range []time.Duration{0, time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			n, a, b, inbox := pair(t, Link{Delay: delay, Duplicate: 1, MTU: 1280, ICMP: true})
			if _, err := a.WriteTo(make([]byte, 1252), b.LocalAddr()); err != nil {
				t.Fatal(err)
			}
			if _, err := a.WriteTo(make([]byte, 1253), b.LocalAddr()); !errors.Is(err, unix.EMSGSIZE) {
				t.Errorf("1253 bytes and 28 of headers: %v", err)
			}
			time.Sleep(time.Second)
			synctest.Wait()
			if s := n.Stats(); len(inbox) != 2 || s.Doubled != 1 || s.Packets["too_big"] != 1 || s.Packets["delayed"]+s.Packets["straight"] != 2 {
				t.Errorf("%d arrived, stats %+v", len(inbox), s)
			}
			if w := n.path("fra", "nyc").waiting; w != 0 {
				t.Errorf("%d packets still count as waiting", w)
			}
		})
	}
}

func TestUnknownAndInstantWaysPassStraight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, a, b, inbox := pair(t, Link{})
		start := time.Now()
		a.WriteTo([]byte("x"), b.LocalAddr())
		a.WriteTo([]byte("x"), net.UDPAddrFromAddrPort(netip.MustParseAddrPort("192.0.2.9:9")))
		if k := <-inbox; k.at != start {
			t.Errorf("took %v", k.at.Sub(start))
		}
		if s := n.Stats(); s.Packets["straight"] != 2 {
			t.Errorf("stats %+v", s)
		}
	})
}

// A link that becomes shorter keeps its order.
func TestShorterLinkKeepsOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, a, b, inbox := pair(t, Link{Delay: 70 * time.Millisecond})
		a.WriteTo([]byte("1"), b.LocalAddr())
		n.Connect("fra", "nyc", Link{})
		a.WriteTo([]byte("2"), b.LocalAddr())
		time.Sleep(time.Second)
		if one, two := <-inbox, <-inbox; string(one.b)+string(two.b) != "12" {
			t.Errorf("arrived: %s%s", one.b, two.b)
		}
	})
}

func TestClosedPacketConnHoldsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, a, b, inbox := pair(t, Link{Delay: time.Second})
		a.WriteTo([]byte("x"), b.LocalAddr())
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		if err := a.Close(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("second close: %v", err)
		}
		if _, err := a.WriteTo([]byte("x"), b.LocalAddr()); !errors.Is(err, net.ErrClosed) {
			t.Errorf("write after close: %v", err)
		}
		time.Sleep(2 * time.Second)
		if len(inbox) != 0 {
			t.Error("a packet outlived its conn")
		}
		if w := n.path("fra", "nyc").waiting; w != 0 {
			t.Errorf("%d packets still count as waiting", w)
		}
		if _, ok := n.site(netip.MustParseAddrPort("192.0.2.1:1")); ok {
			t.Error("the address still has a site")
		}
	})
}

func TestWriteDeadlineOfPacketConn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, a, b, inbox := pair(t, Link{Delay: time.Second})
		a.SetWriteDeadline(time.Now().Add(time.Millisecond))
		a.WriteTo([]byte("in time"), b.LocalAddr())
		time.Sleep(time.Millisecond)
		if _, err := a.WriteTo([]byte("late"), b.LocalAddr()); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("write after the deadline: %v", err)
		}
		time.Sleep(time.Second)
		if len(inbox) != 1 {
			t.Errorf("%d packets arrived, want the one in time", len(inbox))
		}
	})
}

func TestNetworkCloseEndsEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, a, _, _ := pair(t, Link{Delay: time.Hour})
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := a.WriteTo([]byte("x"), a.LocalAddr()); !errors.Is(err, net.ErrClosed) {
			t.Errorf("write after close: %v", err)
		}
		if _, err := n.PacketConn((&air{}).listen("192.0.2.3:3"), "fra"); !errors.Is(err, net.ErrClosed) {
			t.Errorf("new conn after close: %v", err)
		}
	})
}

// On real sockets: round trips take what they should, and no goroutine stays.
func TestLoopbackRoundTrip(t *testing.T) {
	before := runtime.NumGoroutine()
	n := New(1)
	n.Connect("fra", "nyc", Link{Delay: 20 * time.Millisecond})
	a, b := place(t, n, udp(t), "fra"), place(t, n, udp(t), "nyc")
	go func() {
		buf := make([]byte, 100)
		for {
			k, from, err := b.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			b.WriteToUDPAddrPort(buf[:k], from)
		}
	}()
	to := b.LocalAddr().(*net.UDPAddr).AddrPort()
	var trips []time.Duration
	buf := make([]byte, 100)
	for range 10 {
		start := time.Now()
		a.WriteToUDPAddrPort([]byte("ping"), to)
		a.SetReadDeadline(start.Add(5 * time.Second))
		if _, _, err := a.ReadFrom(buf); err != nil {
			t.Fatal(err)
		}
		trips = append(trips, time.Since(start))
	}
	slices.Sort(trips)
	if trips[0] < 40*time.Millisecond {
		t.Errorf("fastest round trip %v, want at least 40 ms", trips[0])
	}
	t.Logf("median %v, late %+v", trips[5], n.Stats())
	n.Close()
	settle(t, before)
}

func udp(t *testing.T) net.PacketConn {
	t.Helper()
	c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// settle waits for goroutines to end that have been told to.
func settle(t *testing.T, before int) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before; runtime.Gosched() {
		if time.Now().After(end) {
			buf := make([]byte, 1<<16)
			t.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, buf[:runtime.Stack(buf, true)])
		}
	}
}

func BenchmarkPacketConn(b *testing.B) {
	n := New(1)
	n.Connect("fra", "nyc", Link{Delay: time.Millisecond})
	var sky air
	inner := sky.listen("192.0.2.1:1")
	c, err := n.PacketConn(inner, "fra")
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	to := netip.MustParseAddrPort("192.0.2.2:2")
	n.SetSite(to, "nyc")
	p := make([]byte, 1400)
	b.ReportAllocs()
	for b.Loop() {
		c.WriteToUDPAddrPort(p, to)
	}
}
