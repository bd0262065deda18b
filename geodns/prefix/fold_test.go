package prefix

import (
	"fmt"
	"net/netip"
	"testing"
)

// IPv4 is the same wherever it is, and nothing else is in those places.
func TestIPv4InsideIPv6(t *testing.T) {
	p := netip.MustParsePrefix
	table := Build([]Leaf{
		{p("192.0.2.0/24"), 1}, {p("2000::/3"), 2}, {p("2002:c000:200::/40"), 3}, {p("::ffff:0:0/96"), 3}, {p("64:ff9b::/96"), 3}, {p("64:ff9b:1::/48"), 4},
	})
	for addr, want := range map[string]struct {
		label uint32
		bits  int
	}{
		"192.0.2.1":            {1, 24},
		"::ffff:192.0.2.1":     {1, 120},
		"64:ff9b::192.0.2.1":   {1, 120},
		"2002:c000:201::1":     {1, 40},
		"192.0.3.1":            {0, 24},
		"::ffff:192.0.3.1":     {0, 120},
		"2002:c000:301::1":     {0, 40},
		"2002::1":              {0, 17},
		"2003::1":              {2, 16}, // as far as 6to4 begins
		"2001:ffff::":          {2, 15},
		"2004::":               {2, 14},
		"::1":                  {0, 81},
		"64:ff9b:1::192.0.2.1": {4, 48},
		"64:ff9b::1:0:0":       {0, 96},
	} {
		if label, bits := table.Lookup(netip.MustParseAddr(addr)); label != want.label || bits != want.bits {
			t.Errorf("%s: %d, /%d, want %d, /%d", addr, label, bits, want.label, want.bits)
		}
	}
	// All of IPv4 is one: its places are as wide as what is around them.
	table = Build([]Leaf{{p("0.0.0.0/0"), 2}, {p("2000::/3"), 2}})
	for addr, bits := range map[string]int{"2002:1::": 3, "2000::": 3, "::ffff:1.2.3.4": 96, "1.2.3.4": 0, "64:ff9b::": 96} {
		if label, got := table.Lookup(netip.MustParseAddr(addr)); label != 2 || got != bits {
			t.Errorf("%s: %d, /%d, want 2, /%d", addr, label, got, bits)
		}
	}
}

func TestFold(t *testing.T) {
	for addr, want := range map[string]string{
		"::ffff:192.0.2.1": "192.0.2.1 96", "64:ff9b::192.0.2.1": "192.0.2.1 96", "2002:c000:201:5::9": "192.0.2.1 16", "::ffff:192.0.2.1%eth0": "192.0.2.1 96",
		"192.0.2.1": "", "::192.0.2.1": "", "2001::1": "", "64:ff9b:1::192.0.2.1": "", "64:ff9b::1:0:0": "", "::fffe:ffff:ffff": "",
	} {
		got := ""
		if v4, shift, ok := Fold(netip.MustParseAddr(addr)); ok {
			got = fmt.Sprint(v4, " ", shift)
		}
		if got != want {
			t.Errorf("%s: %q, want %q", addr, got, want)
		}
	}
	if _, _, ok := Fold(netip.Addr{}); ok {
		t.Error("no address holds IPv4")
	}
}
