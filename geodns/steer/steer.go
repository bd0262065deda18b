package steer

import (
	"cmp"
	"slices"

	"landfall"
)

// Choice is what Choose decided for one client.
type Choice struct {
	Named   []Edge // to be told to the client, best first
	LeftOut []Edge // the rest, in the same order
	Basis   Basis  // which edges are in Named
	From    From   // what the distances are measured from
}

// Edge is one edge as the client sees it.
type Edge struct {
	ID       landfall.NodeID
	Region   landfall.RegionID
	Distance float64 // kilometres of great circle from the client, or from home
	Draining bool
	Up       bool
}

// Basis says which edges were fit to be named. The first that applies is
// taken.
type Basis string

// The bases, best first.
const (
	// Healthy: those active edges that are up.
	Healthy Basis = "active edges that are up"
	// Blind: all active edges, since none is up. If we are the ones who
	// cannot see, taking edges out would do the harm that we fear.
	Blind Basis = "all active edges, for none is up"
	// LastResort: draining edges that are up, since no edge is active.
	LastResort Basis = "draining edges that are up, for none is active"
	// BlindLastResort: all draining edges, since no edge is active or up.
	BlindLastResort Basis = "all draining edges, for none is active or up"
	// Nothing: the map has no edge.
	Nothing Basis = "the map has no edge"
)

// From says what distances are measured from.
type From string

// The points of measurement.
const (
	FromClient From = "the client's place"
	// FromHome is for clients of whom nothing is known: their requests end in
	// the home region anyway, so its edges cannot be a great detour.
	FromHome From = "the home region, for the client's place is unknown"
)

// Choose ranks the edges of m for a client at loc: nearest by great circle
// first, those of the home region first among equals for clients of whom
// nothing is known, then by id. An edge that is down is not named while
// another is up, and one that drains is not named while any is active.
func Choose(m *landfall.Map, loc landfall.Location, up func(landfall.NodeID) bool) Choice {
	home, _ := m.Home()
	c := Choice{From: FromClient}
	origin := loc.Place
	if !loc.Known {
		c.From, origin = FromHome, home.Place
	}
	edges := candidates(m, origin, up)
	c.Basis = basis(edges)
	slices.SortFunc(edges, func(a, b Edge) int {
		return cmp.Or(
			compareBool(c.Basis.fits(a), c.Basis.fits(b)),
			compareBool(!loc.Known && a.Region == home.ID, !loc.Known && b.Region == home.ID),
			cmp.Compare(a.Distance, b.Distance),
			cmp.Compare(a.ID, b.ID),
		)
	})
	named := len(edges)
	for named > 0 && !c.Basis.fits(edges[named-1]) {
		named--
	}
	c.Named, c.LeftOut = edges[:named:named], edges[named:]
	return c
}

// candidates are the edges that are not gone, seen from a point.
func candidates(m *landfall.Map, from landfall.Place, up func(landfall.NodeID) bool) []Edge {
	edges := make([]Edge, 0, len(m.Nodes))
	for n := range m.Having(landfall.RoleEdge) {
		region, _ := m.Region(n.Region)
		edges = append(edges, Edge{
			ID:       n.ID,
			Region:   n.Region,
			Distance: from.Distance(region.Place),
			Draining: n.EffectiveState() == landfall.Draining,
			Up:       up(n.ID),
		})
	}
	return edges
}

// basis is the best basis that fits any edge.
func basis(edges []Edge) Basis {
	for _, b := range []Basis{Healthy, Blind, LastResort, BlindLastResort} {
		if slices.ContainsFunc(edges, b.fits) {
			return b
		}
	}
	return Nothing
}

func (b Basis) fits(e Edge) bool {
	switch b {
	case Healthy:
		return !e.Draining && e.Up
	case Blind:
		return !e.Draining
	case LastResort:
		return e.Up
	default:
		return true
	}
}

// compareBool puts true first.
func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	default:
		return 1
	}
}
