package plan

import (
	"fmt"
	"math"
	"net/netip"
	"testing"

	"landfall"
)

// manyEdges makes a map of n edges in so many regions, anywhere on the
// continents; each has a weight of its own.
func (w *world) manyEdges(n, regions int) *landfall.Map {
	m := &landfall.Map{Network: "test", Domain: "example.net"}
	for i := range regions {
		m.Regions = append(m.Regions, landfall.Region{ID: landfall.RegionID(fmt.Sprint("r", i)), Place: w.places[i*len(w.places)/regions].Place, Home: i == 0})
	}
	for i := range n {
		m.Nodes = append(m.Nodes, landfall.Node{
			ID: landfall.NodeID(fmt.Sprintf("edge%03d", i)), Region: m.Regions[i%regions].ID, Roles: []landfall.Role{landfall.RoleEdge}, Weight: 50 + w.r.IntN(200),
			Advertised: []netip.Addr{netip.AddrFrom4([4]byte{192, 0, byte(2 + i>>8), byte(i)}), netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 14: byte(i >> 8), 15: byte(i)})},
		})
	}
	return m
}

// demand is the part of what all edges can serve together that clients ask for.
const demand = 0.8

// limited gives all edges the same ceiling.
func limited(in Input) Input {
	m := in.Map.Clone()
	m.Steering.Ceiling = int(math.Ceil(1e6 / demand / float64(len(m.Nodes))))
	in.Map, in.Demand = m, 1e6
	return in
}

// Where edges are many, most of what their prefixes drew is never looked at;
// what is told is the same as if it were.
func TestManyEdgesAreToldAsEachAddressIsAlone(t *testing.T) {
	for seed, regions := range []int{1, 90, 4, 20}[:some(2, 4)] {
		w := newWorld(uint64(seed), 90)
		w.populate(12, 12, 0.7)
		w.m = w.manyEdges(90, regions)
		w.m.Steering.Answers = 1 + seed%3
		w.m.Nodes[seed].State = landfall.Draining
		w.m.Preferences = []landfall.Preference{
			{Country: "AB", Regions: []landfall.RegionID{"r0"}},
			{Continent: "AS", Regions: []landfall.RegionID{w.m.Regions[regions/2].ID, w.m.Regions[regions-1].ID}[:min(regions, 2)]},
		}
		measured, sample := w.measured(40)
		down := map[landfall.NodeID]bool{}
		for _, i := range w.r.Perm(90)[:10*seed] {
			down[w.m.Nodes[i].ID] = true
		}
		plan := Compile(Input{Map: w.m, Atlas: w.atlas(), Down: down, Measured: measured, Epoch: uint64(seed) * 3000})
		o := newOracle(w, plan, down)
		places := o.cut()
		for range some(100, 300) {
			if a := sample(); !o.agrees(a, uint64(seed)*3000, measured, places) {
				t.Fatalf("%d regions: %v is told %v", regions, a, plan.told(a))
			}
		}
	}
}

// Nobody is toppled by one of many, either.
func TestWhenOneOfManyEdgesDiesNobodyIsToppled(t *testing.T) {
	for seed, regions := range []int{3, 60}[:some(1, 2)] {
		w := newWorld(uint64(seed), 60)
		w.populate(20, 6, 0.6)
		w.m = w.manyEdges(60, regions)
		w.m.Steering.Answers = 2
		in := limited(Input{Map: w.m, Atlas: w.atlas()})
		p := Prepare(in)
		up := p.Compile(State{Demand: in.Demand})
		if err := held(up, false); err != nil {
			t.Errorf("%d regions, all up: %v", regions, err)
		}
		dead := w.m.Nodes[w.r.IntN(60)].ID
		after := p.Compile(State{Demand: in.Demand, Down: map[landfall.NodeID]bool{dead: true}})
		if err := held(after, true); err != nil {
			t.Errorf("%d regions, %s down: %v", regions, dead, err)
		}
		for _, m := range Diff(up, after, Both) {
			if err := justified(m, dead); err != nil {
				t.Errorf("%d regions, %s down: %v: %v", regions, dead, m.Prefix, err)
			}
		}
	}
}

func BenchmarkEdges(b *testing.B) {
	w := large(b, 3000, 75)
	atlas := w.atlas()
	for _, edges := range []int{8, 50, 100, 200, 500} {
		for _, regions := range []int{6, edges} {
			free := Input{Map: w.manyEdges(edges, regions), Atlas: atlas}
			free.Map.Steering.Answers = 2
			thrifty := Input{Map: free.Map.Clone(), Atlas: atlas}
			thrifty.Map.Steering.Budget = 0.005
			tooMuch := limited(free)
			tooMuch.Demand *= 1.5
			for _, c := range []struct {
				name string
				in   Input
			}{{"free", free}, {"ceilings", limited(free)}, {"ceilings too low", tooMuch}, {"budget", thrifty}} {
				name := fmt.Sprintf("edges=%d/regions=%d/%s", edges, regions, c.name)
				down := map[landfall.NodeID]bool{c.in.Map.Nodes[edges/2].ID: true}
				b.Run(name+"/prepare", func(b *testing.B) {
					b.ReportAllocs()
					for b.Loop() {
						Prepare(c.in)
					}
				})
				p := Prepare(c.in)
				b.Run(name+"/compile", func(b *testing.B) {
					b.ReportAllocs()
					for b.Loop() {
						p.Compile(State{Down: down, Demand: c.in.Demand})
					}
				})
			}
		}
	}
}
