package world

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"landfall"
	"landfall/mesh/wan"
)

// Leg is the distance between two regions.
type Leg struct {
	A, B landfall.RegionID
	RTT  time.Duration // round trip; half of it each way
}

// DefaultOcean is what lies between Frankfurt, New York and Singapore.
func DefaultOcean() []Leg {
	return []Leg{
		{"fra", "nyc", 140 * time.Millisecond},
		{"fra", "sin", 160 * time.Millisecond},
		{"nyc", "sin", 230 * time.Millisecond},
	}
}

// maxRTT is farther than by way of a geostationary satellite. With more, the
// timeouts of a network on this Earth would be too short.
const maxRTT = time.Second

// ParseLeg reads "fra-nyc=140ms" for a network with the given regions.
func ParseLeg(s string, regions []landfall.Region) (Leg, error) {
	const want = "want REGION-REGION=ROUNDTRIP such as fra-nyc=140ms"
	pair, rtt, ok := strings.Cut(s, "=")
	a, b, both := strings.Cut(pair, "-")
	if !ok || !both {
		return Leg{}, fmt.Errorf("ocean %q: %s", s, want)
	}
	l := Leg{A: landfall.RegionID(a), B: landfall.RegionID(b)}
	for _, id := range []landfall.RegionID{l.A, l.B} {
		if !slices.ContainsFunc(regions, func(r landfall.Region) bool { return r.ID == id }) {
			return Leg{}, fmt.Errorf("ocean %q: there is no region %q", s, id)
		}
	}
	var err error
	if l.RTT, err = time.ParseDuration(rtt); err != nil {
		return Leg{}, fmt.Errorf("ocean %q: %q is not a duration (%s)", s, rtt, want)
	}
	switch {
	case l.A == l.B:
		return Leg{}, fmt.Errorf("ocean %q: a region is no ocean away from itself", s)
	case l.RTT < 0 || l.RTT > maxRTT:
		return Leg{}, fmt.Errorf("ocean %q: a round trip takes from 0s to %v", s, maxRTT)
	}
	return l, nil
}

// site is where a region's nodes stand.
func site(r landfall.RegionID) wan.Site { return wan.Site(r) }

// flood puts the oceans between the nodes of a map.
func flood(n *wan.Network, m *landfall.Map, legs []Leg) error {
	for _, node := range m.Nodes {
		for _, a := range node.Listens() {
			n.SetSite(anyPort(a), site(node.Region))
		}
	}
	for _, l := range legs {
		if err := n.Connect(site(l.A), site(l.B), wan.Link{Delay: l.RTT / 2}); err != nil {
			return fmt.Errorf("ocean: %w", err)
		}
	}
	return nil
}

// rtt is the round trip between two regions; 0 within one.
func rtt(legs []Leg, a, b landfall.RegionID) time.Duration {
	for _, l := range slices.Backward(legs) { // later ones overrule
		if l.A == a && l.B == b || l.A == b && l.B == a {
			return l.RTT
		}
	}
	return 0
}
