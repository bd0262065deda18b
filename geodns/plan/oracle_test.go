package plan

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"landfall"
	"landfall/geodns/steer"
)

// An oracle knows what every address should be told, by asking geodns/steer
// about each place there is, and holds that against a Plan. It knows no
// prefix.Table: it paints the rows of the world over the stretches between
// borders, the narrow over the wide.
type oracle struct {
	w      *world
	plan   *Plan
	ranker *steer.Ranker
	fits   []bool
	locs   []landfall.Location
	told   map[toldKey]uint16
	names  map[string]uint16
}

type toldKey struct {
	loc  uint16
	draw steer.Draw
}

func newOracle(w *world, plan *Plan, down map[landfall.NodeID]bool) *oracle {
	o := &oracle{w: w, plan: plan, ranker: steer.NewRanker(w.m), told: map[toldKey]uint16{}, names: map[string]uint16{}}
	o.fits, _ = o.ranker.Fit(func(id landfall.NodeID) bool { return !down[id] })
	return o
}

// tell numbers what clients at a location are told who draw with a prefix.
func (o *oracle) tell(loc uint16, draw steer.Draw) uint16 {
	key := toldKey{loc, draw}
	name, ok := o.told[key]
	if !ok {
		at := landfall.Location{}
		if int(loc) < len(o.locs) {
			at = o.locs[loc]
		}
		order := o.ranker.Rank(steer.View{Known: at.Known, Distances: o.ranker.Distances(at), Preference: o.ranker.Preference(0, at), Draw: draw})
		name = o.name(o.best(order))
		o.told[key] = name
	}
	return name
}

// best are the addresses of the first edges that serve; each has one of either
// family in the worlds of this test.
func (o *oracle) best(order []int) []netip.Addr {
	var out []netip.Addr
	for _, e := range order {
		if n, _ := o.w.m.Node(o.ranker.Edge(e).ID); o.fits[e] && len(out) < o.w.m.Steering.EffectiveAnswers() {
			out = append(out, n.Advertised[0])
		}
	}
	return out
}

func (o *oracle) name(addrs []netip.Addr) uint16 {
	key := fmt.Sprint(addrs)
	i, ok := o.names[key]
	if !ok {
		i = uint16(len(o.names))
		o.names[key] = i
	}
	return i
}

// answers are the names of all choices of the plan, by their numbers.
func (o *oracle) answers() []uint16 {
	var out []uint16
	for i := range o.plan.Choices() {
		out = append(out, o.name(o.plan.Choice(uint32(i)).V4))
	}
	return out
}

// locate numbers the locations, without their networks.
func (o *oracle) locate(loc landfall.Location) uint16 {
	loc.ASN = 0
	if !loc.Known {
		loc = landfall.Location{}
	}
	if len(o.locs) == 0 {
		o.locs = append(o.locs, landfall.Location{})
	}
	i := slices.Index(o.locs, loc)
	if i < 0 {
		i = len(o.locs)
		o.locs = append(o.locs, loc)
	}
	return uint16(i)
}

// blocks are the stretches of IPv4, by /24s.
type blocks struct {
	*stretches
	of    []int32 // the stretch of each /24
	start []int32 // the /24 each begins with, and the end
}

func newBlocks(s *stretches) *blocks {
	b := &blocks{stretches: s, of: make([]int32, 0, 1<<24)}
	for i, from := range s.from {
		if from.Is4() {
			a := from.As4()
			b.start = append(b.start, int32(a[0])<<16|int32(a[1])<<8|int32(a[2]))
			b.fill(int32(i) - 1)
		}
	}
	b.start = append(b.start, 1<<24)
	b.fill(int32(len(b.start)) - 2)
	return b
}

// fill makes what is before the last start a stretch.
func (b *blocks) fill(stretch int32) {
	n := len(b.of)
	b.of = b.of[:b.start[len(b.start)-1]]
	for i := range b.of[n:] {
		b.of[n+i] = stretch
	}
}

// uniform reports whether all of the prefix of a /24 is told the same.
func (b *blocks) uniform(i, bits int) bool {
	first := i >> (24 - bits) << (24 - bits)
	next := b.same[b.of[first]]
	return int(b.start[next]) >= first+1<<(24-bits)
}

func net24(i int) netip.Addr { return netip.AddrFrom4([4]byte{byte(i >> 16), byte(i >> 8), byte(i)}) }

// verify holds every /24, or every nth, against the truth: the answer is right,
// no address in its scope would get another, and of the next wider prefix some
// would.
func (o *oracle) verify(t *testing.T, b *blocks, every int) {
	t.Helper()
	names, faults := o.answers(), 0
	for i := rand.IntN(every); i < 1<<24; i += every {
		choice, bits := o.plan.Lookup(A, net24(i))
		right := names[choice] == b.told[b.of[i]]
		sound := bits <= 24 && b.uniform(i, bits)
		minimal := bits == 0 || !b.uniform(i, bits-1)
		if !right || !sound || !minimal {
			t.Errorf("%v: told %v, scope /%d (right %v, sound %v, minimal %v)", net24(i), o.plan.Choice(choice).Edges, bits, right, sound, minimal)
			if faults++; faults > 5 {
				t.FailNow()
			}
		}
	}
}

func TestScopesOfIPv4AreExact(t *testing.T) {
	if testing.Short() {
		t.Skip("all of IPv4")
	}
	every, few, networks := 1, 97, 30
	switch {
	case soak():
		networks = 135
	case testing.Short():
		every, few, networks = 97, 9973, 10
	}
	w := newWorld(1, 300)
	w.populate(networks, 5, 0.9)
	w.m.Preferences = []landfall.Preference{{Country: "BB", Regions: []landfall.RegionID{"gru", "nyc"}}}
	prepared := Prepare(Input{Map: w.m, Atlas: w.atlas()})
	o := newOracle(w, nil, nil)
	places := o.cut()
	draws := o.draw(places)
	b := newBlocks(places)
	for _, state := range states() {
		if state != 0 && !soak() {
			every = few
		}
		down := w.down(state)
		next := newOracle(w, prepared.Compile(State{Down: down}), down)
		next.locs = o.locs
		b.stretches = next.label(places, draws)
		next.verify(t, b, every)
	}
}

// states are those of eight edges: all up and each alone down, or all; in
// short, two.
func states() []int {
	if testing.Short() {
		return []int{0, 1 << 2}
	}
	out := []int{0}
	for i := 1; i < 256; i++ {
		if soak() || i&(i-1) == 0 {
			out = append(out, i)
		}
	}
	return out
}

// Whatever counts, an address is told what somebody finds who looks at it
// alone.
func TestTablesSayWhatEachAddressIsToldAlone(t *testing.T) {
	for seed := range uint64(some(2, 5)) {
		w := newWorld(seed, 30)
		w.populate(12, 12, 0.7)
		w.m.Steering.Answers = 1 + int(seed%3)
		w.m.Nodes[seed%8].State = landfall.Draining
		w.m.Preferences = []landfall.Preference{
			{Prefix: netip.MustParsePrefix("64.0.0.0/5"), Regions: []landfall.RegionID{"sin"}},
			{Prefix: netip.MustParsePrefix("2a00:1000::/21"), Regions: []landfall.RegionID{"gru"}},
			{ASN: 64502, Regions: []landfall.RegionID{"jnb", "fra"}},
			{Country: "AB", Regions: []landfall.RegionID{"sjc"}},
			{Continent: "AS", Regions: []landfall.RegionID{"sin", "sjc"}},
		}
		measured, sample := w.measured(40)
		down := w.down(int(w.r.Uint32() & w.r.Uint32() & 255))
		atlas := w.atlas()
		plan := Compile(Input{Map: w.m, Atlas: atlas, Down: down, Measured: measured, Epoch: seed * 4000})
		o := newOracle(w, plan, down)
		places := o.cut()
		for range some(200, 600) {
			if a := sample(); !o.agrees(a, seed*4000, measured, places) {
				t.Fatalf("seed %d: %v is told %v", seed, a, plan.told(a))
			}
		}
	}
}

func (p *Plan) told(a netip.Addr) []landfall.NodeID {
	i, _ := p.Lookup(Both, a)
	return p.Choice(i).Edges
}
