package day

import (
	"slices"
	"time"

	"landfall/mesh/wan"
)

// Result is what a day was like.
type Result struct {
	Seed     uint64
	Length   time.Duration
	Trace    wan.Trace         // of all packets on the wire
	Fates    map[string]uint64 // of these packets; see wan.Stats
	Sent     uint64            // messages
	Refused  uint64            // of these, by their sender's node
	Arrived  uint64            // messages
	Wrong    uint64            // messages that arrived but were never sent like that, or arrived before
	P50, P99 time.Duration     // from sending to arrival
	Longest  time.Duration

	// What it cost in truth is set by Spec.Test: virtual time cannot tell.
	Took time.Duration
	CPU  time.Duration
}

func (d *day) result(m *wan.Memory) Result {
	d.mu.Lock()
	defer d.mu.Unlock()
	slices.Sort(d.took)
	quantile := func(q float64) time.Duration {
		if len(d.took) == 0 {
			return 0
		}
		return d.took[int(q*float64(len(d.took)-1))]
	}
	return Result{
		Seed: d.config.Seed, Length: d.config.Length,
		Trace: m.Trace(), Fates: d.network.Stats().Packets,
		Sent: d.sent, Refused: d.refused, Arrived: uint64(len(d.took)), Wrong: d.wrong,
		P50: quantile(0.5), P99: quantile(0.99), Longest: quantile(1),
	}
}
