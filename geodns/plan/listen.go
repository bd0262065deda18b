package plan

import (
	"slices"

	"landfall/geodns/resolver"
	"landfall/geodns/steer"
)

// listen makes a class of each resolver whose clients are known, and one of
// nobody: of clients who do not say where they are.
func (p *Prepared) listen() {
	for r := range p.in.Resolvers.All() {
		p.resolvers = append(p.resolvers, r)
		p.solo = append(p.solo, p.add(p.behind(r)))
	}
	p.solo = append(p.solo, p.add(p.class(traits{})))
}

func (p *Prepared) add(c class) uint32 {
	p.classes = append(p.classes, c)
	return uint32(len(p.classes) - 1)
}

// behind is the class of a resolver. Its clients come from many places: edges
// are ranked by the mean of the clients' round trips, under the preference that
// most of them have; where the resolver itself stands has no say.
func (p *Prepared) behind(r resolver.Resolver) class {
	mean := make([]float64, p.ranker.Len())
	votes := map[int32]float64{}
	for _, share := range r.Clients {
		i, _ := p.units.Lookup(share.Prefix.Addr())
		c := &p.classes[i]
		votes[c.prefer] += share.Weight
		for e := range mean {
			mean[e] += share.Weight * p.rtt(c, e)
		}
	}
	c := class{row: int32(len(p.rows)), lead: none, prefer: elected(votes), weight: p.weigher.resolver(r.Addr)}
	p.rows = append(p.rows, mean)
	view := steer.View{Known: true, Distances: mean, Preference: int(c.prefer)}
	if len(p.draws) > 0 {
		view.Draw = p.ranker.Draw(steer.SpreadPrefix(r.Addr, r.Addr.BitLen()), p.in.Epoch)
	}
	c.rank = p.intern(p.ranker.Rank(view))
	return c
}

// elected is the preference with most votes, of equals the first in the map.
func elected(votes map[int32]float64) int32 {
	best := int32(none)
	var order []int32
	for i := range votes {
		order = append(order, i)
	}
	slices.Sort(order)
	for _, i := range order {
		if votes[i] > votes[best] {
			best = i
		}
	}
	return best
}
