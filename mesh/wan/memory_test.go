package wan

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
)

var (
	nodeA = netip.MustParseAddrPort("192.0.2.1:1")
	nodeB = netip.MustParseAddrPort("198.51.100.2:2")
	six   = netip.MustParseAddrPort("[2001:db8::6]:6")
)

// What the mesh's sockets ask for, besides net.PacketConn.
var _ interface {
	net.PacketConn
	WriteMarked(b []byte, to netip.AddrPort, tos uint8) (int, error)
	ReadMarked(b []byte) (n int, from netip.AddrPort, ecn uint8, err error)
} = (*MemoryConn)(nil)

// memory is a network with a memory front that ends with the test.
func memory(t *testing.T, seed uint64) (*Network, *Memory) {
	t.Helper()
	n := New(seed)
	m, err := n.Memory()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	return n, m
}

func listen(t *testing.T, m *Memory, at netip.AddrPort, s Site) *MemoryConn {
	t.Helper()
	c, err := m.Listen(at, s)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// link is a memory network with one conn at each end of a link.
func link(t *testing.T, l Link) (n *Network, m *Memory, a, b *MemoryConn) {
	t.Helper()
	n, m = memory(t, 1)
	if err := n.Connect("fra", "nyc", l); err != nil {
		t.Fatal(err)
	}
	return n, m, listen(t, m, nodeA, "fra"), listen(t, m, nodeB, "nyc")
}

// empty reports whether nothing comes until all else is at rest.
func empty(c *MemoryConn) bool {
	c.SetReadDeadline(time.Now().Add(time.Minute))
	defer c.SetReadDeadline(time.Time{})
	_, _, err := c.ReadFrom(make([]byte, 2000))
	return errors.Is(err, os.ErrDeadlineExceeded)
}

func TestMemoryIsExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, _, a, b := link(t, Link{Delay: 70 * time.Millisecond})
		start, buf := time.Now(), make([]byte, 100)
		go func() {
			for i := range byte(100) {
				a.WriteMarked([]byte{i}, nodeB, 46<<2)
				time.Sleep(333 * time.Microsecond)
			}
		}()
		for i := range byte(100) {
			size, from, tos, err := b.ReadMarked(buf)
			want := time.Duration(i)*333*time.Microsecond + 70*time.Millisecond
			if took := time.Since(start); err != nil || size != 1 || buf[0] != i || from != nodeA || tos != 46<<2 || took != want {
				t.Fatalf("packet %d: %x from %v after %v, want %v, %v", i, buf[:size], from, took, want, err)
			}
		}
		if s := n.Stats(); s.Packets["delayed"] != 100 || s.Bytes != 100 || s.LateMax != 0 {
			t.Errorf("stats %+v", s)
		}
	})
}

// What is due in one instant is delivered one by one, a nanosecond apart, in
// an order that no scheduler decides.
func TestMemoryDeliversOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, m := memory(t, 1)
		b := listen(t, m, nodeB, "nyc")
		start := time.Now()
		for i := range byte(50) {
			c := listen(t, m, netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, 100 - i}), 1), "fra")
			go c.WriteMarked([]byte{100 - i}, nodeB, 0)
		}
		buf := make([]byte, 10)
		for i := range byte(50) {
			b.ReadMarked(buf)
			if took := time.Since(start); buf[0] != 51+i || took != time.Duration(i+1) {
				t.Errorf("packet %d after %v", buf[0], took)
			}
		}
	})
}

func TestMemoryCutsHealsAndPlays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, _, a, b := link(t, Link{Delay: 10 * time.Millisecond})
		if err := n.Schedule(time.Now(),
			Event{At: 10 * time.Second, For: 5 * time.Second, From: "fra", To: "nyc", Change: Cut()},
			Event{At: 30 * time.Second, For: 5 * time.Second, From: "nyc", To: "fra", OneWay: true, Change: Cut()},
		); err != nil {
			t.Fatal(err)
		}
		there, back := map[byte]bool{}, map[byte]bool{}
		var wg sync.WaitGroup
		read := func(c *MemoryConn, seen map[byte]bool) {
			buf := make([]byte, 10)
			for {
				if _, _, err := c.ReadFrom(buf); err != nil {
					return
				}
				seen[buf[0]] = true
			}
		}
		wg.Go(func() { read(a, back) })
		wg.Go(func() { read(b, there) })
		for i := range byte(60) { // half a second after each second
			time.Sleep(500 * time.Millisecond)
			if i == 50 {
				n.Cut("fra", "nyc")
			}
			if i == 55 {
				n.Heal("fra", "nyc")
			}
			a.WriteTo([]byte{i}, b.LocalAddr())
			b.WriteTo([]byte{i}, a.LocalAddr())
			time.Sleep(500 * time.Millisecond)
		}
		a.Close()
		b.Close()
		wg.Wait()
		for i := range byte(60) {
			byHand := i >= 50 && i < 55
			both := i >= 10 && i < 15 || byHand
			if one := i >= 30 && i < 35; there[i] == both || back[i] == (both || one) {
				t.Errorf("second %d: there %v, back %v", i, there[i], back[i])
			}
		}
	})
}

func TestMemoryRefusesWhatIsTooBig(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, _, a, b := link(t, Link{MTU: 1280, ICMP: true})
		if _, err := a.WriteTo(make([]byte, 1252), b.LocalAddr()); err != nil {
			t.Errorf("1252 bytes and 28 of headers: %v", err)
		}
		if _, err := a.WriteTo(make([]byte, 1253), b.LocalAddr()); !errors.Is(err, unix.EMSGSIZE) {
			t.Errorf("1253 bytes: %v", err)
		}
		if _, _, err := b.ReadFrom(make([]byte, 2000)); err != nil {
			t.Error(err)
		}
		n.Connect("fra", "nyc", Link{MTU: 1280})
		if _, err := a.WriteTo(make([]byte, 1253), b.LocalAddr()); err != nil {
			t.Errorf("without ICMP: %v", err)
		}
		if !empty(b) {
			t.Error("it passed")
		}
		if s := n.Stats(); s.Packets["too_big"] != 2 || s.Packets["delayed"] != 1 {
			t.Errorf("stats %+v", s)
		}
		if _, err := a.WriteTo(make([]byte, 65508), b.LocalAddr()); !errors.Is(err, unix.EMSGSIZE) {
			t.Errorf("65508 bytes: %v", err)
		}
		s6, t6 := netip.AddrPortFrom(six.Addr(), 1), netip.AddrPortFrom(six.Addr(), 2)
		c, _ := a.memory.Listen(s6, "fra")
		a.memory.Listen(t6, "nyc")
		n.Connect("fra", "nyc", Link{MTU: 1280, ICMP: true})
		if _, err := c.WriteToUDPAddrPort(make([]byte, 1233), t6); !errors.Is(err, unix.EMSGSIZE) {
			t.Errorf("IPv6 with 1233 bytes: %v", err)
		}
		if _, err := c.WriteToUDPAddrPort(make([]byte, 1232), t6); err != nil {
			t.Errorf("IPv6 with 1232 bytes: %v", err)
		}
	})
}

func TestMemoryMarksInsteadOfDropping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := Link{Rate: 8_000_000, Queue: 20_000, Mark: 5_000}
		n, _, a, b := link(t, l)
		for range 10 { // ten take 10 ms to send; six wait for more than five before them
			a.WriteMarked(make([]byte, 972), nodeB, 2)
		}
		var marked int
		for range 10 {
			_, _, ecn, err := b.ReadMarked(make([]byte, 2000))
			if err != nil || ecn != 2 && ecn != 3 {
				t.Fatalf("ecn %d, %v", ecn, err)
			}
			if ecn == 3 {
				marked++
			}
		}
		if s := n.Stats(); marked != 4 || s.Marked != 4 {
			t.Errorf("%d marked, stats %+v", marked, s)
		}
		for range 10 {
			a.WriteMarked(make([]byte, 972), nodeB, 0)
		}
		time.Sleep(time.Second)
		if s := n.Stats(); s.Packets["full"] != 4 || s.Packets["delayed"] != 16 {
			t.Errorf("without ECN: %+v", s)
		}
	})
}

func TestMemoryDropsForTheClosedAndTheUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, m, a, b := link(t, Link{Delay: time.Second})
		a.WriteTo([]byte("x"), b.LocalAddr())
		a.WriteTo([]byte("x"), net.UDPAddrFromAddrPort(netip.MustParseAddrPort("203.0.113.9:9")))
		time.Sleep(time.Millisecond)
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		if err := b.Close(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("second close: %v", err)
		}
		if _, _, err := b.ReadFrom(nil); !errors.Is(err, net.ErrClosed) {
			t.Errorf("read after close: %v", err)
		}
		if _, err := b.WriteTo(nil, a.LocalAddr()); !errors.Is(err, net.ErrClosed) {
			t.Errorf("write after close: %v", err)
		}
		time.Sleep(2 * time.Second)
		if s := n.Stats(); s.Packets["strayed"] != 2 {
			t.Errorf("stats %+v", s)
		}
		again := listen(t, m, nodeB, "nyc")
		if _, err := m.Listen(nodeB, "nyc"); err == nil {
			t.Error("an address was bound twice")
		}
		a.WriteTo([]byte("y"), again.LocalAddr())
		if k, _, err := again.ReadFrom(make([]byte, 10)); k != 1 || err != nil {
			t.Errorf("%d bytes, %v", k, err)
		}
	})
}

func TestMemoryReadsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, m, a, _ := link(t, Link{})
		start := time.Now()
		a.SetReadDeadline(start.Add(time.Hour))
		go func() {
			time.Sleep(time.Second)
			a.SetReadDeadline(time.Now().Add(time.Second)) // under who waits already
		}()
		if _, _, err := a.ReadFrom(nil); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != 2*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		a.SetDeadline(time.Now())
		if _, err := a.WriteTo(nil, a.LocalAddr()); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("late write: %v", err)
		}
		a.SetDeadline(time.Time{})
		go func() {
			time.Sleep(time.Second)
			n.Close()
		}()
		if _, _, err := a.ReadFrom(nil); !errors.Is(err, net.ErrClosed) {
			t.Errorf("read when the network closes: %v", err)
		}
		if _, err := m.Listen(six, "fra"); !errors.Is(err, net.ErrClosed) {
			t.Errorf("listen on a closed network: %v", err)
		}
		if _, err := n.Memory(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("memory of a closed network: %v", err)
		}
	})
}

// Outside of bubbles it works in real time.
func TestMemoryInRealTime(t *testing.T) {
	_, _, a, b := link(t, Link{Delay: time.Millisecond})
	start := time.Now()
	for range 1000 {
		a.WriteTo(make([]byte, 100), b.LocalAddr())
	}
	for range 1000 {
		if _, _, err := b.ReadFrom(make([]byte, 100)); err != nil {
			t.Fatal(err)
		}
	}
	if took := time.Since(start); took < time.Millisecond {
		t.Errorf("took %v", took)
	}
}

func BenchmarkMemory(b *testing.B) {
	n := New(1)
	defer n.Close()
	m, err := n.Memory()
	if err != nil {
		b.Fatal(err)
	}
	from, err := m.Listen(nodeA, "fra")
	if err != nil {
		b.Fatal(err)
	}
	to, err := m.Listen(nodeB, "nyc")
	if err != nil {
		b.Fatal(err)
	}
	p := make([]byte, 1400)
	b.ReportAllocs()
	for b.Loop() {
		from.WriteMarked(p, nodeB, 0)
		to.ReadMarked(p)
	}
}
