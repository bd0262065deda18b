package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"

	"landfall"
	"landfall/bench/atlas"
	"landfall/bench/ecs"
	"landfall/bench/peers"
	"landfall/geodns/locate"
	"landfall/geodns/plan"
	"landfall/geodns/traffic"
)

const (
	killLoad  = 0.8     // of what all edges together can serve
	killAsked = 100_000 // requests a second
	// killClients are as few as say a per cent, for eight servers are asked.
	killClients = 50_000
)

// deaths counts random worlds in which one edge died.
type deaths struct {
	worlds  int
	toppled [2]int // of them, by addresses an answer: a survivor got too much while another had room
	strayed int    // prefixes that moved though the dead edge did not serve them
	moved   int    // prefixes that moved
	next    int    // worlds in which a survivor gets too much if the next nearest gets all, as of gdnsd
}

// dnsKill measures what becomes of the clients of an edge that dies.
func dnsKill(ctx context.Context, o options, table, progress io.Writer) error {
	var d deaths
	fmt.Fprintf(progress, "%d random worlds\n", o.deaths)
	for i := range uint64(o.deaths) {
		if err := ctx.Err(); err != nil {
			return err
		}
		d.kill(rand.New(rand.NewPCG(i, 9)))
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "An edge dies, eight edges at %.0f %% load\n%s\n\n", 100*killLoad, machine(o.root))
	fmt.Fprintf(&b, "random worlds                                   %10d\n", d.worlds)
	fmt.Fprintf(&b, "  too full while another had room, 1 address    %10d   aim: 0\n", d.toppled[0])
	fmt.Fprintf(&b, "  too full while another had room, 2 addresses  %10d   aim: 0\n", d.toppled[1])
	fmt.Fprintf(&b, "  prefixes moved                                %10d\n", d.moved)
	fmt.Fprintf(&b, "    that were not the dead edge's               %10d   aim: 0\n", d.strayed)
	fmt.Fprintf(&b, "  too full if the next nearest got all          %10d\n\n", d.next)
	err := makeWorld(1, func(s peers.Site) error { return neighbours(ctx, s, &b, progress) })
	if err != nil {
		return err
	}
	_, err = table.Write(b.Bytes())
	return err
}

// random is a small world: a few hundred prefixes, edges anywhere, ceilings
// that are worlds apart.
func random(r *rand.Rand) plan.Input {
	networks := map[netip.Prefix]landfall.Location{}
	for range 100 + r.IntN(200) {
		a := netip.AddrFrom4([4]byte{byte(1 + r.IntN(200)), byte(r.Uint32()), byte(r.Uint32()), 0})
		p, _ := a.Prefix(12 + r.IntN(13))
		networks[p] = landfall.Location{Known: true, Place: anywhere(r)}
	}
	m := &landfall.Map{Network: "bench", Domain: peers.Zone, Services: []landfall.Service{{Host: peers.Host, Upstream: "http://127.0.0.1:3000"}}}
	m.Steering.Answers = 1 + r.IntN(2)
	all := 0
	for i := range 8 {
		region := landfall.Region{ID: landfall.RegionID(fmt.Sprint("r", i)), Place: anywhere(r), Home: i == 0}
		n := landfall.Node{ID: landfall.NodeID(fmt.Sprint("n", i)), Region: region.ID, Roles: landfall.Roles(), Ceiling: 1000 + r.IntN(20_000)}
		if i > 0 {
			n.Roles = []landfall.Role{landfall.RoleEdge}
		}
		n.Advertised = []netip.Addr{netip.AddrFrom4([4]byte{192, 0, 2, byte(1 + i)})}
		m.Regions, m.Nodes = append(m.Regions, region), append(m.Nodes, n)
		all += n.Ceiling
	}
	return plan.Input{Map: m, Atlas: locate.Of(networks), Demand: killLoad * float64(all)}
}

func anywhere(r *rand.Rand) landfall.Place {
	return landfall.Place{Lat: -50 + 110*r.Float64(), Lon: -180 + 360*r.Float64()}
}

// kill makes a world and kills one edge in it.
func (d *deaths) kill(r *rand.Rand) {
	in := random(r)
	prepared := plan.Prepare(in)
	dead := in.Map.Nodes[r.IntN(len(in.Map.Nodes))].ID
	before := prepared.Compile(plan.State{Demand: in.Demand})
	after := prepared.Compile(plan.State{Demand: in.Demand, Down: map[landfall.NodeID]bool{dead: true}})
	d.worlds++
	if toppled(after.Loads()) {
		d.toppled[in.Map.Steering.Answers-1]++
	}
	for _, move := range plan.Diff(before, after, plan.A) {
		d.moved++
		if !slices.Contains(move.From.Edges, dead) {
			d.strayed++
		}
	}
	if toppled(nextNearest(in, before, dead)) {
		d.next++
	}
}

// toppled reports whether an edge has more than it can serve while another has
// room for a thousandth of all clients: less is not worth a prefix.
func toppled(loads []plan.Load) bool {
	over, room := false, false
	for _, l := range loads {
		over = over || l.Serves && l.Load > l.Ceiling*(1+1e-9)
		room = room || l.Serves && l.Ceiling-l.Load > 0.001
	}
	return over && room
}

// nextNearest is what falls to edges if all that the dead one had falls to
// the living one nearest to it.
func nextNearest(in plan.Input, before *plan.Plan, dead landfall.NodeID) []plan.Load {
	place := func(id landfall.NodeID) landfall.Place {
		n, _ := in.Map.Node(id)
		r, _ := in.Map.Region(n.Region)
		return r.Place
	}
	loads := slices.Clone(before.Loads())
	best, orphaned := -1, 0.0
	for i, l := range loads {
		if l.Edge == dead {
			orphaned, loads[i].Load, loads[i].Serves = l.Load, 0, false
		} else if best < 0 || place(dead).Distance(place(l.Edge)) < place(dead).Distance(place(loads[best].Edge)) {
			best = i
		}
	}
	loads[best].Load += orphaned
	return loads
}

// neighbours kills each edge of a whole world in turn, and shows what falls to
// the fullest survivor: by Landfall's plan, and by asking gdnsd. Each edge is
// as large as 80 % load needs, and clients are as many as were drawn.
func neighbours(ctx context.Context, s peers.Site, b *bytes.Buffer, progress io.Writer) error {
	a, err := locate.Open(locate.Sources{Places: s.Database}, nil)
	if err != nil {
		return err
	}
	m := s.World.Map(peers.Zone, peers.Host, 1)
	crowd := newCrowd(s.World, killClients, 0)
	base := shares(crowd, func(i int) int { return int(crowd.truth[crowd.clients[i]]) }, len(s.World.Edges))
	for i := range m.Nodes {
		m.Nodes[i].Ceiling = int(math.Ceil(base[i] * killAsked / killLoad))
	}
	seen := map[netip.Prefix]float64{}
	for i := range crowd.clients {
		seen[crowd.prefix(i)]++
	}
	in := plan.Input{Map: m, Atlas: a, Demand: killAsked, Weights: traffic.Of(seen)}
	prepared := plan.Prepare(in)
	fmt.Fprintf(b, "The fullest survivor, in per cent of what it can serve, by %d clients\n\n%-6s %10s %10s %16s %16s\n", len(crowd.clients), "dies", "its load", "no better", "landfall", "gdnsd")
	for dead, e := range s.World.Edges {
		fmt.Fprintf(progress, "without %s\n", e.Region)
		p := prepared.Compile(plan.State{Demand: in.Demand, Down: map[landfall.NodeID]bool{e.Node(): true}})
		ours := shares(crowd, func(i int) int { return s.World.Edge(first(p, crowd.clients[i])) }, len(base))
		s.Down = string(e.Region)
		theirs, err := asked(ctx, s, crowd)
		if err != nil {
			return err
		}
		fmt.Fprintf(b, "%-6s %9.1f%% %9.1f%% %16s %16s\n", e.Region, 100*base[dead], 100*killLoad/(1-base[dead]), fullest(s.World, base, ours), fullest(s.World, base, theirs))
	}
	fmt.Fprintf(b, "\nNo better: what all survivors would be filled to, if clients were spread evenly.\n")
	return nil
}

// fullest is the edge with the most of what it can serve.
func fullest(w *atlas.World, base, load []float64) string {
	best, most := 0, 0.0
	for i := range load {
		if of := load[i] / base[i] * 100 * killLoad; of > most {
			best, most = i, of
		}
	}
	return fmt.Sprintf("%s %.1f%%", w.Edges[best].Region, most)
}

// shares are the parts of a crowd that go to each edge.
func shares(c *crowd, edge func(i int) int, edges int) []float64 {
	out := make([]float64, edges)
	for i := range c.clients {
		out[edge(i)] += 1 / float64(len(c.clients))
	}
	return out
}

// asked are the shares by gdnsd's answers.
func asked(ctx context.Context, s peers.Site, c *crowd) (_ []float64, err error) {
	server, err := peers.GDNSD(ctx, s)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	edges := make([]int, len(c.clients))
	_, err = ecs.Load{
		Server: server.Addr, Name: ecs.ParseName(peers.Host), Count: len(c.clients), Flight: inFlight, Client: c.prefix,
		Got: func(i int, a ecs.Answer) { edges[i] = s.World.Edge(a.Addr) },
	}.Run(ctx)
	if i := slices.Index(edges, -1); i >= 0 && err == nil {
		err = fmt.Errorf("%v was told no edge", c.prefix(i))
	}
	if err != nil {
		return nil, err
	}
	return shares(c, func(i int) int { return edges[i] }, len(s.World.Edges)), nil
}
