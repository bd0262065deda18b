package wan

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
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
			size, from, ecn, err := b.ReadMarked(buf)
			want := time.Duration(i)*333*time.Microsecond + 70*time.Millisecond
			if took := time.Since(start); err != nil || size != 1 || buf[0] != i || from != nodeA || ecn != 0 || took != want {
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

// Nodes behind all kinds of NAT, as the front has them: who reaches whom.
func TestMemoryNATs(t *testing.T) {
	public := netip.MustParseAddr("203.0.113.1")
	inside := netip.MustParseAddrPort("10.0.0.2:7")
	for name, c := range map[string]struct {
		nat                                    NAT
		unasked, otherPort, other, sameBinding bool
	}{
		"one to one":         {OneToOne(public, inside.Addr()), true, true, true, true},
		"full cone":          {FullCone(public), false, true, true, true},
		"address-restricted": {AddressRestricted(public), false, true, false, true},
		"port-restricted":    {PortRestricted(public), false, false, false, true},
		"symmetric":          {Symmetric(public), false, false, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n, m := memory(t, 1)
				n.Connect("home", "nyc", Link{Delay: 20 * time.Millisecond})
				if err := m.SetNAT("home", c.nat); err != nil {
					t.Fatal(err)
				}
				home, far := listen(t, m, inside, "home"), listen(t, m, nodeB, "nyc")
				port2 := listen(t, m, netip.AddrPortFrom(nodeB.Addr(), 99), "nyc")
				other := listen(t, m, netip.AddrPortFrom(nodeB.Addr().Next(), 2), "nyc")
				face := netip.AddrPortFrom(public, inside.Port())
				reaches := func(from *MemoryConn, to netip.AddrPort) bool {
					from.WriteToUDPAddrPort([]byte("?"), to)
					return !empty(home)
				}
				if got := reaches(far, face); got != c.unasked {
					t.Errorf("unasked: %v", got)
				}
				if reaches(far, inside) {
					t.Error("an inside address was reached from outside")
				}
				seen := func(by *MemoryConn) netip.AddrPort {
					home.WriteTo([]byte("!"), by.LocalAddr())
					_, from, err := by.ReadFromUDPAddrPort(make([]byte, 10))
					if err != nil || from.Addr() != public {
						t.Errorf("seen as %v, %v", from, err)
					}
					return from
				}
				if at := seen(far); at != face || !reaches(far, face) {
					t.Errorf("no answer to %v", at)
				}
				if got := reaches(port2, face); got != c.otherPort {
					t.Errorf("from another port: %v", got)
				}
				if got := reaches(other, face); got != c.other {
					t.Errorf("from another address: %v", got)
				}
				if got := seen(far) == seen(other); got != c.sameBinding {
					t.Errorf("to another address by the same binding: %v", got)
				}
				time.Sleep(NATTimeout)
				if got := reaches(far, face); got != c.unasked {
					t.Errorf("after the timeout: %v", got)
				}
			})
		})
	}
}

// Two nodes behind one NAT talk straight by their inside addresses, and by
// way of the NAT by their public ones.
func TestMemoryHairpins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, m := memory(t, 1)
		public := netip.MustParseAddr("203.0.113.1")
		m.SetNAT("home", FullCone(public))
		a := listen(t, m, netip.MustParseAddrPort("10.0.0.2:7"), "home")
		b := listen(t, m, netip.MustParseAddrPort("10.0.0.3:7"), "home")
		out := listen(t, m, nodeB, "nyc")
		buf := make([]byte, 10)
		b.WriteTo([]byte("out"), out.LocalAddr())
		_, face, _ := out.ReadFromUDPAddrPort(buf)
		a.WriteTo([]byte("in"), b.LocalAddr())
		if _, from, _ := b.ReadFromUDPAddrPort(buf); from != a.at {
			t.Errorf("straight from %v", from)
		}
		a.WriteToUDPAddrPort([]byte("pin"), face)
		if _, from, _ := b.ReadFromUDPAddrPort(buf); from.Addr() != public {
			t.Errorf("by the NAT from %v", from)
		}
	})
}

// storms is a network of nodes that all send to all over bad links; what it
// returns must be the same for the same seed, whatever the scheduler does.
func storms(t *testing.T, seed uint64) (trace Trace, arrived string, s Stats) {
	synctest.Test(t, func(t *testing.T) {
		n, m := memory(t, seed)
		const nodes = 8
		var got [nodes]bytes.Buffer
		var wg sync.WaitGroup
		addr := func(i int) netip.AddrPort { return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}), 9) }
		site := func(i int) Site { return Site(fmt.Sprint("s", i)) }
		for i := range nodes {
			for j := range i {
				n.Connect(site(i), site(j), Link{
					Delay: time.Duration(i+j) * time.Millisecond, Jitter: 5 * time.Millisecond, Reorder: i%2 == 0, Loss: 0.01, Duplicate: 0.02,
					Burst: Burst{Enter: 0.01, Leave: 0.2, Loss: 0.7}, Rate: int64(i) * 1_000_000, Queue: 5000, MTU: 1200,
				})
			}
			c := listen(t, m, addr(i), site(i))
			wg.Go(func() {
				buf := make([]byte, 2000)
				for {
					k, from, err := c.ReadFromUDPAddrPort(buf)
					if err != nil {
						return
					}
					fmt.Fprintln(&got[i], time.Since(m.start), from, k, binary.BigEndian.Uint64(buf))
					if k > 100 { // an answer in the same instant
						c.WriteToUDPAddrPort(buf[:50], from)
					}
				}
			})
			for j := range nodes {
				if i == j {
					continue
				}
				go func() { // one sender to each peer, all at the same times
					for k := range 100 {
						b := binary.BigEndian.AppendUint64(nil, unitBits(seed, i, j, k))
						c.WriteToUDPAddrPort(append(b, make([]byte, (i*j*k)%1300)...), addr(j))
						time.Sleep(time.Millisecond)
					}
				}()
			}
		}
		n.Schedule(time.Now(), Event{At: 30 * time.Millisecond, For: 20 * time.Millisecond, From: "s1", To: "s2", Change: Cut()})
		time.Sleep(time.Minute)
		trace, s = m.Trace(), n.Stats()
		m.Close()
		wg.Wait()
		for i := range got {
			arrived += got[i].String()
		}
	})
	return trace, arrived, s
}

func unitBits(seed uint64, i, j, k int) uint64 {
	return mix(seed ^ uint64(i)<<40 ^ uint64(j)<<20 ^ uint64(k))
}

func TestSameSeedSameStorm(t *testing.T) {
	trace, arrived, s := storms(t, 1)
	for range 5 {
		if again, all, _ := storms(t, 1); again.Hash != trace.Hash || all != arrived {
			t.Fatalf("another trace: %+v, %+v", again, trace)
		}
	}
	if other, _, _ := storms(t, 2); other.Hash == trace.Hash {
		t.Error("another seed gives the same trace")
	}
	// Conservation: all that was offered came to some end.
	var ends uint64
	for _, n := range s.Packets {
		ends += n
	}
	if want := trace.Packets + s.Doubled; ends != want {
		t.Errorf("%d packets offered and doubled, %d ended: %+v", want, ends, s)
	}
	for _, fate := range []string{"delayed", "lost", "full", "cut", "too_big"} {
		if s.Packets[fate] == 0 {
			t.Errorf("none %s: the storm was too mild: %+v", fate, s)
		}
	}
	if s.Bytes == 0 || s.Doubled == 0 || trace.Bytes == 0 || len(trace.Kinds) == 0 {
		t.Errorf("%+v, %+v", s, trace)
	}
}

func TestTapSeesAllInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, m, a, b := link(t, Link{Loss: 1})
		var seen []string
		m.Tap(func(r Record) { seen = append(seen, fmt.Sprintf("%v %v %v %d %s", r.At, r.From, r.To, r.TOS, r.Bytes)) })
		b.WriteMarked([]byte("2"), nodeA, 1)
		a.WriteMarked([]byte("1"), nodeB, 8)
		time.Sleep(time.Millisecond)
		m.Inject(six, nodeB, 0, []byte("3"))
		time.Sleep(time.Millisecond)
		want := []string{"0s 192.0.2.1:1 198.51.100.2:2 8 1", "0s 198.51.100.2:2 192.0.2.1:1 1 2", "1ms [2001:db8::6]:6 198.51.100.2:2 0 3"}
		if !slices.Equal(seen, want) {
			t.Errorf("seen %q", seen)
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
