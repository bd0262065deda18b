package steer

import "slices"

// Order is all edges as they rank before those at one place draw: a few bytes
// an edge for clients at one place, however many prefixes they draw with.
type Order struct {
	Edges []uint16 // by index, the best first
	Tier  []uint16 // of each edge, by index, counted from the best; those of one tier draw
}

// Order ranks as Rank does, but leaves v.Draw out: edges between which only a
// draw decides are in one tier, by id.
func (r *Ranker) Order(v View) Order {
	o := Order{Edges: make([]uint16, len(r.edges)), Tier: make([]uint16, len(r.edges))}
	for i := range o.Edges {
		o.Edges[i] = uint16(i)
	}
	compare := r.comparing(v)
	slices.SortFunc(o.Edges, func(a, b uint16) int {
		if c := compare(int(a), int(b)); c != 0 {
			return c
		}
		return int(a) - int(b)
	})
	tier := uint16(0)
	for i, e := range o.Edges {
		if i > 0 && compare(int(o.Edges[i-1]), int(e)) != 0 {
			tier++
		}
		o.Tier[e] = tier
	}
	return o
}
