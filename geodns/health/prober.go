package health

import (
	"context"
	"errors"
	"log/slog"
	"maps"
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
	// Interval is the time between two probes of a node; 0 means
	// DefaultInterval.
	Interval time.Duration
	// Timeout is how long a probe may take; 0 means DefaultTimeout. A node
	// is not probed again while a probe is under way.
	Timeout time.Duration
	// Log hears of verdicts; nil discards it.
	Log *slog.Logger
}

// What Config means where it says nothing: a node that refuses is down after
// a second, one that is silent after six. The timeout leaves room for a TLS
// handshake around the world and one lost packet.
const (
	DefaultInterval = 500 * time.Millisecond
	DefaultTimeout  = 2 * time.Second
)

// staleAfter is how many intervals the votes of another vantage point count.
const staleAfter = 20

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
	busy   map[landfall.NodeID]bool // a probe is under way
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
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Prober{
		c:     c,
		watch: Watch{Rules: c.Rules, Self: c.Self},
		busy:  map[landfall.NodeID]bool{},
		heard: map[landfall.NodeID]heard{},
		down:  Down{},
	}, nil
}

// SetMap makes the edges of m those that are watched. Call it before the map
// goes to who names edges: those that join with it are down until they have
// answered, and Changed has been told so when SetMap returns.
func (p *Prober) SetMap(m *landfall.Map) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.nodes = slices.Collect(m.Having(landfall.RoleEdge))
	var ids []landfall.NodeID
	for _, n := range p.nodes {
		ids = append(ids, n.ID)
	}
	before := maps.Clone(p.down)
	for _, id := range p.watch.Expect(ids) {
		before[id] = true
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

// Run probes every node once an interval until ctx ends, and waits for the
// probes that are under way.
func (p *Prober) Run(ctx context.Context) error {
	var probes sync.WaitGroup
	defer probes.Wait()
	tick := time.NewTicker(p.c.Interval)
	defer tick.Stop()
	for {
		for _, n := range p.due() {
			probes.Go(func() { p.probe(ctx, n) })
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// due are the nodes to probe now. On the way it forgets votes that have
// become old.
func (p *Prober) due() []landfall.Node {
	p.mu.Lock()
	defer p.mu.Unlock()
	old := time.Now().Add(-staleAfter * p.c.Interval)
	maps.DeleteFunc(p.heard, func(_ landfall.NodeID, h heard) bool { return h.when.Before(old) })
	p.judge(p.down)
	var out []landfall.Node
	for _, n := range p.nodes {
		if !p.busy[n.ID] {
			p.busy[n.ID] = true
			out = append(out, n)
		}
	}
	return out
}

func (p *Prober) probe(ctx context.Context, n landfall.Node) {
	limited, stop := context.WithTimeout(ctx, p.c.Timeout)
	defer stop()
	err := p.c.Probe(limited, n)
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.busy, n.ID)
	if ctx.Err() != nil {
		return // we are stopping: that says nothing about the node
	}
	if err == nil {
		p.ok++
	} else {
		p.failed++
	}
	if p.watch.Observe(n.ID, err == nil) {
		p.stats.Votes++
		p.c.Log.Debug("vote changed", "node", n.ID, "vote", p.watch.nodes[n.ID].vote(), "err", err)
		p.judge(p.down)
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
