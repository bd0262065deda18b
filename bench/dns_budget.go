package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/netip"
	"time"

	"landfall"
	"landfall/bench/atlas"
	"landfall/bench/peers"
	"landfall/geodns/locate"
	"landfall/geodns/plan"
)

// savings are what a budget does to one network.
type savings struct {
	name   string
	edges  []landfall.NodeID // nil: all
	worse  time.Duration
	exact  [2]sample // prefixes: of IPv4, of both families
	small  [2]sample // the same with the budget
	ratio  [2]sample
	moved  sample // what the plan says that it moved, per cent of weight
	second sample // IPv4 /24s with a place that are told another edge than the nearest, per cent
}

const budgetShare = 0.005

// dnsBudget measures how many prefixes a map has if a few clients may be told
// another edge than the nearest.
func dnsBudget(ctx context.Context, o options, table, progress io.Writer) error {
	three := []landfall.NodeID{"fra1", "nyc1", "sin1"}
	rows := []*savings{
		{name: "8 edges", worse: landfall.DefaultWorseBy},
		{name: "3 edges", edges: three, worse: landfall.DefaultWorseBy},
		{name: "8 edges, however much worse", worse: landfall.MaxWorseBy},
		{name: "3 edges, however much worse", edges: three, worse: landfall.MaxWorseBy},
	}
	made := newProfile()
	err := o.eachWorld(progress, func(s peers.Site) error {
		a, err := locate.Open(locate.Sources{Places: s.Database}, nil)
		if err != nil {
			return err
		}
		for _, r := range rows {
			if err := ctx.Err(); err != nil {
				return err
			}
			fmt.Fprintf(progress, "world %d: %s\n", s.World.Seed, r.name)
			r.measure(s.World, a)
		}
		fmt.Fprintf(progress, "world %d: profile\n", s.World.Seed)
		made.measure(s.World, a)
		return nil
	})
	if err != nil {
		return err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "A budget of 0.5 %%: medians of %d worlds (smallest – largest)\n%s\n", o.worlds, machine(o.root))
	for _, r := range rows {
		fmt.Fprintln(&b)
		fmt.Fprintln(&b, r.name)
		for i, family := range []string{"IPv4", "IPv4 and IPv6"} {
			row(&b, "  "+family+": exact", r.exact[i], "", 0, "")
			row(&b, "  with the budget", r.small[i], "", 0, "")
			row(&b, "  times fewer", r.ratio[i], "x", 1, "at least 10")
		}
		row(&b, "  moved, by weight", r.moved, "%", 3, "at most 0.5 %")
		row(&b, "  moved, of placed IPv4", r.second, "%", 3, "")
	}
	made.write(&b)
	_, err = table.Write(b.Bytes())
	return err
}

func (r *savings) measure(w *atlas.World, a *locate.Table) {
	m := w.Map(peers.Zone, peers.Host, 1)
	if r.edges != nil {
		m = only(m, r.edges)
	}
	exact := plan.Compile(plan.Input{Map: m, Atlas: a})
	frugal := m.Clone()
	frugal.Steering.Budget, frugal.Steering.WorseBy = budgetShare, r.worse
	small := plan.Compile(plan.Input{Map: frugal, Atlas: a})
	was, is := prefixes(exact), prefixes(small)
	for i := range was {
		r.exact[i].add(was[i])
		r.small[i].add(is[i])
		r.ratio[i].add(was[i] / is[i])
	}
	r.moved.add(100 * small.Moved())
	r.second.add(100 * differ(w, exact, small))
}

// only is m without edges that are not named.
func only(m *landfall.Map, edges []landfall.NodeID) *landfall.Map {
	m = m.Clone()
	for i, n := range m.Nodes {
		m.Nodes[i].State = landfall.Gone
		for _, id := range edges {
			if n.ID == id {
				m.Nodes[i].State = landfall.Active
			}
		}
	}
	return m
}

// prefixes is how many a resolver can come to keep for one question: of IPv4,
// and of both families.
func prefixes(p *plan.Plan) [2]float64 {
	v4, v6 := p.Len(plan.A)
	return [2]float64{float64(v4), float64(v4 + v6)}
}

// differ is the share of placed /24s that two plans tell differently.
func differ(w *atlas.World, a, b *plan.Plan) float64 {
	placed, _ := w.Clients()
	n := 0
	for _, c := range placed {
		if first(a, c) != first(b, c) {
			n++
		}
	}
	return float64(n) / float64(len(placed))
}

// first is the address that the clients of a /24 are told first.
func first(p *plan.Plan, client uint32) netip.Addr {
	i, _ := p.Lookup(plan.A, netip.AddrFrom4([4]byte{byte(client >> 16), byte(client >> 8), byte(client), 1}))
	if v4 := p.Choice(i).V4; len(v4) > 0 {
		return v4[0]
	}
	return netip.Addr{}
}
