package wan

import "sync/atomic"

// Stats are a network's counters, and how late it was itself: the time
// between the moment something was due and the moment it was handed on. A
// measurement over this network is worth no more than these figures.
type Stats struct {
	Packets map[string]uint64 `metric:"packets_total" label:"fate" help:"Datagrams offered, by what became of them."`
	Doubled uint64            `metric:"packets_duplicated_total" help:"Datagrams that arrived twice."`
	Marked  uint64            `metric:"packets_marked_total" help:"Datagrams marked for congestion (ECN)."`
	Bytes   uint64            `metric:"packet_bytes_total" help:"Bytes of datagrams sent on."`
	Streams uint64            `metric:"streams_total" help:"Streams opened."`
	LateP50 float64           `metric:"late_p50_seconds" help:"Median time by which something was handed on too late."`
	LateP99 float64           `metric:"late_p99_seconds" help:"99th percentile of the same."`
	LateMax float64           `metric:"late_max_seconds" help:"Longest time by which something was handed on too late."`
}

// counters are what Stats is read from.
type counters struct {
	sent     atomic.Uint64
	straight atomic.Uint64
	lost     atomic.Uint64
	full     atomic.Uint64
	cut      atomic.Uint64
	tooBig   atomic.Uint64
	filtered atomic.Uint64
	strayed  atomic.Uint64
	failed   atomic.Uint64
	doubled  atomic.Uint64
	marked   atomic.Uint64
	bytes    atomic.Uint64
	streams  atomic.Uint64
	late     lateness
}

// drop counts a packet that does not arrive.
func (c *counters) drop(f fate) {
	switch f {
	case lost:
		c.lost.Add(1)
	case full:
		c.full.Add(1)
	case cut:
		c.cut.Add(1)
	case tooBig:
		c.tooBig.Add(1)
	}
}

// note counts what a link decided.
func (c *counters) note(v verdict) {
	c.drop(v.fate)
	if v.copies > 1 {
		c.doubled.Add(1)
	}
	if v.marked {
		c.marked.Add(1)
	}
}

// Stats returns the figures so far.
func (n *Network) Stats() Stats {
	c := &n.stats
	late := c.late.counts()
	return Stats{
		Packets: map[string]uint64{
			"delayed":  c.sent.Load(),
			"straight": c.straight.Load(),
			"lost":     c.lost.Load(),
			"full":     c.full.Load(),
			"cut":      c.cut.Load(),
			"too_big":  c.tooBig.Load(),
			"filtered": c.filtered.Load(),
			"strayed":  c.strayed.Load(),
			"failed":   c.failed.Load(),
		},
		Doubled: c.doubled.Load(),
		Marked:  c.marked.Load(),
		Bytes:   c.bytes.Load(),
		Streams: c.streams.Load(),
		LateP50: late.quantile(0.50).Seconds(),
		LateP99: late.quantile(0.99).Seconds(),
		LateMax: c.late.longest().Seconds(),
	}
}
