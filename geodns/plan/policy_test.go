package plan

import (
	"math"
	"net/netip"
	"slices"
	"testing"
	"time"

	"landfall"
	"landfall/geodns/locate"
	"landfall/geodns/measure"
	"landfall/geodns/prefix"
	"landfall/geodns/resolver"
	"landfall/geodns/traffic"
)

func addr(s string) netip.Addr      { return netip.MustParseAddr(s) }
func network(s string) netip.Prefix { return netip.MustParsePrefix(s) }

// three is an atlas of three countries, and a map with an edge beside each.
func three() Input {
	m := &landfall.Map{Network: "test", Regions: cities()[:3]}
	for i, r := range []landfall.RegionID{"fra", "nyc", "sjc"} {
		m.Nodes = append(m.Nodes, landfall.Node{ID: landfall.NodeID(r) + "1", Region: r, Roles: []landfall.Role{landfall.RoleEdge}, Advertised: []netip.Addr{netip.AddrFrom4([4]byte{192, 0, 2, byte(i)})}})
	}
	m.Steering.Answers = 1
	return Input{Map: m, Atlas: locate.Of(map[netip.Prefix]landfall.Location{
		network("10.0.0.0/16"): {Known: true, Place: landfall.Place{Lat: 48.86, Lon: 2.35}, Country: "FR", Continent: "EU"},
		network("20.0.0.0/16"): {Known: true, Place: landfall.Place{Lat: 42.36, Lon: -71.06}, Country: "US", Continent: "NA"},
		network("30.0.0.0/16"): {Known: true, Place: landfall.Place{Lat: 34.05, Lon: -118.24}, Country: "US", Continent: "NA"},
	})}
}

func first(t *testing.T, p *Plan, a string) landfall.NodeID {
	t.Helper()
	return p.told(addr(a))[0]
}

// A carrier's resolver stands in one country and its clients in another: they
// are steered by where they are.
func TestResolverIsSteeredByItsClients(t *testing.T) {
	in := three()
	in.Resolvers = resolver.Of(map[netip.Addr]map[netip.Prefix]float64{
		addr("10.0.0.53"): {network("30.0.1.0/24"): 20, network("30.0.2.0/24"): 20},
		// Two continents: most of the clients are in the west.
		addr("10.0.1.53"): {network("10.0.1.0/24"): 10, network("30.0.2.0/24"): 30},
		addr("10.0.2.53"): {network("10.0.1.0/24"): 30, network("30.0.2.0/24"): 10},
	})
	p := Compile(in)
	for from, want := range map[string]landfall.NodeID{
		"10.0.0.53": "sjc1", "10.0.1.53": "sjc1", "10.0.2.53": "fra1", "10.0.4.53": "fra1",
	} {
		if got := p.Choice(p.LookupResolver(A, addr(from))).Edges[0]; got != want {
			t.Errorf("clients of %s are told %s, want %s", from, got, want)
		}
		if got := first(t, p, from); got != "fra1" {
			t.Errorf("clients at %s are told %s", from, got)
		}
	}
	in.Down = map[landfall.NodeID]bool{"sjc1": true}
	if p = Compile(in); p.Choice(p.LookupResolver(A, addr("10.0.0.53"))).Edges[0] != "nyc1" {
		t.Error("a resolver is sent to an edge that is down")
	}
	in.Down, in.Measured = nil, measure.Of(1, measure.Verdict{Prefix: network("30.0.1.0/24"), Estimates: []measure.Estimate{{Edge: "fra1", RTT: time.Millisecond, Fresh: true}}},
		measure.Verdict{Prefix: network("30.0.2.0/24"), Estimates: []measure.Estimate{{Edge: "fra1", RTT: time.Millisecond, Fresh: true}}})
	if p = Compile(in); p.Choice(p.LookupResolver(A, addr("10.0.0.53"))).Edges[0] != "fra1" {
		t.Error("what was measured of its clients does not count for a resolver")
	}
}

func TestExplorationLeadsWhereItCan(t *testing.T) {
	in := three()
	in.Demand = 1000
	in.Map.Steering.Ceiling = 900
	in.Weights = traffic.Of(map[netip.Prefix]float64{network("10.0.1.0/24"): 1e6, network("20.0.1.0/24"): 1e6, network("30.0.1.0/24"): 1e6})
	in.Measured = measure.Of(1, measure.Verdict{Prefix: network("10.0.1.0/24"), Explore: "nyc1"})
	if got := first(t, Compile(in), "10.0.1.1"); got != "nyc1" {
		t.Errorf("told %s", got)
	}
	e := Compile(in).Explain(A, addr("10.0.1.1"), false)
	if i := slices.IndexFunc(e.Edges, func(c Candidate) bool { return c.ID == "nyc1" }); e.Edges[i].Why != ToExplore {
		t.Errorf("%+v", e.Edges[i])
	}
	if got := first(t, Compile(in), "10.0.2.1"); got != "fra1" {
		t.Errorf("its neighbours are told %s", got)
	}
	in.Down = map[landfall.NodeID]bool{"nyc1": true}
	if got := first(t, Compile(in), "10.0.1.1"); got != "fra1" {
		t.Errorf("nyc1 is down, told %s", got)
	}
	in.Down = nil
	in.Map.Nodes[1].Ceiling = 500 // a third goes there anyway, and a third would come
	if got := first(t, Compile(in), "10.0.1.1"); got != "fra1" {
		t.Errorf("nyc1 has no room, told %s", got)
	}
	in.Map.Nodes[1].Ceiling, in.Map.Nodes[1].State = 0, landfall.Draining
	if got := first(t, Compile(in), "10.0.1.1"); got != "fra1" {
		t.Errorf("nyc1 drains, told %s", got)
	}
}

// A few queries do not say where all clients are; many do, but for those who
// were silent so far.
func TestQueriesWeighByTheirNumber(t *testing.T) {
	in := three()
	for queries, want := range map[float64]float64{0: 1. / 3, 2: 0.3336, 50: 0.34, 5000: 2. / 3, 1e9: 0.95 + 0.05/3} {
		in.Weights = traffic.Of(map[netip.Prefix]float64{network("30.0.1.0/24"): queries})
		if got := Compile(in).Loads()[2].First; math.Abs(got-want) > 1e-4 {
			t.Errorf("after %g queries, all from beside sjc1, %.4f of clients count as there, want %.4f", queries, got, want)
		}
	}
}

// An override counts as the reason only if the atlas heeds it.
func TestOverridesAreTheReasonIfTheyAreHeeded(t *testing.T) {
	in := three()
	in.Map.Overrides = []landfall.Override{
		{Prefix: network("10.0.8.0/24"), Country: "US"}, {ASN: 64500, Country: "SE"}, {Prefix: network("20.0.0.0/24")},
	}
	bare := Compile(in)
	heeded, err := in.Atlas.With(in.Map.Overrides)
	if err != nil {
		t.Fatal(err)
	}
	in.Atlas = heeded
	corrected := Compile(in)
	for _, a := range []string{"10.0.8.1", "20.0.0.1"} {
		if o := bare.Explain(A, addr(a), false).Override; o != nil {
			t.Errorf("%s: %s is told as the reason, and the atlas knows nothing of it", a, o.Of())
		}
		if o := corrected.Explain(A, addr(a), false).Override; o == nil || !o.Prefix.Contains(addr(a)) {
			t.Errorf("%s: told %v as the reason", a, o)
		}
	}
}

// The first edge ranks first, and others do not.
func TestOneEdgeRanksFirst(t *testing.T) {
	in := three()
	in.Map.Steering.Answers = 2
	var got []Why
	for _, c := range Compile(in).Explain(A, addr("10.0.0.1"), false).Edges {
		got = append(got, c.Why)
	}
	if want := []Why{ByRank, AlsoByRank, Enough}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestDrainingEdgesLeaveAtOnce(t *testing.T) {
	in := three()
	in.Map.Nodes[0].State = landfall.Draining
	for at := range Compile(in).Table(A).All() {
		if got := Compile(in).told(at.Addr()); slices.Contains(got, "fra1") {
			t.Fatalf("%v is told %v", at, got)
		}
	}
}

// Edges at one place share its clients by their weights, and the first place
// of an answer with them.
func TestEdgesAtOnePlaceShareByWeight(t *testing.T) {
	w := newWorld(3, 60)
	w.populate(300, 1500, 0.75)
	w.m.Steering.Answers = 1
	in := Input{Map: w.m, Atlas: w.atlas()}
	for epoch := range uint64(some(1, 2)) {
		in.Epoch = epoch * 1024
		loads := Compile(in).Loads()
		fra, nyc := loads[0].First/(loads[0].First+loads[1].First), 0.0
		for _, l := range loads {
			if l.Edge == "nyc2" {
				nyc = l.First
			}
			if l.Edge == "nyc3" {
				nyc /= nyc + l.First
			}
		}
		// Two edges of weights 100 and 300, and two alike.
		if math.Abs(fra-0.25) > 0.05 || math.Abs(nyc-0.5) > 0.05 {
			t.Errorf("epoch %d: shares %.3f and %.3f, want 0.25 and 0.5", in.Epoch, fra, nyc)
		}
	}
}

// From one epoch to the next one prefix in steer.SpreadEpochs draws anew.
func TestFewDrawAnewInAnEpoch(t *testing.T) {
	w := newWorld(3, 60)
	w.populate(100, 100, 0.8)
	in := Input{Map: w.m, Atlas: w.atlas()}
	before := Compile(in)
	in.Epoch = 8
	if moved := Moved(Diff(before, Compile(in), A)); moved == 0 || moved > 0.03 {
		t.Errorf("%.4f of clients moved in 8 epochs of 1024", moved)
	}
}

// What Diff predicts is what every /24 observes.
func TestMovesArePredictedForEvery24(t *testing.T) {
	w := newWorld(4, 120)
	w.populate(30, 30, 0.85)
	atlas := w.atlas()
	before := Compile(Input{Map: w.m, Atlas: atlas})
	next := w.m.Clone()
	next.Nodes[4].State = landfall.Gone
	next.Regions[3].Place = landfall.Place{Lat: 35.7, Lon: 139.7}
	next.Preferences = []landfall.Preference{{Country: "BB", Regions: []landfall.RegionID{"jnb"}}}
	after := Compile(Input{Map: next, Atlas: atlas})
	for k := range kinds {
		moves := Diff(before, after, k)
		every, at, share := 1, 0, 0.0
		was, is := texts(before, k), texts(after, k)
		if testing.Short() || k > A {
			every = 251
		}
		for i := 0; i < 1<<24; i += every {
			a := net24(i)
			for at < len(moves) && moves[at].Prefix.Addr().Less(a) && !moves[at].Prefix.Contains(a) {
				at++
			}
			predicted := at < len(moves) && moves[at].Prefix.Contains(a)
			x, _ := before.Lookup(k, a)
			y, _ := after.Lookup(k, a)
			observed := was[x] != is[y]
			if predicted != observed || observed && (said(moves[at].From.told(k)) != was[x] || said(moves[at].To.told(k)) != is[y]) {
				t.Fatalf("%v, %v: predicted %v, observed %v: from %v to %v", k, a, predicted, observed, before.Choice(x), after.Choice(y))
			}
		}
		for _, f := range Flows(moves) {
			share += f.Share
		}
		if share < 0.05 || math.Abs(share-Moved(moves)) > 1e-9 || share > 1 {
			t.Errorf("%v: %g of clients move, the flows say %g", k, Moved(moves), share)
		}
	}
}

// texts are what choices tell, by number.
func texts(p *Plan, k Kind) []string {
	var out []string
	for i := range p.Choices() {
		out = append(out, said(p.Choice(uint32(i)).told(k)))
	}
	return out
}

// With a budget the table is smaller; no more than that share is told anything
// but its best, and nobody an edge that is farther than the bound allows.
func TestBudgetIsKept(t *testing.T) {
	w := newWorld(5, 120)
	w.populate(30, 30, 0.85)
	atlas := w.atlas()
	exact := Compile(Input{Map: w.m, Atlas: atlas})
	thrifty := w.m.Clone()
	thrifty.Steering.Budget, thrifty.Steering.WorseBy = 0.01, 15*time.Millisecond
	p := Compile(Input{Map: thrifty, Atlas: atlas})
	moved := Moved(Diff(exact, p, Both))
	v4, _ := exact.Len(Both)
	few, _ := p.Len(Both)
	if moved > 0.01 || math.Abs(moved-p.Moved()) > 1e-6 || 5*few > 4*v4 {
		t.Errorf("%d prefixes instead of %d, %g of clients moved, said %g", few, v4, moved, p.Moved())
	}
	for i, m := range Diff(exact, p, Both) {
		if m.Share == 0 || i%17 != 0 {
			continue
		}
		e := p.Explain(Both, m.Prefix.Addr(), false)
		rtt := map[landfall.NodeID]time.Duration{}
		for _, c := range e.Edges {
			rtt[c.ID] = c.RTT
		}
		for i, id := range e.Choice.Edges {
			if rtt[id] > rtt[e.Exact.Edges[i]]+15*time.Millisecond {
				t.Fatalf("%v: %s (%v) instead of %s (%v)", m.Prefix, id, rtt[id], e.Exact.Edges[i], rtt[e.Exact.Edges[i]])
			}
		}
	}
}

// Clients of whom nothing is known are measured from home, for the budget too:
// they are not told an edge at the other end of the world because their
// neighbours are.
func TestBudgetIsNotSpentOnTheUnknownEither(t *testing.T) {
	in := three()
	in.Map.Steering.Budget = 0.005
	p := Compile(in)
	for _, a := range []string{"30.1.0.1", "20.255.0.1", "2001:db8::1", "192.168.0.1"} {
		if got := first(t, p, a); got != "fra1" {
			t.Errorf("%s, of which nothing is known, is told %s", a, got)
		}
	}
	in.Map.Steering.WorseBy = landfall.MaxWorseBy
	if was, is := p.Table(A), Compile(in).Table(A); countOf(is) >= countOf(was) {
		t.Errorf("if operators do not mind, %d prefixes become %d", countOf(was), countOf(is))
	}
}

func countOf(t *prefix.Table) int {
	v4, v6 := t.Len()
	return v4 + v6
}

// An explanation ends in what is told, for everybody.
func TestExplanationsEndInTheAnswer(t *testing.T) {
	for seed := range uint64(some(2, 4)) {
		in, w := crowded(seed)
		var sample func() netip.Addr
		in.Measured, sample = w.measured(30)
		w.m.Steering.Budget = landfall.Share(float64(seed%2) / 100)
		in.Down = w.down(1 << seed)
		p := Compile(in)
		for range some(100, 300) {
			a := sample()
			e := p.Explain(Both, a, false)
			i, bits := p.Lookup(Both, a)
			named := 0
			for _, c := range e.Edges {
				if c.Named {
					named++
				}
			}
			if want := p.Choice(i); !slices.Equal(e.Choice.V4, want.V4) || a.IsValid() && e.Scope.Bits() != bits || named != len(want.Edges) {
				t.Fatalf("seed %d, %v: explained %v %v, told %v /%d", seed, a, e.Choice, e.Scope, want, bits)
			}
		}
	}
}

func TestNobodyAndNothingAreAnswered(t *testing.T) {
	in := three()
	p := Compile(in)
	if got := p.Choice(p.Nobody(A)).Edges; !slices.Equal(got, []landfall.NodeID{"fra1"}) {
		t.Errorf("nobody is told %v", got)
	}
	if i, bits := p.Lookup(AAAA, addr("10.0.0.1")); bits != 0 || p.Choice(i).V6 != nil {
		t.Errorf("no edge has an IPv6 address, scope /%d", bits)
	}
	in.Down = map[landfall.NodeID]bool{"fra1": true, "nyc1": true, "sjc1": true}
	if got := first(t, Compile(in), "30.0.0.1"); got != "sjc1" {
		t.Errorf("none is up, told %s", got)
	}
	empty := Compile(Input{})
	if i, bits := empty.Lookup(A, addr("192.0.2.1")); bits != 0 || len(empty.Choice(i).Edges) != 0 || len(empty.Loads()) != 0 {
		t.Error("a map without edges names some")
	}
	empty.Explain(A, addr("192.0.2.1"), true)
}
