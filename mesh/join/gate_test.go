package join

import (
	"net/netip"
	"testing"
	"time"
)

func TestGateCountsByVisitor(t *testing.T) {
	var g gate
	now := time.Unix(1e9, 0)
	a, b := netip.MustParseAddr("2001:db8:0:1::1"), netip.MustParseAddr("2001:db8:0:1::2") // one party's
	c := netip.MustParseAddr("198.51.100.7")
	var leave func()
	for i := range maxOpenEach {
		l, ok := g.enter([]netip.Addr{a, b}[i%2], now)
		if !ok {
			t.Fatalf("visit %d refused", i)
		}
		leave = l
	}
	if _, ok := g.enter(a, now); ok {
		t.Error("one too many at once")
	}
	if l, ok := g.enter(c, now); !ok {
		t.Error("another visitor is refused")
	} else {
		l()
	}
	leave()
	for i := range maxMinuteEach - maxOpenEach {
		l, ok := g.enter(b, now)
		if !ok {
			t.Fatalf("visit %d of the minute refused", i)
		}
		l()
	}
	if _, ok := g.enter(b, now.Add(59*time.Second)); ok {
		t.Error("one too many in a minute")
	}
	if l, ok := g.enter(b, now.Add(time.Minute)); !ok {
		t.Error("refused in the next minute")
	} else {
		l()
	}
	if len(g.visitors) != 1 {
		t.Errorf("%d visitors remembered, one is here", len(g.visitors))
	}
}

func TestGateIsBounded(t *testing.T) {
	var g gate
	now := time.Unix(1e9, 0)
	in := 0
	for i := range 2 * maxVisitors {
		l, ok := g.enter(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), now)
		if ok {
			in++
			if in > maxOpen {
				l()
			} else if in == maxOpen {
				l() // one place stays free
			}
		}
	}
	if in != maxVisitors || len(g.visitors) != maxVisitors {
		t.Errorf("%d came in, %d are remembered", in, len(g.visitors))
	}
	if _, ok := g.enter(netip.MustParseAddr("192.0.2.1"), now.Add(time.Minute)); !ok {
		t.Error("refused in the next minute")
	}
	if _, ok := g.enter(netip.MustParseAddr("192.0.2.2"), now.Add(time.Minute)); ok {
		t.Error("more are open than may be")
	}
}
