package steer

import (
	"slices"

	"landfall"
)

// Choice is what was decided for one client.
type Choice struct {
	Named   []Edge // may be told to the client, best first
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

// Choose ranks the edges of m for a client of whom no more than loc is known.
func Choose(m *landfall.Map, loc landfall.Location, up func(landfall.NodeID) bool) Choice {
	return NewRanker(m).Choose(Client{Location: loc}, up)
}

// Choose ranks the edges for a client. One that is down is not named while
// another is up, and one that drains is not named while any is active.
func (r *Ranker) Choose(client Client, up func(landfall.NodeID) bool) Choice {
	c := Choice{From: FromClient}
	if !client.Location.Known {
		c.From = FromHome
	}
	var fits []bool
	fits, c.Basis = r.Fit(up)
	view := r.View(client)
	for _, i := range r.Rank(view) {
		e := r.edges[i]
		e.Distance, e.Up = view.Distances[i], up(e.ID)
		if fits[i] {
			c.Named = append(c.Named, e)
		} else {
			c.LeftOut = append(c.LeftOut, e)
		}
	}
	return c
}

// Fit tells which edges may be named, by index, and why these.
func (r *Ranker) Fit(up func(landfall.NodeID) bool) ([]bool, Basis) {
	edges := slices.Clone(r.edges)
	for i, e := range edges {
		edges[i].Up = up(e.ID)
	}
	basis := basis(edges)
	fits := make([]bool, len(edges))
	for i, e := range edges {
		fits[i] = basis.fits(e)
	}
	return fits, basis
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
