package wan

import (
	"bytes"
	"net/netip"
	"os"
	"testing"
	"time"
)

var (
	desk   = netip.MustParseAddrPort("10.0.0.5:4000")
	couch  = netip.MustParseAddrPort("10.0.0.6:4000")
	public = netip.MustParseAddr("192.0.2.1") // at fra
	shop   = netip.MustParseAddrPort("198.51.100.1:80")
	other  = netip.MustParseAddrPort("198.51.100.1:81")
	bank   = netip.MustParseAddrPort("198.51.100.2:80")
)

// household is a router with hosts behind a NAT.
func household(t *testing.T, n NAT) *os.File {
	t.Helper()
	_, r, kernel := routed(t, Link{Delay: time.Millisecond})
	if err := r.SetNAT(n, desk.Addr(), couch.Addr()); err != nil {
		t.Fatal(err)
	}
	return kernel
}

// through sends a packet, and says how it comes out; the zero AddrPort is not
// at all.
func through(t *testing.T, kernel *os.File, protocol uint8, from, to netip.AddrPort) (src, dst netip.AddrPort) {
	t.Helper()
	m := made{protocol: protocol, src: from, dst: to, payload: []byte("hello")}
	if protocol == protoICMP {
		if m.icmp = icmpEcho; from.Port() == 0 {
			m.icmp, m.src = icmpEchoReply, netip.AddrPortFrom(from.Addr(), to.Port())
		}
	}
	put(t, kernel, m.bytes())
	end := made{protocol: protoUDP, src: netip.AddrPortFrom(nyc4, 9), dst: netip.AddrPortFrom(fra4.Next().Next(), 9), payload: []byte("end")}.bytes()
	put(t, kernel, end) // the same link, or a longer one
	b := next(t, kernel)
	if bytes.Equal(b, end) {
		return src, dst
	}
	sound(t, b)
	if got := next(t, kernel); !bytes.Equal(got, end) {
		t.Errorf("and then %x", got)
	}
	return endsOf(b)
}

// What each kind of NAT lets in after somebody inside sent to the shop, and
// whether the bank sees the same port (RFC 3489, 5; RFC 4787, 4.1 and 5).
func TestRouterNATKinds(t *testing.T) {
	for name, c := range map[string]struct {
		nat                      NAT
		fromBank, fromOther, own bool
	}{
		"full cone":       {FullCone(public), true, true, true},
		"restricted":      {AddressRestricted(public), false, true, true},
		"port restricted": {PortRestricted(public), false, false, true},
		"symmetric":       {Symmetric(public), false, false, false},
	} {
		for _, protocol := range []uint8{protoUDP, protoTCP} {
			kernel := household(t, c.nat)
			seen, to := through(t, kernel, protocol, desk, shop)
			if seen.Addr() != public || to != shop {
				t.Errorf("%s, %d: the shop sees %v", name, protocol, seen)
			}
			for src, in := range map[netip.AddrPort]bool{shop: true, bank: c.fromBank, other: c.fromOther} {
				if _, got := through(t, kernel, protocol, src, seen); got.IsValid() != in || in && got != desk {
					t.Errorf("%s, %d: from %v to %v", name, protocol, src, got)
				}
			}
			if again, _ := through(t, kernel, protocol, desk, bank); (again == seen) != c.own {
				t.Errorf("%s, %d: the bank sees %v, and the shop %v", name, protocol, again, seen)
			}
			if theirs, _ := through(t, kernel, protocol, couch, shop); theirs == seen || theirs.Addr() != public {
				t.Errorf("%s, %d: of two hosts the shop sees %v and %v", name, protocol, seen, theirs)
			}
			if _, got := through(t, kernel, protocol, shop, netip.AddrPortFrom(public, 1)); got.IsValid() {
				t.Errorf("%s, %d: a port that is nobody's leads to %v", name, protocol, got)
			}
		}
	}
}

func TestRouterNATCarriesEchoes(t *testing.T) {
	kernel := household(t, Symmetric(public))
	first, _ := through(t, kernel, protoICMP, desk, netip.AddrPortFrom(shop.Addr(), 0))
	second, _ := through(t, kernel, protoICMP, couch, netip.AddrPortFrom(shop.Addr(), 0))
	if first.Addr() != public || second.Addr() != public || first.Port() == second.Port() {
		t.Errorf("two hosts ask as %v and %v", first, second)
	}
	for id, want := range map[uint16]netip.AddrPort{first.Port(): desk, second.Port(): couch} {
		if _, got := through(t, kernel, protoICMP, netip.AddrPortFrom(shop.Addr(), 0), netip.AddrPortFrom(public, id)); got != want {
			t.Errorf("the answer to %d goes to %v, want %v", id, got, want)
		}
	}
	if _, got := through(t, kernel, protoICMP, shop, netip.AddrPortFrom(public, 0)); got.IsValid() {
		t.Errorf("somebody outside asks %v", got)
	}
}

// An error about a packet from inside finds its sender, who recognizes the
// packet; one from inside speaks of the packet as it was seen outside.
func TestRouterNATTranslatesErrors(t *testing.T) {
	kernel := household(t, FullCone(public))
	seen, _ := through(t, kernel, protoUDP, desk, shop)
	asked := made{protocol: protoUDP, src: seen, dst: shop, payload: []byte("hello")}.bytes()
	answer := icmpError(netip.AddrPortFrom(shop.Addr(), 0), seen, asked)
	put(t, kernel, answer)
	got := next(t, kernel)
	sound(t, got)
	_, dst, _ := ends(got)
	if src, to := endsOf(got[28:]); dst != desk.Addr() || src != desk || to != shop {
		t.Errorf("told %v about %v -> %v", dst, src, to)
	}
	came := made{protocol: protoUDP, src: shop, dst: desk, payload: []byte("hello")}.bytes()
	put(t, kernel, icmpError(desk, shop, came))
	got = next(t, kernel)
	sound(t, got)
	from, _, _ := ends(got)
	if src, to := endsOf(got[28:]); from != public || src != shop || to != seen {
		t.Errorf("%v told about %v -> %v", from, src, to)
	}
}

func icmpError(from, to netip.AddrPort, about []byte) []byte {
	m := made{protocol: protoICMP, src: netip.AddrPortFrom(from.Addr(), 0), dst: to, icmp: icmpUnreachable, payload: about}
	return m.bytes()
}

// Fragments follow the first one, in both directions.
func TestRouterNATCarriesFragments(t *testing.T) {
	kernel := household(t, FullCone(public))
	m := made{protocol: protoUDP, src: desk, dst: shop, flags: moreFragments, payload: make([]byte, 64)}
	put(t, kernel, m.bytes())
	src, _ := endsOf(next(t, kernel))
	rest := m
	rest.flags = 9
	put(t, kernel, rest.bytes())
	b := next(t, kernel)
	sound(t, b)
	if got, _, _ := ends(b); got != public || src.Addr() != public {
		t.Errorf("fragments from %v and %v", src, got)
	}
	m.src, m.dst, rest.src, rest.dst = shop, src, shop, src
	put(t, kernel, m.bytes())
	put(t, kernel, rest.bytes())
	for range 2 {
		b := next(t, kernel)
		sound(t, b)
		if _, got, _ := ends(b); got != desk.Addr() {
			t.Errorf("a fragment to %v", got)
		}
	}
	rest.src = bank
	if put(t, kernel, rest.bytes()); true {
		nothing(t, kernel, "a fragment of a packet that nobody saw")
	}
}

func TestRouterRefusesNATsInEachOthersPlace(t *testing.T) {
	_, r, _ := routed(t, Link{})
	if err := r.SetNAT(FullCone(public), desk.Addr()); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"the same public address": r.SetNAT(FullCone(public), couch.Addr()),
		"the same host":           r.SetNAT(FullCone(nyc4), desk.Addr()),
		"no address":              r.SetNAT(NAT{}, couch.Addr()),
		"a host of IPv6":          r.SetNAT(FullCone(nyc4), fra6),
	} {
		if err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

// Whatever comes out of the device, the router lives, and what it makes of it
// is no longer than what IP allows.
func FuzzRouterTakesAnything(f *testing.F) {
	for _, b := range [][]byte{
		{4<<4 | 5}, made{protocol: protoUDP, src: desk, dst: shop, payload: make([]byte, 600)}.bytes(),
		made{protocol: protoTCP, src: desk, dst: shop, flags: dontFragment, payload: make([]byte, 600)}.bytes(),
		made{protocol: protoICMP, icmp: icmpEcho, src: desk, dst: shop}.bytes(),
		icmpError(netip.AddrPortFrom(shop.Addr(), 0), netip.AddrPortFrom(public, 4000), made{protocol: protoUDP, src: netip.AddrPortFrom(public, 4000), dst: shop}.bytes()),
		made{protocol: protoUDP, src: from(nyc6), dst: from(fra6), payload: make([]byte, 600)}.bytes(),
	} {
		f.Add(b)
	}
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		f.Fatal(err)
	}
	defer null.Close()
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) == 0 {
			return // the end of a device, not a packet
		}
		n := New(1)
		defer n.Close()
		n.SetPrefix(netip.MustParsePrefix("0.0.0.0/1"), "fra")
		n.SetPrefix(netip.MustParsePrefix("128.0.0.0/1"), "nyc")
		n.SetPrefix(netip.MustParsePrefix("::/0"), "fra")
		n.SetPrefix(netip.MustParsePrefix("2001:db8:2::/48"), "nyc")
		n.Connect("fra", "nyc", Link{MTU: 100, ICMP: true, Duplicate: 0.5, Rate: 1000, Mark: 1})
		var r Router
		r.call, r.room = raw, 4
		r.furnish(n)
		if err := r.SetNAT(PortRestricted(public), desk.Addr(), couch.Addr()); err != nil {
			t.Fatal(err)
		}
		for _, warm := range [][]byte{made{protocol: protoUDP, src: desk, dst: shop}.bytes(), b, b} {
			r.take(int(null.Fd()), append([]byte(nil), warm...), time.Now())
		}
		for _, k := range r.queue {
			if k.at = time.Now(); len(k.b) > maxPacket {
				t.Errorf("a packet of %d bytes", len(k.b))
			}
		}
		r.flush(int(null.Fd()))
	})
}
