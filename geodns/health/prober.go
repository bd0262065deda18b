package health

import (
	"cmp"
	"context"
	"errors"
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
	// Keep is a directory for what is known to outlive a restart, in a file
	// health.json; nil keeps nothing. It stays the caller's.
	Keep *os.Root
	// Log hears of verdicts; nil discards it.
	Log *slog.Logger
}

// What the rules of a map mean where they say nothing: a node that refuses is
// down after 1 to 1.5 s, one that is silent after 3 to 3.5 s, or 4 to 4.5 s
// where packets are lost. By then seven probes, or nine, have waited in vain:
// on a way of 250 ms that loses every tenth packet that happens by bad luck
// once in days. Where other vantage points have to agree, it is as much later
// as their votes take.
const (
	// maxFlight bounds the probes of a node that are under way at once, lest
	// one that heeds no timeout piles them up.
	maxFlight = 16
	// patience is how long Known waits at most: for the slowest of first
	// probes, and a moment for others' votes.
	patience = landfall.DefaultProbeTimeout + time.Second
)

// Stats are the figures of a Prober since its start.
type Stats struct {
	Probes   map[string]uint64 `metric:"probes_total" label:"result" help:"Probes by result, ok or failed."`
	Votes    uint64            `metric:"votes_changed_total" help:"Votes of this vantage point that changed."`
	Verdicts uint64            `metric:"verdicts_total" help:"Verdicts that differed from the one before."`
	Falls    uint64            `metric:"falls_total" help:"Times that a node went down by the votes, those of nodes held down included."`
	Vantages int64             `metric:"vantages" help:"Vantage points whose votes are known and fresh, this one included."`
	Down     int64             `metric:"nodes_down" help:"Nodes that are down by the verdict."`
	Held     int64             `metric:"nodes_held" help:"Nodes that are up by the votes, and held down because they fell too often."`
	Isolated int64             `metric:"isolated" help:"1 while this vantage point sees none of several others, so that its votes do not count."`
}

// Prober watches the edges of a map from one vantage point.
type Prober struct {
	c     Config
	known chan struct{} // closed once the verdict rests on something
	news  chan struct{} // holds one when a map came, so that Run looks at once

	mu       sync.Mutex
	v        *vantage
	interval time.Duration
	timeout  time.Duration
	flight   map[landfall.NodeID]int // probes under way
	next     time.Time               // when the next probes begin
	told     Down
	unkept   bool // something changed that is not in the file
	ok       uint64
	failed   uint64
	stats    Stats
}

// New makes a Prober that watches nothing yet.
func New(c Config) (*Prober, error) {
	if c.Probe == nil || c.Changed == nil {
		return nil, errors.New("health: Probe and Changed are required")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Prober{
		c: c, known: make(chan struct{}), news: make(chan struct{}, 1),
		v: newVantage(c.Self), flight: map[landfall.NodeID]int{}, told: Down{},
		interval: landfall.DefaultProbeInterval, timeout: landfall.DefaultProbeTimeout,
	}, nil
}

// SetMap makes the edges of m those that are watched, by the rules that m has
// for it. Call it before the map goes to who names edges: those that join with
// it are down until they have answered, and Changed has been told so when
// SetMap returns.
//
// The first map brings back what was kept, if that is not old. What is then
// still unknown is taken as up until a result or a vote speaks against it:
// whoever has just started knows nothing, and would otherwise send everybody to
// the one edge that its probes reach first.
func (p *Prober) SetMap(m *landfall.Map) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	var kept *record
	if p.v.begun.IsZero() && p.c.Keep != nil {
		var err error
		if kept, err = load(p.c.Keep, now); err != nil {
			p.c.Log.Warn("what was kept of nodes' health is not used", "err", err)
		}
	}
	p.interval = cmp.Or(m.Health.Interval, landfall.DefaultProbeInterval)
	p.timeout = cmp.Or(m.Health.Timeout, landfall.DefaultProbeTimeout)
	p.next = now // who has joined is not to wait
	p.v.setMap(now, m, kept)
	p.tell()
	select {
	case p.news <- struct{}{}:
	default:
	}
}

// Hear takes the votes of another vantage point, a name server of the map.
// They count until newer ones come, or none have for a while.
func (p *Prober) Hear(from landfall.NodeID, votes Votes) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.v.hear(time.Now(), from, votes)
	p.tell()
}

// Votes are this vantage point's, for the others.
func (p *Prober) Votes() Votes {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.v.watch.Votes(time.Now())
}

// Why tells the reason why a node is up or down; the zero Reason if it is not
// watched.
func (p *Prober) Why(id landfall.NodeID) Reason {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.v.why(time.Now(), id)
}

// Known is closed once the verdict rests on something, so that the first
// question can be answered by it: on what was kept before a restart; or on a
// first probe of every node and, where one failed, on the votes of the others;
// or four seconds after Run began, whatever is known by then. Changed has been
// told the verdict before.
func (p *Prober) Known() <-chan struct{} { return p.known }

// Stats tells the figures.
func (p *Prober) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	out, now := p.stats, time.Now()
	out.Probes = map[string]uint64{"ok": p.ok, "failed": p.failed}
	out.Falls = p.v.falls
	out.Vantages = int64(len(p.v.heard)) + 1
	out.Down = int64(len(p.v.down))
	for id := range p.v.down {
		if !p.v.votes[id] && p.v.penalties[id].Holds(now) {
			out.Held++
		}
	}
	if p.v.watch.Votes(now).isolated(p.c.Self) {
		out.Isolated = 1
	}
	return out
}

// tell hands on a verdict that is a new one, and says when one is known. The
// lock is held.
func (p *Prober) tell() {
	if !maps.Equal(p.v.down, p.told) {
		p.told = maps.Clone(p.v.down)
		p.stats.Verdicts++
		p.unkept = true
		p.c.Log.Info("nodes that are down", "node", slices.Sorted(maps.Keys(p.told)))
		p.c.Changed(maps.Clone(p.told))
	}
	if p.v.known() {
		p.settle()
	}
}

// settle closes Known. The lock is held.
func (p *Prober) settle() {
	select {
	case <-p.known:
	default:
		close(p.known)
	}
}
