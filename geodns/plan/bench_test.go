package plan

import (
	"net/netip"
	"testing"

	"landfall"
	"landfall/geodns/traffic"
)

func BenchmarkCompile(b *testing.B) {
	w := large(b, 3000, 135)
	atlas := w.atlas()
	down := map[landfall.NodeID]bool{"nyc2": true}
	limited := eight()
	limited.Steering.Ceiling = 1000
	thrifty := eight()
	thrifty.Steering.Budget = 0.005
	for _, c := range []struct {
		name   string
		in     Input
		demand float64
	}{
		{"free", Input{Map: w.m, Atlas: atlas}, 0},
		{"ceilings not reached", Input{Map: limited, Atlas: atlas}, 2000},
		{"ceilings reached", Input{Map: limited, Atlas: atlas}, 6400},
		{"ceilings too low", Input{Map: limited, Atlas: atlas}, 9000},
		{"budget", Input{Map: thrifty, Atlas: atlas}, 0},
	} {
		p := Prepare(c.in)
		b.Run(c.name+"/prepare", func(b *testing.B) {
			for b.Loop() {
				p = Prepare(c.in)
			}
		})
		b.Run(c.name+"/compile", func(b *testing.B) {
			for b.Loop() {
				plan := p.Compile(State{Down: down, Demand: c.demand})
				b.ReportMetric(float64(plan.Table(Both).Bytes()), "table-bytes")
			}
		})
	}
}

func BenchmarkLookup(b *testing.B) {
	w := large(b, 3000, 135)
	p := Compile(Input{Map: w.m, Atlas: w.atlas(), Weights: traffic.Of(nil)})
	var addrs [1 << 12]netip.Addr
	for i := range addrs {
		addrs[i] = netip.AddrFrom4([4]byte{byte(w.r.Uint32()), byte(w.r.Uint32()), byte(w.r.Uint32()), 1})
	}
	i := 0
	for b.Loop() {
		p.Lookup(A, addrs[i%len(addrs)])
		i++
	}
}
