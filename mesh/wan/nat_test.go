package wan

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"
)

var (
	face = netip.MustParseAddr("203.0.113.1")
	home = netip.MustParseAddrPort("10.0.0.2:5000")
	x1   = netip.MustParseAddrPort("198.51.100.1:1000")
	x2   = netip.MustParseAddrPort("198.51.100.1:2000") // another port
	y1   = netip.MustParseAddrPort("198.51.100.2:1000") // another address
)

// The nine combinations of RFC 4787, 4.1 and 5: to whom the binding that was
// made by a packet to x1 is the same, and whose packets it lets in.
func TestMappingAndFiltering(t *testing.T) {
	alike := map[Dependence]map[netip.AddrPort]bool{
		Independent:      {x1: true, x2: true, y1: true},
		OnAddress:        {x1: true, x2: true, y1: false},
		OnAddressAndPort: {x1: true, x2: false, y1: false},
	}
	for mapping, same := range alike {
		for filtering, enters := range alike {
			for _, other := range []netip.AddrPort{x1, x2, y1} {
				n := newTranslator(NAT{Public: face, Mapping: mapping, Filtering: filtering})
				first, ok := n.leave(home, x1, epoch)
				if !ok || first != netip.AddrPortFrom(face, home.Port()) {
					t.Fatalf("leaves as %v", first)
				}
				in, ok := n.enter(other, first.Port(), epoch)
				if ok != enters[other] || ok && in != home {
					t.Errorf("mapping %d, filtering %d: from %v to %v, %v", mapping, filtering, other, in, ok)
				}
				if again, ok := n.leave(home, other, epoch); !ok || again.Addr() != face || (again == first) != same[other] {
					t.Errorf("mapping %d: to %v as %v, to x1 as %v", mapping, other, again, first)
				}
			}
		}
	}
}

func TestKindsOfNAT(t *testing.T) {
	for n, want := range map[NAT][2]Dependence{
		FullCone(face):          {Independent, Independent},
		AddressRestricted(face): {Independent, OnAddress},
		PortRestricted(face):    {Independent, OnAddressAndPort},
		Symmetric(face):         {OnAddressAndPort, OnAddressAndPort},
	} {
		if n.Mapping != want[0] || n.Filtering != want[1] || n.Public != face || n.Check() != nil {
			t.Errorf("%+v", n)
		}
	}
}

func TestOneToOneKeepsPortsAndLetsAllIn(t *testing.T) {
	n := newTranslator(OneToOne(face, home.Addr()))
	if in, ok := n.enter(x1, 77, epoch); !ok || in != netip.AddrPortFrom(home.Addr(), 77) {
		t.Errorf("unasked: %v, %v", in, ok)
	}
	if out, ok := n.leave(home, x1, epoch); !ok || out != netip.AddrPortFrom(face, home.Port()) {
		t.Errorf("out: %v, %v", out, ok)
	}
	if out, ok := n.leave(netip.MustParseAddrPort("10.0.0.3:1"), x1, epoch); ok {
		t.Errorf("another inside address left as %v", out)
	}
}

// RFC 4787, 4.3: packets from inside keep a binding alive, those from outside
// do not.
func TestBindingsTimeOut(t *testing.T) {
	n := newTranslator(PortRestricted(face))
	at := epoch
	out, _ := n.leave(home, x1, at)
	for range 10 {
		at = at.Add(NATTimeout - 1)
		if _, ok := n.enter(x1, out.Port(), at); !ok {
			t.Fatal("a binding in use is gone")
		}
		n.leave(home, x1, at)
	}
	for range 3 {
		at = at.Add(NATTimeout / 2)
		n.enter(x1, out.Port(), at)
	}
	if _, ok := n.enter(x1, out.Port(), at); ok {
		t.Error("packets from outside kept the binding alive")
	}
	if again, ok := n.leave(home, x1, at); !ok || again != out {
		t.Errorf("the port is free again, but %v was given", again)
	}
}

// What a filter lets in is forgotten by itself, also while the binding lives.
func TestFiltersTimeOut(t *testing.T) {
	n := newTranslator(AddressRestricted(face))
	out, _ := n.leave(home, y1, epoch)
	for i := range 4 {
		n.leave(home, x1, epoch.Add(time.Duration(i)*NATTimeout/2))
	}
	now := epoch.Add(2 * NATTimeout)
	if _, ok := n.enter(y1, out.Port(), now); ok {
		t.Error("y was let in long after it was last sent to")
	}
	if _, ok := n.enter(x1, out.Port(), now); !ok {
		t.Error("x was not let in")
	}
}

// Two inside with the same port get two ports, and no two bindings ever share
// one (RFC 4787, 4.2.1, REQ-3).
func TestPortsAreNeverShared(t *testing.T) {
	n := newTranslator(Symmetric(face))
	seen := map[uint16]bool{}
	for i := range 20_000 {
		to := netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 18, byte(i >> 8), byte(i)}), 53)
		out, ok := n.leave(home, to, epoch)
		if !ok || seen[out.Port()] || out.Port() == 0 {
			t.Fatalf("binding %d: %v, %v", i, out, ok)
		}
		seen[out.Port()] = true
		if in, ok := n.enter(to, out.Port(), epoch); !ok || in != home {
			t.Fatalf("binding %d: back to %v, %v", i, in, ok)
		}
	}
}

func TestDeadBindingsMakeRoom(t *testing.T) {
	n := newTranslator(Symmetric(face))
	at := epoch
	for i := range 200_000 { // three times as many as there are ports
		var to [4]byte
		binary.BigEndian.PutUint32(to[:], uint32(i))
		if _, ok := n.leave(home, netip.AddrPortFrom(netip.AddrFrom4(to), 53), at); !ok {
			t.Fatalf("no port for binding %d", i)
		}
		at = at.Add(50 * time.Millisecond)
	}
	if len(n.out) > 20_000 || len(n.out) != len(n.in) {
		t.Errorf("%d and %d bindings are kept", len(n.out), len(n.in))
	}
}

func TestNoPortsLeft(t *testing.T) {
	n := newTranslator(FullCone(face))
	for port := range 1 << 16 {
		if out, ok := n.leave(netip.AddrPortFrom(home.Addr(), uint16(port)), x1, epoch); !ok || out.Port() != uint16(port) {
			t.Fatalf("port %d left as %v, %v", port, out, ok)
		}
	}
	neighbour := netip.AddrPortFrom(home.Addr().Next(), 5000)
	if out, ok := n.leave(neighbour, x1, epoch); ok {
		t.Errorf("a port was taken from who has it: %v", out)
	}
	later := epoch.Add(NATTimeout)
	if _, ok := n.leave(neighbour, x1, later); !ok || len(n.out) != len(n.in) {
		t.Errorf("%v, %d and %d bindings when all others are dead", ok, len(n.out), len(n.in))
	}
}

func TestCheckRefusesNATs(t *testing.T) {
	for _, n := range []NAT{
		{}, {Public: face, Inside: netip.MustParseAddr("::1")}, {Public: face, Mapping: 3}, {Public: face, Filtering: 9}, {Public: face, Timeout: -1},
	} {
		if n.Check() == nil {
			t.Errorf("%+v was taken", n)
		}
	}
}

// Whatever comes from either side: ports are not shared, and nobody is let in
// to whom the inside has not sent in time.
func FuzzTranslator(f *testing.F) {
	f.Add([]byte{0x00, 0x11, 0x92, 0xa3, 0x44, 0xff}, uint8(0), uint8(2))
	f.Add([]byte{0x01, 0x81, 0xf0, 0x01, 0x81}, uint8(2), uint8(2))
	f.Add([]byte{0x09, 0x8a, 0x70, 0x70, 0x8b}, uint8(1), uint8(1))
	f.Fuzz(func(t *testing.T, steps []byte, mapping, filtering uint8) {
		kind := NAT{Public: face, Mapping: Dependence(mapping % 3), Filtering: Dependence(filtering % 3)}
		n := newTranslator(kind)
		type pair struct{ in, out netip.AddrPort }
		sent := map[pair]time.Time{}
		var ports []uint16
		now := epoch
		for _, s := range steps {
			now = now.Add(time.Duration(s>>4&7) * 10 * time.Second)
			far := netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 51, 100, s & 1}), 1000+uint16(s>>1&1))
			if s < 0x80 {
				in := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, s >> 2 & 1}), 5000+uint16(s>>3&1))
				out, ok := n.leave(in, far, now)
				if !ok || out.Addr() != face {
					t.Fatalf("%v to %v left as %v, %v", in, far, out, ok)
				}
				sent[pair{in, far}] = now
				ports = append(ports, out.Port())
			} else if len(ports) > 0 {
				in, ok := n.enter(far, ports[int(s>>2)%len(ports)], now)
				var asked bool
				for p, at := range sent {
					asked = asked || p.in == in && now.Sub(at) < NATTimeout && kind.Filtering.of(p.out) == kind.Filtering.of(far)
				}
				if ok && !asked {
					t.Fatalf("%v was let in to %v", far, in)
				}
			}
			for port, b := range n.in {
				if b.port != port || n.out[b.flow] != b || len(n.in) != len(n.out) {
					t.Fatalf("port %d: %+v", port, b)
				}
			}
		}
	})
}
