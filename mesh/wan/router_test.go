package wan

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"os"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

var (
	fra4 = netip.MustParseAddr("192.0.2.1")
	nyc4 = netip.MustParseAddr("198.51.100.1")
	fra6 = netip.MustParseAddr("2001:db8:1::1")
	nyc6 = netip.MustParseAddr("2001:db8:2::1")
)

// routed starts a router whose device is a pair of sockets that keep packets
// apart, as a TUN device does; the other socket is the kernel's side.
func routed(t *testing.T, l Link) (*Network, *Router, *os.File) {
	t.Helper()
	n := New(1)
	t.Cleanup(func() { n.Close() })
	for p, s := range map[string]Site{"192.0.2.0/24": "fra", "2001:db8:1::/48": "fra", "198.51.100.0/24": "nyc", "2001:db8:2::/48": "nyc"} {
		n.SetPrefix(netip.MustParsePrefix(p), s)
	}
	if err := n.Connect("fra", "nyc", l); err != nil {
		t.Fatal(err)
	}
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	kernel := os.NewFile(uintptr(fds[0]), "kernel")
	t.Cleanup(func() { kernel.Close() })
	kernel.SetDeadline(time.Now().Add(30 * time.Second))
	r, err := n.Router(os.NewFile(uintptr(fds[1]), "tun"))
	if err != nil {
		t.Fatal(err)
	}
	return n, r, kernel
}

// datagram is an IP header with a payload, as far as a router looks.
func datagram(src, dst netip.Addr, payload ...byte) []byte {
	if src.Is4() {
		b := append(make([]byte, 12), src.AsSlice()...)
		b[0] = 4<<4 | 5
		binary.BigEndian.PutUint16(b[2:], uint16(20+len(payload)))
		return append(append(b, dst.AsSlice()...), payload...)
	}
	b := append(make([]byte, 8), src.AsSlice()...)
	b[0] = 6 << 4
	binary.BigEndian.PutUint16(b[4:], uint16(len(payload)))
	return append(append(b, dst.AsSlice()...), payload...)
}

// next is the next packet that comes out of the device.
func next(t *testing.T, kernel *os.File) []byte {
	t.Helper()
	b := make([]byte, maxPacket)
	n, err := kernel.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return b[:n]
}

func put(t *testing.T, kernel *os.File, b []byte) {
	t.Helper()
	if _, err := kernel.Write(b); err != nil {
		t.Fatal(err)
	}
}

func TestRouterDelaysBothFamilies(t *testing.T) {
	const delay = 20 * time.Millisecond
	_, _, kernel := routed(t, Link{Delay: delay})
	for _, b := range [][]byte{
		datagram(fra4, nyc4, 1), datagram(nyc4, fra4, 2), datagram(fra6, nyc6, 3), datagram(nyc6, fra6, 4),
		datagram(fra4, nyc4, make([]byte, 1480)...),
	} {
		start := time.Now()
		put(t, kernel, b)
		got := next(t, kernel)
		if took := time.Since(start); took < delay || !bytes.Equal(got, b) {
			t.Errorf("%d of %d bytes after %v", len(got), len(b), took)
		}
	}
}

func TestRouterKeepsOrder(t *testing.T) {
	_, _, kernel := routed(t, Link{Delay: 5 * time.Millisecond, Jitter: 5 * time.Millisecond})
	for i := range byte(100) {
		put(t, kernel, datagram(fra4, nyc4, i))
	}
	for i := range byte(100) {
		if got := next(t, kernel)[20]; got != i {
			t.Fatalf("packet %d came as number %d", got, i)
		}
	}
}

// What the router knows no link for passes at once: within a site, to and
// from strangers, and what is no IP at all.
func TestRouterPassesWhatHasNoLink(t *testing.T) {
	n, r, kernel := routed(t, Link{Delay: time.Hour})
	put(t, kernel, datagram(fra4, nyc4, 0)) // under way for an hour
	stranger := netip.MustParseAddr("203.0.113.9")
	for _, b := range [][]byte{
		datagram(fra4, fra4.Next(), 1), datagram(stranger, nyc4, 2), datagram(fra4, stranger, 3), {9, 9, 9}, datagram(fra4, nyc4)[:19],
	} {
		put(t, kernel, b)
		if got := next(t, kernel); !bytes.Equal(got, b) {
			t.Errorf("got %x, want %x", got, b)
		}
	}
	r.Close() // what is out is counted a moment later
	if got := n.Stats().Packets["straight"]; got != 5 {
		t.Errorf("%d packets went straight, want 5", got)
	}
}

func TestRouterObeysCutsAtOnce(t *testing.T) {
	n, _, kernel := routed(t, Link{Delay: 2 * time.Millisecond})
	put(t, kernel, datagram(fra4, nyc4, 1))
	next(t, kernel)
	n.Cut("fra", "nyc")
	put(t, kernel, datagram(fra4, nyc4, 2))
	put(t, kernel, datagram(fra4, fra4.Next(), 3)) // behind it: when this is out, the cut one is gone
	if got := next(t, kernel)[20]; got != 3 {
		t.Errorf("packet %d passed a cut", got)
	}
	n.Heal("fra", "nyc")
	put(t, kernel, datagram(fra4, nyc4, 4))
	if got := next(t, kernel)[20]; got != 4 {
		t.Errorf("packet %d came after healing, want 4", got)
	}
	if got := n.Stats().Packets["cut"]; got != 1 {
		t.Errorf("%d packets were cut, want 1", got)
	}
}

func TestLongestPrefixWins(t *testing.T) {
	n := New(1)
	defer n.Close()
	for p, s := range map[string]Site{"0.0.0.0/0": "world", "192.0.2.0/24": "old", "192.0.2.64/26": "nyc", "2001:db8::/32": "six"} {
		n.SetPrefix(netip.MustParsePrefix(p), s)
	}
	n.SetPrefix(netip.MustParsePrefix("192.0.2.9/24"), "fra") // the same prefix again
	n.SetSite(netip.MustParseAddrPort("192.0.2.65:0"), "desk")
	for a, want := range map[string]Site{
		"192.0.2.1": "fra", "192.0.2.64": "nyc", "192.0.2.65": "desk", "192.0.2.128": "fra", "9.9.9.9": "world", "2001:db8::1": "six", "::1": "",
	} {
		if got, _ := n.site(netip.AddrPortFrom(netip.MustParseAddr(a), 80)); got != want {
			t.Errorf("%s is at %q, want %q", a, got, want)
		}
	}
}

func TestRouterEnds(t *testing.T) {
	before := runtime.NumGoroutine()
	n, r, kernel := routed(t, Link{Delay: time.Hour})
	put(t, kernel, datagram(fra4, nyc4, 1))
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if _, err := kernel.Write([]byte{1}); err == nil {
		t.Error("the device is still open")
	}
	n.Close()
	if r, err := n.Router(kernel); err == nil {
		r.Close()
		t.Error("a closed network took a router")
	}
	settle(t, before)
}

// A device that goes away ends the router, and Close says why.
func TestRouterTellsThatItsDeviceIsGone(t *testing.T) {
	_, r, kernel := routed(t, Link{})
	kernel.Close()
	<-r.ended
	if err := r.Close(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("close: %v", err)
	}
}

func FuzzEnds(f *testing.F) {
	for _, b := range [][]byte{nil, datagram(fra4, nyc4), datagram(fra6, nyc6), {4 << 4}, {6 << 4}} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		src, dst, ok := ends(b)
		if ok != (src.IsValid() && dst.IsValid()) || ok && !bytes.Contains(b, append(src.AsSlice(), dst.AsSlice()...)) {
			t.Errorf("%x: %v, %v, %v", b, src, dst, ok)
		}
	})
}
