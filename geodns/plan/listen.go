package plan

import (
	"slices"

	"landfall"
	"landfall/geodns/measure"
	"landfall/geodns/resolver"
	"landfall/geodns/steer"
)

// listen makes a class of each resolver whose clients are known, and one of
// nobody: of clients who do not say where they are.
func (p *Prepared) listen() {
	drawn := map[landfall.RegionID]float64{}
	for r := range p.in.Resolvers.All() {
		p.resolvers = append(p.resolvers, r)
		p.solo = append(p.solo, p.add(p.behind(r, drawn)))
	}
	p.solo = append(p.solo, p.add(p.class(traits{})))
}

func (p *Prepared) add(c class) uint32 {
	p.classes = append(p.classes, c)
	return uint32(len(p.classes) - 1)
}

// behind is the class of a resolver. Its clients come from many places: edges
// are ranked by the mean of the clients' round trips, under the preference that
// most of them have; where the resolver itself stands has no say. A few clients
// that are said to be very near one edge move all the others, so that what is
// drawn to a region by measurement, beyond what geography gives it, is bounded
// here as well: where it would be too much, geography decides.
func (p *Prepared) behind(r resolver.Resolver, drawn map[landfall.RegionID]float64) class {
	measured, predicted := make([]float64, p.ranker.Len()), make([]float64, p.ranker.Len())
	votes := map[int32]float64{}
	for _, share := range r.Clients {
		i, _ := p.units.Lookup(share.Prefix.Addr())
		c := &p.classes[i]
		votes[c.prefer] += share.Weight
		for e := range measured {
			measured[e] += share.Weight * p.rtt(c, e)
			predicted[e] += share.Weight * p.predicted(c, e)
		}
	}
	c := class{lead: none, prefer: elected(votes), weight: p.weigher.resolver(r.Addr)}
	mean, order := measured, p.listed(r, c.prefer, measured)
	geography := p.listed(r, c.prefer, predicted)
	if first, ok := p.first(order); ok {
		near, _ := p.first(geography)
		switch to := p.ranker.Edge(first).Region; {
		case to == p.ranker.Edge(near).Region:
		case drawn[to]+c.weight > float64(measure.DefaultCap):
			mean, order = predicted, geography
		default:
			drawn[to] += c.weight
		}
	}
	c.row = int32(len(p.rows))
	p.rows = append(p.rows, row{all: mean})
	c.rank = order
	return c
}

// listed is the rank of edges by their mean round trip to a resolver's
// clients.
func (p *Prepared) listed(r resolver.Resolver, prefer int32, mean []float64) uint32 {
	lots := p.ranker.Lots(steer.SpreadPrefix(r.Addr, r.Addr.BitLen()), p.in.Epoch)
	return p.rank(rank{p.keep(p.ranker.Order(steer.View{Known: true, Distances: mean, Preference: int(prefer)})), lots})
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
