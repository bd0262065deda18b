package health

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"landfall"
)

// Config is what a Prober is made of.
type Config struct {
	// Self is the node the probes come from; empty if it is none of the map's.
	Self landfall.NodeID
	// Probe tries whether a node serves users, and is nil if so. Required.
	Probe func(context.Context, landfall.Node) error
	// Changed is told each new verdict, one at a time and in order. It must
	// return soon and not call the Prober. Required.
	Changed func(Down)
	// Rules say how many probes in a row change a vote.
	Rules Rules
	// Interval is the time between the beginnings of two probes of a node,
	// whether or not the first has ended; 0 means DefaultInterval.
	Interval time.Duration
	// Timeout is how long a probe may take, and so how long a node is silent
	// before it is down; 0 means DefaultTimeout. Where packets were lost of
	// late it is a third longer. It is Rules.Fall intervals at least.
	Timeout time.Duration
	// Log hears of verdicts; nil discards it.
	Log *slog.Logger
}

// What Config means where it says nothing: a node that refuses is down after
// 1 to 1.5 s, one that is silent after 3 to 3.5 s, or 4 to 4.5 s where packets
// are lost. By then seven probes, or nine, have waited in vain: on a way of
// 250 ms that loses every tenth packet that happens by bad luck once in days.
const (
	DefaultInterval = 500 * time.Millisecond
	DefaultTimeout  = 3 * time.Second
)

const (
	// staleAfter is how many intervals the votes of another vantage point
	// count: it is asked every two, and may be late or lost thrice.
	staleAfter = 8
	// maxFlight bounds the probes of a node that are under way at once, lest
	// one that heeds no timeout piles them up.
	maxFlight = 16
	// settling is for how long after the first map a node that comes with a
	// newer one is none that has just joined: we are, and read old maps.
	settling = 2 * time.Second
)

// Stats are the figures of a Prober since its start.
type Stats struct {
	Probes   map[string]uint64 `metric:"probes_total" label:"result" help:"Probes by result, ok or failed."`
	Votes    uint64            `metric:"votes_changed_total" help:"Votes of this vantage point that changed."`
	Verdicts uint64            `metric:"verdicts_total" help:"Verdicts that differed from the one before."`
	Vantages int64             `metric:"vantages" help:"Vantage points whose votes count, this one included."`
	Down     int64             `metric:"nodes_down" help:"Nodes that are down by the verdict."`
}

// Prober watches the edges of a map from one vantage point.
type Prober struct {
	c Config

	mu     sync.Mutex
	watch  Watch
	nodes  []landfall.Node
	begun  time.Time               // when the first map came
	flight map[landfall.NodeID]int // probes under way
	heard  map[landfall.NodeID]heard
	down   Down
	ok     uint64
	failed uint64
	stats  Stats
}

// heard are another vantage point's votes, and when they came.
type heard struct {
	votes Votes
	when  time.Time
}

// New makes a Prober that watches nothing yet.
func New(c Config) (*Prober, error) {
	if c.Probe == nil || c.Changed == nil {
		return nil, errors.New("health: Probe and Changed are required")
	}
	if c.Interval < 0 || c.Timeout < 0 || c.Rules.Rise < 0 || c.Rules.Fall < 0 {
		return nil, errors.New("health: intervals, timeouts and thresholds are not negative")
	}
	if c.Interval == 0 {
		c.Interval = DefaultInterval
	}
	if c.Timeout == 0 {
		c.Timeout = DefaultTimeout
	}
	if fall := orDefault(c.Rules.Fall, DefaultFall); c.Timeout < time.Duration(fall)*c.Interval {
		return nil, fmt.Errorf("health: a timeout of %v says too little with %d probes %v apart: make it longer", c.Timeout, fall, c.Interval)
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Prober{
		c:      c,
		watch:  Watch{Rules: c.Rules},
		flight: map[landfall.NodeID]int{},
		heard:  map[landfall.NodeID]heard{},
		down:   Down{},
	}, nil
}

// SetMap makes the edges of m those that are watched. Call it before the map
// goes to who names edges: those that join with it are down until they have
// answered, and Changed has been told so when SetMap returns.
//
// What is there from the beginning is taken as up until a result or a vote
// speaks against it: whoever has just started knows nothing, and would
// otherwise send everybody to the one edge that its probes reach first.
func (p *Prober) SetMap(m *landfall.Map) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.begun.IsZero() {
		p.begun = time.Now()
	}
	p.nodes = slices.Collect(m.Having(landfall.RoleEdge))
	var ids []landfall.NodeID
	for _, n := range p.nodes {
		ids = append(ids, n.ID)
	}
	before := maps.Clone(p.down)
	for _, id := range p.watch.Expect(ids) {
		if time.Since(p.begun) >= settling {
			before[id] = true
		}
	}
	p.judge(before)
}

// Hear takes the votes of another vantage point. They count until newer ones
// come, or none have for a while.
func (p *Prober) Hear(from landfall.NodeID, votes Votes) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.heard[from] = heard{maps.Clone(votes), time.Now()}
	p.judge(p.down)
}

// Votes are this vantage point's, for the others.
func (p *Prober) Votes() Votes {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.watch.Votes()
}

// Stats tells the figures.
func (p *Prober) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := p.stats
	out.Probes = map[string]uint64{"ok": p.ok, "failed": p.failed}
	out.Vantages = int64(len(p.heard)) + 1
	out.Down = int64(len(p.down))
	return out
}

// Run begins a probe of every node once an interval until ctx ends, and waits
// for the probes that are under way.
func (p *Prober) Run(ctx context.Context) error {
	var probes sync.WaitGroup
	defer probes.Wait()
	tick := time.NewTicker(p.c.Interval)
	defer tick.Stop()
	for {
		for _, d := range p.due() {
			probes.Go(func() { p.probe(ctx, d) })
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// try is a probe to make.
type try struct {
	node    landfall.Node
	timeout time.Duration
}

// due are the probes to begin now. On the way it forgets votes that have
// become old.
func (p *Prober) due() []try {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	old := now.Add(-staleAfter * p.c.Interval)
	maps.DeleteFunc(p.heard, func(_ landfall.NodeID, h heard) bool { return h.when.Before(old) })
	p.judge(p.down)
	var out []try
	for _, n := range p.nodes {
		if p.flight[n.ID] >= maxFlight {
			continue
		}
		p.flight[n.ID]++
		timeout := p.c.Timeout
		if p.watch.Lossy(n.ID, now) {
			timeout += timeout / 3
		}
		out = append(out, try{n, timeout})
	}
	return out
}

func (p *Prober) probe(ctx context.Context, t try) {
	limited, stop := context.WithTimeout(ctx, t.timeout)
	defer stop()
	began := time.Now()
	err := p.c.Probe(limited, t.node)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.flight[t.node.ID]--; p.flight[t.node.ID] == 0 {
		delete(p.flight, t.node.ID)
	}
	if ctx.Err() != nil {
		return // we are stopping: that says nothing about the node
	}
	if err == nil {
		p.ok++
	} else {
		p.failed++
	}
	p.observe(t.node.ID, Result{outcome(limited, err), began, time.Now()}, err)
}

// outcome sorts the errors of probes. What ends by a deadline that it was
// given may be told so a moment before the context is.
func outcome(limited context.Context, err error) Outcome {
	switch {
	case err == nil:
		return Answered
	case limited.Err() != nil, errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return Silent
	}
	return Refused
}

// observe takes a result to the votes and the verdict, with the lock held.
func (p *Prober) observe(id landfall.NodeID, r Result, err error) {
	changed, before := p.watch.Observe(id, r), p.down
	if changed {
		p.stats.Votes++
		p.c.Log.Debug("vote changed", "node", id, "vote", p.watch.nodes[id].vote(), "err", err)
	}
	doubted := p.watch.doubted(id)
	if doubted {
		before = maps.Clone(before)
		before[id] = true
	}
	if changed || doubted {
		p.judge(before)
	}
}

// judge counts all votes, and tells the verdict if it is a new one. The lock
// is held.
func (p *Prober) judge(before Down) {
	votes := map[landfall.NodeID]Votes{p.c.Self: p.watch.Votes()}
	for from, h := range p.heard {
		if from != p.c.Self {
			votes[from] = h.votes
		}
	}
	down := Tally(p.c.Self, votes, before)
	maps.DeleteFunc(down, func(id landfall.NodeID, _ bool) bool { return !p.watch.watches(id) })
	if !maps.Equal(down, p.down) {
		p.down = down
		p.stats.Verdicts++
		p.c.Log.Info("nodes that are down", "node", slices.Sorted(maps.Keys(down)))
		p.c.Changed(maps.Clone(down))
	}
}
