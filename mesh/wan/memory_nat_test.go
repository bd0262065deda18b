package wan

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

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
