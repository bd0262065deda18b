package path

import (
	"net/netip"
	"testing"
)

// TestTheFirstWayHasAReason: a relay is told apart from an address that
// answers.
func TestTheFirstWayHasAReason(t *testing.T) {
	direct := &candidate{way: Way{Addr: netip.MustParseAddrPort("192.0.2.1:51820")}, life: Gone}
	relayed := &candidate{way: Way{Via: "lon1"}, life: Living}
	p := &peer{ways: []*candidate{direct, relayed}}
	if got := p.atFirst(relayed); got != "no direct way answers" {
		t.Errorf("by a relay: %q", got)
	}
	direct.life = Living
	for _, c := range p.ways {
		if got := p.atFirst(c); got != "it answers" {
			t.Errorf("by %v: %q", c.way, got)
		}
	}
}
