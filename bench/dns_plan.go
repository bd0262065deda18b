package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"runtime"
	"time"

	"landfall"
	"landfall/bench/atlas"
	"landfall/bench/peers"
	"landfall/geodns/locate"
	"landfall/geodns/plan"
)

// compiles are how long it takes to make plans, on one core.
type compiles struct {
	open  sample // the database read and flattened, ms
	whole sample // from the flattened database, ms
	flip  sample // one edge down, the rest as it was, ms
	bytes sample // of the tables for A, MB
}

// dnsPlan measures what a change of the network or of health costs a name
// server.
func dnsPlan(ctx context.Context, o options, table, progress io.Writer) error {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	var free, ceilings, thrifty compiles
	err := o.eachWorld(progress, func(s peers.Site) error {
		for i := range o.rounds {
			if err := ctx.Err(); err != nil {
				return err
			}
			fmt.Fprintf(progress, "world %d, round %d of %d: plans\n", s.World.Seed, i+1, o.rounds)
			begun := busy()
			a, err := locate.Open(locate.Sources{Places: s.Database}, nil)
			if err != nil {
				return err
			}
			free.open.add(since(begun))
			m := s.World.Map(peers.Zone, peers.Host, 2)
			free.measure(s.World, plan.Input{Map: m, Atlas: a})
			limited := m.Clone()
			limited.Steering.Ceiling = 10_000
			ceilings.measure(s.World, plan.Input{Map: limited, Atlas: a, Demand: 64_000})
			frugal := m.Clone()
			frugal.Steering.Budget = 0.005
			thrifty.measure(s.World, plan.Input{Map: frugal, Atlas: a})
		}
		return nil
	})
	if err != nil {
		return err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "Making plans for eight edges, in milliseconds of one core: medians of %d rounds in each of %d worlds (smallest – largest)\n%s\n\n", o.rounds, o.worlds, machine(o.root))
	row(&b, "database read and flattened", free.open, "ms", 0, "")
	free.write(&b, "no ceilings", "at most 200 ms")
	ceilings.write(&b, "ceilings, 80 % load", "at most 200 ms")
	thrifty.write(&b, "budget 0.5 %", "at most 200 ms")
	_, err = table.Write(b.Bytes())
	return err
}

func (c *compiles) measure(w *atlas.World, in plan.Input) {
	runtime.GC()
	begun := busy()
	prepared := plan.Prepare(in)
	p := prepared.Compile(plan.State{Demand: in.Demand})
	c.whole.add(since(begun))
	c.bytes.add(float64(p.Table(plan.A).Bytes()) / (1 << 20))
	runtime.GC()
	begun = busy()
	prepared.Compile(plan.State{Demand: in.Demand, Down: map[landfall.NodeID]bool{w.Edges[1].Node(): true}})
	c.flip.add(since(begun))
}

func (c *compiles) write(b *bytes.Buffer, name, aim string) {
	fmt.Fprintln(b)
	row(b, name+": whole plan", c.whole, "ms", 0, aim)
	row(b, "  an edge goes down", c.flip, "ms", 0, aim)
	row(b, "  table for A", c.bytes, "MB", 2, "at most 8 MiB")
}

// since is how many milliseconds of processor were spent.
func since(begun time.Duration) float64 { return float64((busy() - begun).Microseconds()) / 1e3 }
