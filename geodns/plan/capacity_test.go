package plan

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"landfall"
	"landfall/geodns/prefix"
	"landfall/geodns/traffic"
)

// crowded is a world whose edges serve four fifths of what they can: all of
// the same size, or each as large as what falls to it.
func crowded(seed uint64) (Input, *world) {
	w := newWorld(seed, 24)
	w.populate(10+w.r.IntN(20), w.r.IntN(12), 0.4+w.r.Float64()/2)
	w.m.Steering.Answers = 1 + w.r.IntN(3)
	for i := range w.m.Nodes {
		n := &w.m.Nodes[i]
		n.Region = w.m.Regions[w.r.IntN(len(w.m.Regions))].ID
		n.Weight = 50 + w.r.IntN(200)
		if w.r.IntN(3) == 0 {
			n.Advertised = append(n.Advertised, netip.AddrFrom4([4]byte{198, 51, 100, byte(i)}))
		}
	}
	in := Input{Map: w.m, Atlas: w.atlas(), Demand: 1e6}
	if w.r.IntN(3) == 0 {
		in.Weights = w.heavyTailed()
	}
	free := Compile(in)
	own := w.r.IntN(2) == 0
	for i, n := range w.m.Nodes {
		w.m.Nodes[i].Ceiling = 1e6 / 0.8 / 8
		if e, _ := free.prepared.ranker.Index(n.ID); own {
			w.m.Nodes[i].Ceiling = 1 + int(free.Loads()[e].Load*1e6/0.8)
		}
	}
	return in, w
}

// heavyTailed are queries of which few networks make most.
func (w *world) heavyTailed() *traffic.View {
	counts := map[netip.Prefix]float64{}
	for range 500 {
		p := landfall.ClientPrefix(netip.AddrFrom4([4]byte{byte(w.r.Uint32()), byte(w.r.Uint32()), byte(w.r.Uint32())}))
		counts[p] = math.Exp(w.r.Float64() * 6)
	}
	return traffic.Of(counts)
}

// scattered is a world whose edges are anywhere and serve four fifths of what
// they can together, though some can hardly serve anybody.
func scattered(seed uint64) (Input, *world) {
	w := &world{r: rand.New(rand.NewPCG(seed, 9)), rows: map[netip.Prefix]landfall.Location{}, m: eight()}
	anywhere := func() landfall.Place {
		return landfall.Place{Lat: -50 + 110*w.r.Float64(), Lon: -180 + 360*w.r.Float64()}
	}
	for range 100 + w.r.IntN(200) {
		p, _ := netip.AddrFrom4([4]byte{byte(1 + w.r.IntN(200)), byte(w.r.Uint32()), byte(w.r.Uint32())}).Prefix(12 + w.r.IntN(13))
		w.rows[p] = landfall.Location{Known: true, Place: anywhere()}
	}
	w.m.Steering.Answers = 1 + w.r.IntN(3)
	w.m.Regions = nil
	more, all := w.r.IntN(3), 0
	for i := range w.m.Nodes {
		n := &w.m.Nodes[i]
		n.Region, n.Ceiling = landfall.RegionID(n.ID), 1000+w.r.IntN(20_000)
		all += n.Ceiling
		w.m.Regions = append(w.m.Regions, landfall.Region{ID: n.Region, Place: anywhere(), Home: i == 0})
		for j := range w.r.IntN(1 + more) {
			n.Advertised = append(n.Advertised, netip.AddrFrom4([4]byte{198, 51, 100, byte(8*j + i)}))
		}
	}
	return Input{Map: w.m, Atlas: w.atlas(), Demand: 0.8 * float64(all)}, w
}

func TestWhenAnEdgeDiesNobodyIsToppled(t *testing.T) {
	for _, kind := range []struct {
		name              string
		world             func(uint64) (Input, *world)
		short, worlds, of uint64
	}{{"crowded", crowded, 1, 12, 1000}, {"scattered", scattered, 10, 100, 10_000}} {
		worlds := kind.worlds
		switch {
		case soak():
			worlds = kind.of
		case testing.Short():
			worlds = kind.short
		}
		t.Run(kind.name, func(t *testing.T) {
			moved, shortened := 0.0, 0.0
			for seed := range worlds {
				in, w := kind.world(seed)
				p := Prepare(in)
				up := p.Compile(State{Demand: in.Demand})
				if err := held(up, false); err != nil {
					t.Errorf("seed %d, all up: %v", seed, err)
				}
				dead := w.m.Nodes[w.r.IntN(8)].ID
				after := p.Compile(State{Demand: in.Demand, Down: map[landfall.NodeID]bool{dead: true}})
				if err := held(after, true); err != nil {
					t.Errorf("seed %d, %s down: %v", seed, dead, err)
				}
				for _, m := range Diff(up, after, Both) {
					if err := justified(m, dead); err != nil {
						t.Errorf("seed %d, %s down: %v: %v", seed, dead, m.Prefix, err)
					}
					moved += m.Share
					if lost(m, dead) != "" {
						shortened += m.Share
					}
				}
			}
			t.Logf("of those whom a death moves, %.2g lose another edge too", shortened/moved)
			if shortened > moved/50 {
				t.Error("that is more than as a last resort")
			}
		})
	}
}

// held reports an edge that has more than it can serve while another has room
// for some of its clients, beyond what is too little to look for: if an edge is
// down, for some of those that it took over.
func held(p *Plan, down bool) error {
	w := p.work
	for e, l := range p.loads {
		if l.Load <= l.Ceiling*(1+1e-6) {
			continue
		}
		for i, piece := range w.pieces {
			told := &w.picks[w.told[i]]
			share := told.share(e)
			if piece.weight == 0 || share == 0 || down && w.picks[w.based[i]].share(e) >= share {
				continue
			}
			for f, room := range p.loads {
				if need := least(piece) * (1 - told.share(f)); f != e && room.Serves && room.Load+need < room.Ceiling*(1-little) {
					return fmt.Errorf("%s has %g of %g, and %s has room for some of %v: %g of %g", l.Edge, l.Load, l.Ceiling, room.Edge, piece.prefix, room.Load, room.Ceiling)
				}
			}
		}
	}
	return nil
}

// least is no less than the lightest part of a piece weighs.
func least(p piece) float64 {
	if !p.prefix.IsValid() || smallest(p.prefix) {
		return p.weight
	}
	longest := 48
	if p.prefix.Addr().Is4() {
		longest = 24
	}
	return p.weight / math.Exp2(float64(longest-p.prefix.Bits()))
}

// justified reports a move which the dead edge has no part in, or in which a
// living edge loses its slots, but for clients who are told one edge alone
// because there is room nowhere else.
func justified(m Move, dead landfall.NodeID) error {
	if !slices.Contains(m.From.Edges, dead) {
		return fmt.Errorf("%v becomes %v", m.From.Edges, m.To.Edges)
	}
	if slices.Contains(m.To.Edges, dead) {
		return fmt.Errorf("the dead edge is named: %v", m.To.Edges)
	}
	if e := lost(m, dead); e != "" && len(m.To.Edges) > 1 {
		return fmt.Errorf("%v becomes %v: %s lost its slots", m.From.Edges, m.To.Edges, e)
	}
	return nil
}

// lost is a living edge that is not told any more.
func lost(m Move, dead landfall.NodeID) landfall.NodeID {
	for _, e := range m.From.Edges {
		if e != dead && !slices.Contains(m.To.Edges, e) {
			return e
		}
	}
	return ""
}

// What a Plan says of loads is what its tables say, added up by /24.
func TestLoadsAreWhatTablesSay(t *testing.T) {
	in, _ := crowded(7)
	in.Down = map[landfall.NodeID]bool{in.Map.Nodes[2].ID: true}
	p := Compile(in)
	sums := map[landfall.NodeID]float64{}
	cross := p.prepared.in.Atlas.Places()
	for leaf := range cross.All() {
		addWeights(p, leaf, sums)
	}
	for _, l := range p.Loads() {
		if math.Abs(sums[l.Edge]-l.Load) > 1e-6 {
			t.Errorf("%s: %g, and the tables say %g", l.Edge, l.Load, sums[l.Edge])
		}
	}
}

// addWeights divides a prefix of one place until all of it is told the same.
func addWeights(p *Plan, at netip.Prefix, sums map[landfall.NodeID]float64) {
	i, bits := p.Lookup(Both, at.Addr())
	if bits > at.Bits() {
		left, right := prefix.Halves(at)
		addWeights(p, left, sums)
		addWeights(p, right, sums)
		return
	}
	pick := p.work.picks[i]
	for _, s := range pick.all() {
		sums[p.prepared.ranker.Edge(int(s.edge)).ID] += p.prepared.weigher.weight(at) * pick.share(int(s.edge))
	}
}

// The same input gives the same tables, in whatever order the map lists what
// is in it: name servers need not talk to agree.
func TestAllNameServersAgree(t *testing.T) {
	if testing.Short() {
		t.Skip("worlds of full size")
	}
	for seed := range uint64(2) {
		in, w := crowded(seed)
		in.Measured, _ = w.measured(30)
		w.m.Steering.Budget = landfall.Share(float64(seed%2) / 100)
		in.Down = w.down(1 << seed)
		want := dump(Compile(in))
		r := rand.New(rand.NewPCG(seed, 3))
		again := w.m.Clone()
		r.Shuffle(len(again.Nodes), func(i, j int) { again.Nodes[i], again.Nodes[j] = again.Nodes[j], again.Nodes[i] })
		r.Shuffle(len(again.Regions), func(i, j int) { again.Regions[i], again.Regions[j] = again.Regions[j], again.Regions[i] })
		in.Map = again
		if got := dump(Compile(in)); got != want {
			t.Errorf("seed %d: another order of the map gives another plan", seed)
		}
	}
}

// dump is all that a Plan tells.
func dump(p *Plan) string {
	var b []byte
	for k := range kinds {
		for at, i := range p.Table(k).All() {
			b = fmt.Appendln(b, at, p.Choice(i))
		}
		b = fmt.Appendln(b, p.Choice(p.Nobody(k)))
	}
	return string(fmt.Append(b, p.Loads()))
}
