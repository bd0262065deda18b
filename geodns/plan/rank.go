package plan

import (
	"cmp"
	"encoding/binary"
	"iter"

	"landfall/geodns/steer"
)

// rank is the order of all edges for some clients: one that many share, and
// what their prefix drew. The draws of edges at one place are looked at only as
// far as they are needed: hundreds of edges have more orders than there are
// prefixes.
type rank struct {
	order uint32 // index
	lots  steer.Lots
}

// sorting is what an order depends on.
type sorting struct {
	place    uint32
	prefer   int32
	measured uint32 // index of the edges that measurement puts first
}

// order is the index of how edges rank for clients of some traits before they
// draw.
func (p *Prepared) order(t traits, known bool, prefer int32) uint32 {
	s := sorting{place: t.place, prefer: prefer}
	view := steer.View{Known: known, Distances: p.distances(t.place), Preference: int(prefer)}
	if t.verdict > 0 {
		s.measured, view.Measured = p.measured[t.verdict-1], p.verdicts[t.verdict-1].Order
	}
	i, ok := p.sorted[s]
	if !ok {
		i = p.keep(p.ranker.Order(view))
		p.sorted[s] = i
	}
	return i
}

// keep keeps every order once.
func (p *Prepared) keep(o steer.Order) uint32 {
	key := make([]byte, 0, 4*len(o.Edges))
	for _, e := range o.Edges {
		key = binary.BigEndian.AppendUint16(key, e)
		key = binary.BigEndian.AppendUint16(key, o.Tier[e])
	}
	i, ok := p.alike[string(key)]
	if !ok {
		i = uint32(len(p.orders))
		p.alike[string(key)] = i
		p.orders = append(p.orders, o)
	}
	return i
}

// rank numbers an order and lots.
func (p *Prepared) rank(r rank) uint32 {
	i, ok := p.ranked[r]
	if !ok {
		i = uint32(len(p.ranks))
		p.ranked[r] = i
		p.ranks = append(p.ranks, r)
	}
	return i
}

// ranking is a rank that can be walked.
type ranking struct {
	*steer.Order
	ranker *steer.Ranker
	lots   steer.Lots
}

func (p *Prepared) ranking(i uint32) ranking {
	r := p.ranks[i]
	return ranking{&p.orders[r.order], p.ranker, r.lots}
}

// ticket is what an edge drew.
type ticket struct {
	edge int
	lot  float64
}

func (t ticket) compare(u ticket) int { return cmp.Or(cmp.Compare(t.lot, u.lot), t.edge-u.edge) }

func (r *ranking) ticket(edge int) ticket { return ticket{edge, r.ranker.Lot(r.lots, edge)} }

// compare puts the edge before another that ranks before it.
func (r *ranking) compare(a, b int) int {
	if c := int(r.Tier[a]) - int(r.Tier[b]); c != 0 {
		return c
	}
	return r.ticket(a).compare(r.ticket(b))
}

// all are the edges that may be taken, the best first.
func (r *ranking) all(may func(edge int) bool) iter.Seq[int] {
	return func(yield func(int) bool) {
		var few [16]ticket
		for rest := r.Edges; len(rest) > 0; {
			tier := 1
			for tier < len(rest) && r.Tier[rest[tier]] == r.Tier[rest[0]] {
				tier++
			}
			drawn := few[:0]
			for _, e := range rest[:tier] {
				if may(int(e)) {
					drawn = append(drawn, ticket{edge: int(e)})
				}
			}
			if !r.draw(drawn, yield) {
				return
			}
			rest = rest[tier:]
		}
	}
}

// draw yields edges of one tier in the order of their lots. Hardly ever is more
// than the first few of them asked for.
func (r *ranking) draw(tier []ticket, yield func(int) bool) bool {
	if len(tier) > 1 {
		for i := range tier {
			tier[i] = r.ticket(tier[i].edge)
		}
	}
	for len(tier) > 0 {
		first := 0
		for i := range tier {
			if tier[i].compare(tier[first]) < 0 {
				first = i
			}
		}
		if !yield(tier[first].edge) {
			return false
		}
		tier[first] = tier[len(tier)-1]
		tier = tier[:len(tier)-1]
	}
	return true
}

// first is the best edge of all, if there is any.
func (p *Prepared) first(of uint32) (edge int, ok bool) {
	r := p.ranking(of)
	for e := range r.all(anyEdge) {
		return e, true
	}
	return 0, false
}

func anyEdge(int) bool { return true }

// listed is the order of a list.
func listed(edges []uint16) ranking {
	o := steer.Order{Edges: edges, Tier: make([]uint16, len(edges))}
	for i, e := range edges {
		o.Tier[e] = uint16(i)
	}
	return ranking{Order: &o}
}
