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

func BenchmarkEdges(b *testing.B) {
	w := large(b, 3000, 75)
	atlas := w.atlas()
	for _, edges := range []int{8, 50, 100, 200, 500} {
		for _, regions := range []int{6, edges} {
			free := Input{Map: w.manyEdges(edges, regions), Atlas: atlas}
			for _, c := range []struct {
				name string
				in   Input
			}{{"free", free}, {"ceilings", limited(free)}} {
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
