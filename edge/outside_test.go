package edge

import (
	"net/netip"
	"testing"
	"time"

	"landfall"
)

// Behind 1:1 NAT, upstreams are told the address that clients know.
func TestUpstreamHearsTheAddressOutside(t *testing.T) {
	addrs := func(s ...string) (out []netip.Addr) {
		for _, a := range s {
			out = append(out, netip.MustParseAddr(a))
		}
		return out
	}
	for _, c := range []struct {
		bound, advertised []netip.Addr
		local, want       string
	}{
		{nil, addrs("203.0.113.7"), "203.0.113.7:443", "203.0.113.7:443"},
		{addrs("10.0.0.5"), addrs("203.0.113.7"), "10.0.0.5:443", "203.0.113.7:443"},
		{addrs("10.0.0.5"), addrs("203.0.113.7"), "[::ffff:10.0.0.5]:5432", "203.0.113.7:5432"},
		{addrs("10.0.0.5", "fd00::5"), addrs("203.0.113.7", "2001:db8::7"), "[fd00::5]:443", "[2001:db8::7]:443"},
		{addrs("10.0.0.5", "2001:db8::7"), addrs("203.0.113.7", "203.0.113.8", "2001:db8::7"), "10.0.0.5:443", "203.0.113.7:443"},
		{addrs("10.0.0.5"), addrs("203.0.113.7"), "127.0.0.1:443", "127.0.0.1:443"},
		{addrs("fd00::5"), addrs("203.0.113.7", "203.0.113.8"), "[fd00::5]:443", "[fd00::5]:443"},
	} {
		m := &landfall.Map{Nodes: []landfall.Node{{ID: "nyc1", Bound: c.bound, Advertised: c.advertised}}}
		v := newView(m, "nyc1", nil, time.Now())
		if got := v.public(netip.MustParseAddrPort(c.local)); got.String() != c.want {
			t.Errorf("bound %v, advertised %v: %v is %v, want %v", c.bound, c.advertised, c.local, got, c.want)
		}
	}
}
