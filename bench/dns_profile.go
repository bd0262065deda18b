package main

import (
	"fmt"
	"io"
	"net/netip"
	"slices"
	"time"

	"landfall"
	"landfall/bench/atlas"
	"landfall/bench/peers"
	"landfall/geodns/locate"
	"landfall/geodns/plan"
	"landfall/geodns/steer"
)

// profile is what a map with a budget is made of and what it could be made of:
// IPv4, eight edges.
type profile struct {
	lengths [5]lengths
	offers  []*offer
}

// lengths are the prefixes of some lengths.
type lengths struct {
	prefixes, addresses sample // how many, and their per cent of all addresses with a place
	kept                [reasons]sample
}

// A reason is what keeps a prefix from being joined with all beside it, up to
// the next shorter prefix: per cent of the prefixes.
const (
	byBound   = iota // no edge would do for all clients whose place is known
	byUnknown        // one would, but not for those whose place is not known
	byBudget         // one would do for all, and costs more than is left
	reasons
)

// classOf are the lengths that a prefix is counted with.
func classOf(bits int) int {
	return slices.IndexFunc([]int{16, 20, 23, 24, 32}, func(last int) bool { return bits <= last })
}

// offer is a bound and a budget.
type offer struct {
	name  string
	worse time.Duration
	share landfall.Share
	ratio sample
}

func newProfile() *profile {
	return &profile{offers: []*offer{
		{name: "20 ms, 0.5 %", worse: landfall.DefaultWorseBy, share: budgetShare},
		{name: "20 ms, everybody", worse: landfall.DefaultWorseBy, share: 1},
		{name: "50 ms, 0.5 %", worse: 50 * time.Millisecond, share: budgetShare},
		{name: "100 ms, 0.5 %", worse: 100 * time.Millisecond, share: budgetShare},
		{name: "200 ms, 0.5 %", worse: 200 * time.Millisecond, share: budgetShare},
		{name: "no bound, 0.5 %", worse: landfall.MaxWorseBy, share: budgetShare},
		{name: "no bound, 2 %", worse: landfall.MaxWorseBy, share: 0.02},
		{name: "no bound, 5 %", worse: landfall.MaxWorseBy, share: 0.05},
	}}
}

func (p *profile) measure(w *atlas.World, a *locate.Table) {
	m := w.Map(peers.Zone, peers.Host, 1)
	exact, _ := plan.Compile(plan.Input{Map: m, Atlas: a}).Len(plan.A)
	for i, o := range p.offers {
		m.Steering.Budget, m.Steering.WorseBy = o.share, o.worse
		made := plan.Compile(plan.Input{Map: m, Atlas: a})
		n, _ := made.Len(plan.A)
		o.ratio.add(float64(exact) / float64(n))
		if i == 0 {
			p.count(made, newClients(w, o.worse))
		}
	}
}

// count takes a map apart.
func (p *profile) count(made *plan.Plan, c *clients) {
	var n, placed [len(p.lengths)]float64
	var kept [len(p.lengths)][reasons]float64
	for at := range made.Table(plan.A).All() {
		if !at.Addr().Is4() || at.Bits() == 0 {
			continue
		}
		class := classOf(at.Bits())
		n[class]++
		placed[class] += c.in(at).placed
		kept[class][c.why(at)]++
	}
	all := c.in(netip.PrefixFrom(netip.IPv4Unspecified(), 0)).placed
	for i := range p.lengths {
		l := &p.lengths[i]
		l.prefixes.add(n[i])
		l.addresses.add(100 * placed[i] / all)
		for r := range l.kept {
			l.kept[r].add(100 * kept[i][r] / max(n[i], 1))
		}
	}
}

// write prints both tables.
func (p *profile) write(w io.Writer) {
	fmt.Fprintf(w, "\n8 edges: the IPv4 prefixes with the budget, and what keeps each from being joined with all beside it\n")
	fmt.Fprintf(w, "%-14s %10s %14s %14s %16s %14s\n", "", "prefixes", "of addresses", "worse_by", "unknown places", "the budget")
	for i, name := range []string{"to /16", "/17 to /20", "/21 to /23", "/24", "longer"} {
		l := &p.lengths[i]
		fmt.Fprintf(w, "  %-12s %10.0f %12.1f %% %12.1f %% %14.1f %% %12.1f %%\n", name, l.prefixes.median(), l.addresses.median(),
			l.kept[byBound].median(), l.kept[byUnknown].median(), l.kept[byBudget].median())
	}
	fmt.Fprintf(w, "\nOther bounds and budgets: 8 edges, IPv4\n")
	for _, o := range p.offers {
		row(w, "  "+o.name+": times fewer", o.ratio, "x", 1, "")
	}
}

// clients say which edges would do for them.
type clients struct {
	world  *atlas.World
	would  []uint64 // by leaf of IPv4: a bit for each edge
	nobody uint64   // the same for addresses that are in no leaf
}

// newClients finds the edges whose predicted round trip is longer than the
// nearest's by no more than a bound.
func newClients(w *atlas.World, worse time.Duration) *clients {
	c := &clients{world: w}
	would := func(l atlas.Leaf) (mask uint64) {
		from := w.Edges[0].Place // home
		if loc := w.Location(l); loc.Known {
			from = loc.Place
		}
		rtt := func(edge int) time.Duration { return steer.Predict(from.Distance(w.Edges[edge].Place)) }
		for i := range w.Edges {
			if rtt(i) <= rtt(w.Nearest(l))+worse {
				mask |= 1 << i
			}
		}
		return mask
	}
	for _, l := range w.IPv4 {
		c.would = append(c.would, would(l))
	}
	c.nobody = would(atlas.Nowhere())
	return c
}

// held is what is true of all clients in a prefix.
type held struct {
	placed      float64 // how many addresses have a place
	would       uint64  // the edges that would do for those
	wouldForAll uint64  // and for the others, too
}

func (c *clients) in(p netip.Prefix) held {
	out, last, covered := held{would: ^uint64(0), wouldForAll: ^uint64(0)}, atlas.Last(p), 0.0
	i, _ := slices.BinarySearchFunc(c.world.IPv4, p.Addr(), func(l atlas.Leaf, a netip.Addr) int { return atlas.Last(l.Prefix).Compare(a) })
	for ; i < len(c.world.IPv4) && c.world.IPv4[i].Prefix.Addr().Compare(last) <= 0; i++ {
		l := c.world.IPv4[i]
		size := addresses(max(l.Prefix.Bits(), p.Bits()))
		covered += size
		out.wouldForAll &= c.would[i]
		if c.world.Location(l).Known {
			out.placed += size
			out.would &= c.would[i]
		}
	}
	if covered < addresses(p.Bits()) {
		out.wouldForAll &= c.nobody
	}
	return out
}

// addresses is how many an IPv4 prefix holds.
func addresses(bits int) float64 { return float64(uint64(1) << (32 - bits)) }

// why is what keeps a prefix from being joined.
func (c *clients) why(p netip.Prefix) int {
	switch around := c.in(netip.PrefixFrom(p.Addr(), p.Bits()-1).Masked()); {
	case around.would == 0:
		return byBound
	case around.wouldForAll == 0:
		return byUnknown
	}
	return byBudget
}
