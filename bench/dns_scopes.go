package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"

	"landfall"
	"landfall/bench/atlas"
	"landfall/bench/ecs"
	"landfall/bench/peers"
	"landfall/geodns/locate"
	"landfall/geodns/plan"
)

// verdicts counts answers against the truth.
type verdicts struct {
	asked   int
	wrong   int // other edges than the nearest
	unsound int // a scope that holds somebody who would be told otherwise
	wide    int // a scope longer than it needs to be: not minimal
}

func (v *verdicts) judge(edges bool, scope, least int) {
	v.asked++
	switch {
	case !edges:
		v.wrong++
	case scope < least:
		v.unsound++
	case scope > least:
		v.wide++
	}
}

// dnsScopes holds answers and their scopes against an oracle: of plans for
// every /24 and around every leaf, with all edges and without any one of
// them, and of the server itself around every prefix.
func dnsScopes(ctx context.Context, o options, table, progress io.Writer) error {
	var up, down, served verdicts
	err := o.eachWorld(progress, func(s peers.Site) error {
		a, err := locate.Open(locate.Sources{Places: s.Database}, nil)
		if err != nil {
			return err
		}
		for _, answers := range []int{1, 2} {
			m := s.World.Map(peers.Zone, peers.Host, answers)
			prepared := plan.Prepare(plan.Input{Map: m, Atlas: a})
			for dead := -1; dead < len(s.World.Edges); dead++ {
				if err := ctx.Err(); err != nil {
					return err
				}
				v := &down
				state := plan.State{}
				if dead < 0 {
					v = &up
				} else {
					state.Down = map[landfall.NodeID]bool{s.World.Edges[dead].Node(): true}
				}
				fmt.Fprintf(progress, "world %d: %d addresses an answer, edge %d down\n", s.World.Seed, answers, dead)
				v.plan(s.World, prepared.Compile(state), answers, dead)
			}
		}
		if err := o.program(ctx, &s, progress); err != nil {
			return err
		}
		return served.server(ctx, s)
	})
	if err != nil {
		return err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "Answers and scopes against an oracle, in %d worlds of eight edges, one and two addresses an answer\n%s\n\n", o.worlds, machine(o.root))
	fmt.Fprintf(&b, "%-46s %12s %8s %8s %12s\n", "", "asked", "wrong", "unsound", "not minimal")
	for _, r := range []struct {
		name string
		v    verdicts
	}{{"plan, all up: every /24, all leaves ± 1", up}, {"plan, any one edge down: the same", down}, {"the server, by UDP: three addresses of each prefix", served}} {
		fmt.Fprintf(&b, "%-46s %12d %8d %8d %12d   aim: 0, 0, 0\n", r.name, r.v.asked, r.v.wrong, r.v.unsound, r.v.wide)
	}
	_, err = table.Write(b.Bytes())
	return err
}

// told is who is told to the clients of a leaf: the nearest edges but one that
// is down.
func told(w *atlas.World, l atlas.Leaf, answers, dead int) []int {
	order := slices.DeleteFunc(slices.Clone(w.Ranked(l)), func(e int) bool { return e == dead })
	return order[:answers]
}

// plan asks for every /24 of unicast IPv4 and around every leaf.
func (v *verdicts) plan(w *atlas.World, p *plan.Plan, answers, dead int) {
	label := func(l atlas.Leaf) int {
		n := 0
		for _, e := range told(w, l, answers, dead) {
			n = n*len(w.Edges) + e
		}
		return n
	}
	oracle := atlas.NewOracle(w, label, label(atlas.Nowhere()))
	ask := func(a netip.Addr) {
		want, least := oracle.Ask(a)
		choice, bits := p.Lookup(plan.A, a)
		got := 0
		for _, addr := range p.Choice(choice).V4 {
			got = got*len(w.Edges) + w.Edge(addr)
		}
		v.judge(got == want, bits, least)
	}
	for i := uint32(1 << 16); i < 224<<16; i++ {
		ask(netip.AddrFrom4([4]byte{byte(i >> 16), byte(i >> 8), byte(i), 0}))
	}
	for _, l := range slices.Concat(w.IPv4, w.IPv6) {
		first, last := l.Prefix.Addr(), atlas.Last(l.Prefix)
		for _, a := range []netip.Addr{first.Prev(), first, last, last.Next()} {
			ask(a)
		}
	}
}

// server asks the program, at the beginning, at the end and in the middle of
// each of the smallest set of prefixes.
func (v *verdicts) server(ctx context.Context, s peers.Site) (err error) {
	server, err := peers.Landfall(ctx, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	name := ecs.ParseName(peers.Host)
	relay, err := ecs.NewRelay(server.Addr, name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, relay.Close()) }()
	oracle := atlas.NewOracle(s.World, s.World.Nearest, s.World.Nearest(atlas.Nowhere()))
	var clients []netip.Prefix
	for a := netip.MustParseAddr("1.0.0.0"); a.IsValid() && a.As4()[0] < 224; {
		_, bits := oracle.Ask(a)
		p, _ := a.Prefix(bits)
		last := atlas.Last(p)
		middle := a.As4()
		if bits < 32 {
			middle[bits/8] |= 0x80 >> (bits % 8)
		}
		for _, c := range []netip.Addr{a, netip.AddrFrom4(middle), last} {
			clients = append(clients, netip.PrefixFrom(c, 32))
		}
		a = last.Next()
	}
	_, err = ecs.Load{
		Server: relay.Addr, Name: name, Count: len(clients), Flight: inFlight,
		Client: func(i int) netip.Prefix { return clients[i] },
		Got: func(i int, a ecs.Answer) {
			want, least := oracle.Ask(clients[i].Addr())
			v.judge(a.Scoped && a.Addr == s.World.Edges[want].Addr, int(a.Scope), least)
		},
	}.Run(ctx)
	return err
}
