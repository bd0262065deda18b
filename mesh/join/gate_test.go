package join

import (
	"net/netip"
	"testing"
	"time"
)

// stay is for visits that nobody ends.
func stay(t *testing.T) func() { return func() { t.Error("a visit was ended") } }

func TestGateCountsByVisitor(t *testing.T) {
	var g gate
	now := time.Unix(1e9, 0)
	a, b := netip.MustParseAddr("2001:db8:0:1::1"), netip.MustParseAddr("2001:db8:0:1::2") // one party's
	c := netip.MustParseAddr("198.51.100.7")
	var last *visit
	for i := range maxOpenEach {
		v, ok := g.enter([]netip.Addr{a, b}[i%2], now, stay(t))
		if !ok {
			t.Fatalf("visit %d refused", i)
		}
		last = v
	}
	if _, ok := g.enter(a, now, stay(t)); ok {
		t.Error("one too many at once")
	}
	if v, ok := g.enter(c, now, stay(t)); !ok {
		t.Error("another visitor is refused")
	} else {
		v.leave()
	}
	last.leave()
	for i := range maxMinuteEach - maxOpenEach {
		v, ok := g.enter(b, now, stay(t))
		if !ok {
			t.Fatalf("visit %d of the minute refused", i)
		}
		v.leave()
	}
	if _, ok := g.enter(b, now.Add(59*time.Second), stay(t)); ok {
		t.Error("one too many in a minute")
	}
	if v, ok := g.enter(b, now.Add(time.Minute), stay(t)); !ok {
		t.Error("refused in the next minute")
	} else {
		v.leave()
	}
	if len(g.parties) != 2 { // 64 bits and 48
		t.Errorf("%d parties remembered, one visitor is here", len(g.parties))
	}
}

// Who has 48 bits of IPv6 has 65536 visitors' worth of addresses.
func TestGateCountsSites(t *testing.T) {
	var g gate
	now := time.Unix(1e9, 0)
	site := func(subnet int) netip.Addr {
		return netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 0, 1, byte(subnet >> 8), byte(subnet), 15: 1})
	}
	in := 0
	for i := range 1 << 10 {
		if _, ok := g.enter(site(i), now, stay(t)); ok {
			in++
		}
	}
	if in != maxOpenSite {
		t.Errorf("a site has %d conversations, want %d", in, maxOpenSite)
	}
	if _, ok := g.enter(netip.MustParseAddr("2001:db8:2::1"), now, stay(t)); !ok {
		t.Error("the site beside it is refused")
	}
}

// 64 addresses with four silent conversations each once held the gate.
func TestSilentStrangersGiveWay(t *testing.T) {
	var g gate
	now := time.Unix(1e9, 0)
	var left []int
	var in []*visit
	for i := range maxOpen {
		v, ok := g.enter(netip.AddrFrom4([4]byte{10, 0, 0, byte(i / maxOpenEach)}), now, func() { left = append(left, i) })
		if !ok {
			t.Fatalf("visit %d refused", i)
		}
		in = append(in, v)
	}
	in[0].heard()  // behind all others
	in[1].proved() // stays
	guest := netip.MustParseAddr("198.51.100.7")
	for range 2 {
		if _, ok := g.enter(guest, now, stay(t)); !ok {
			t.Fatal("the guest is refused")
		}
	}
	if len(left) != 2 || left[0] != 2 || left[1] != 3 {
		t.Errorf("%v gave way, want those who were silent longest: 2 and 3", left)
	}
	in[2].leave() // when it notices
	if g.open != maxOpen || g.strangers.Len() != maxOpen-1 {
		t.Errorf("%d open, %d strangers", g.open, g.strangers.Len())
	}
	if _, ok := g.enter(netip.AddrFrom4([4]byte{10, 0, 0, 0}), now, stay(t)); !ok {
		t.Error("who gave way still counts for his address")
	}
}

func TestGateIsBounded(t *testing.T) {
	var g gate
	now := time.Unix(1e9, 0)
	addr := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}) }
	for i := range 2 * maxParties {
		v, ok := g.enter(addr(i), now, stay(t))
		if !ok {
			t.Fatalf("visitor %d is refused: others fill the table", i)
		}
		if len(g.parties) > maxParties {
			t.Fatalf("%d parties are counted", len(g.parties))
		}
		if i < maxOpen-1 {
			v.proved() // one place stays free
		} else {
			v.leave()
		}
	}
	if v, ok := g.enter(addr(-1), now, stay(t)); !ok {
		t.Error("the last place is refused")
	} else {
		v.proved()
	}
	if _, ok := g.enter(addr(-2), now.Add(time.Minute), stay(t)); ok || g.open != maxOpen {
		t.Errorf("who has proved a secret gives way: %d open", g.open)
	}
}
