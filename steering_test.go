package landfall

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestShares(t *testing.T) {
	for text, want := range map[string]Share{"0.5%": 0.005, "0%": 0, "100%": 1, "12.5 %": 0.125} {
		got, err := ParseShare(text)
		if err != nil || got != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
		if again, err := ParseShare(got.String()); err != nil || again != got {
			t.Errorf("%v is written %s, and that is read as %v, %v", got, got, again, err)
		}
	}
	for _, text := range []string{"", "%", "0.5", "101%", "-1%", "NaN%", "Inf%", "half%"} {
		if s, err := ParseShare(text); err == nil {
			t.Errorf("%q is read as %v", text, s)
		}
	}
}

// Whichever of two prefixes comes first, that they overlap is seen, once.
func TestOverlapsAreSeenInAnyOrder(t *testing.T) {
	wide, narrow, apart := netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("11.0.0.0/8")
	for _, order := range [][]netip.Prefix{{wide, narrow, apart}, {narrow, apart, wide}, {apart, narrow, wide}, {narrow, narrow, apart}} {
		c := checker{m: &Map{}}
		for _, p := range order {
			c.m.Overrides = append(c.m.Overrides, Override{Prefix: p, Country: "DE"})
		}
		if c.overrides(); len(c.faults) != 1 {
			t.Errorf("%v: %v", order, c.faults)
		}
	}
}

// Of addresses that stand for others it is the others that are meant.
func TestPrefixesOfOtherAddressesAreRefused(t *testing.T) {
	for text, fine := range map[string]bool{
		"2002:cb00:7100::/40": false, "64:ff9b::cb00:7100/120": false, "::ffff:203.0.113.0/120": false, "203.0.113.1/24": false,
		"2001:db8::/32": true, "203.0.113.0/24": true, "2000::/3": true, "64:ff9b:1::/48": true,
	} {
		c := checker{m: &Map{Overrides: []Override{{Prefix: netip.MustParsePrefix(text), Country: "DE"}}}}
		if c.overrides(); (len(c.faults) == 0) != fine {
			t.Errorf("%s: %v", text, c.faults)
		}
	}
}

func TestAnEdgeWithoutACeilingAmongOthers(t *testing.T) {
	m := &Map{Nodes: []Node{
		{ID: "a", Roles: []Role{RoleEdge}, Ceiling: 10},
		{ID: "b", Roles: []Role{RoleEdge}},
		{ID: "c", Roles: []Role{RoleDNS}},
		{ID: "d", Roles: []Role{RoleEdge}, State: Gone},
	}}
	c := checker{m: m}
	if c.ceilings(); len(c.faults) != 1 || !strings.Contains(c.faults[0].Error(), `"b"`) {
		t.Errorf("faults: %v", c.faults)
	}
	m.Steering.Ceiling = 5
	c = checker{m: m}
	if c.ceilings(); len(c.faults) != 0 {
		t.Errorf("with a ceiling for all: %v", c.faults)
	}
	if n, ok := m.EffectiveCeiling(m.Nodes[1]); n != 5 || !ok {
		t.Errorf("ceiling %d, %t", n, ok)
	}
}

func TestClientPrefixes(t *testing.T) {
	for addr, want := range map[string]string{
		"192.0.2.77":        "192.0.2.0/24",
		"::ffff:192.0.2.77": "192.0.2.0/24",
		"2001:db8:1:2::3":   "2001:db8:1::/48",
		"fe80::1%eth0":      "fe80::/48",
	} {
		if got := ClientPrefix(netip.MustParseAddr(addr)); got != netip.MustParsePrefix(want) {
			t.Errorf("%s: %v, want %s", addr, got, want)
		}
	}
	if got := ClientPrefix(netip.Addr{}); got.IsValid() {
		t.Errorf("no address: %v", got)
	}
}

// A copy shares nothing that could be written to.
func TestClonesOfPreferences(t *testing.T) {
	m := &Map{Preferences: []Preference{{Country: "BR", Regions: []RegionID{"nyc"}}}, Overrides: []Override{{ASN: 1}}}
	c := m.Clone()
	c.Preferences[0].Regions[0], c.Overrides[0].ASN = "fra", 2
	if m.Preferences[0].Regions[0] != "nyc" || m.Overrides[0].ASN != 1 {
		t.Error("a clone is written through")
	}
}

func TestCountriesAreThoseThatDatabasesKnow(t *testing.T) {
	for code, fine := range map[string]bool{"DE": true, "ZW": true, "AD": true, "XK": true, "UK": false, "XX": false, "de": false, "D": false, "D ": false, " D": false, "DEU": false} {
		c := checker{m: &Map{}}
		if c.country("x", "override", code); (len(c.faults) == 0) != fine {
			t.Errorf("%q: %v", code, c.faults)
		}
	}
	c := checker{m: &Map{}}
	if c.country("x", "override", "UK"); !strings.Contains(c.faults[0].Cure, `"GB"`) {
		t.Errorf("cure %q", c.faults[0].Cure)
	}
}

func TestProbesCannotBeImpatient(t *testing.T) {
	for _, h := range []Health{
		{Interval: time.Second, Timeout: 2 * time.Second}, {Interval: time.Millisecond}, {Rise: -1}, {Fall: 101},
		{Probe: "ping"}, {Path: "x"}, {Path: "/a b"}, {Probe: ProbeTCP, Path: "/x"}, {Path: "//host/x"},
	} {
		c := checker{m: &Map{Health: h}}
		if c.health(); len(c.faults) == 0 {
			t.Errorf("%+v has no fault", h)
		}
	}
	c := checker{m: &Map{Health: Health{Path: "/health?x=1", Interval: 2 * time.Second, Timeout: 6 * time.Second}}}
	if c.health(); len(c.faults) != 0 {
		t.Error(c.faults)
	}
}

func TestMoreEdgesThanPlansAreMadeForAreRefused(t *testing.T) {
	m := sound()
	for i := len(m.Nodes); i < MaxEdges; i++ {
		m.Nodes = append(m.Nodes, Node{ID: NodeID(fmt.Sprint("more", i)), Region: "fra", Roles: []Role{RoleEdge}})
	}
	c := checker{m: m}
	if c.edges(); len(c.faults) != 0 {
		t.Errorf("%d edges: %v", MaxEdges, c.faults)
	}
	m.Nodes = append(m.Nodes, Node{ID: "gone", Roles: []Role{RoleEdge}, State: Gone}, Node{ID: "one", Roles: []Role{RoleEdge}}, Node{ID: "two", Roles: []Role{RoleEdge}})
	if c.edges(); len(c.faults) != 1 || !strings.Contains(c.faults[0].Error(), `"one" is edge number 501`) {
		t.Errorf("more: %v", c.faults)
	}
}
