package report

import (
	"log/slog"
	"maps"
	"math"
	"net/http"
	"slices"
	"sync"
	"time"

	"landfall"
)

const (
	// Fresh is how long an edge is believed to serve what it said.
	Fresh = time.Minute
	// seldom is how often an edge may report.
	seldom = time.Second
	// settle is how fast the requests of an edge are believed to change. One
	// that dies is counted for Fresh after that, while its clients already
	// come to others: as these are believed slowly, the sum hardly moves. One
	// that comes or comes back begins at nothing, so that no report moves
	// clients at once; but what is said in the first Fresh is all there is to
	// go by.
	settle = time.Minute
	// step is what the demand has to change by to count as another, and the
	// ratio of two demands that are next to each other.
	step = 1.1
)

// Config is what a Book is made of.
type Config struct {
	// Peer is the node that a request on the mesh comes from.
	Peer func(*http.Request) (landfall.NodeID, bool)
	// Samples and Fetched hear what edges say, from several goroutines; nil
	// drops it.
	Samples func(from landfall.NodeID, samples []landfall.Sample)
	Fetched func(from landfall.NodeID, fetched []Fetched)
	// Log hears of reports that are refused; nil discards it.
	Log *slog.Logger
}

// Book knows what each edge said last. All methods may be called at once.
type Book struct {
	cfg Config

	mu      sync.Mutex // guards what follows
	m       *landfall.Map
	came    map[landfall.NodeID]time.Time // the last report, read or not
	said    map[landfall.NodeID]said
	begun   time.Time // the first report was read
	demand  float64
	reports uint64
	refused map[string]uint64
	dropped map[string]uint64
}

// said is what an edge said.
type said struct {
	when     time.Time
	requests float64 // a second, smoothed
}

// New makes a Book. Until its first map it believes nobody.
func New(c Config) *Book {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Book{
		cfg: c, came: map[landfall.NodeID]time.Time{}, said: map[landfall.NodeID]said{},
		refused: map[string]uint64{}, dropped: map[string]uint64{},
	}
}

// SetMap says which edges there are, and what they can serve.
func (b *Book) SetMap(m *landfall.Map) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.m = m
	for id := range b.came {
		if _, ok := b.edge(id); !ok {
			delete(b.came, id)
			delete(b.said, id)
		}
	}
}

// edge is a node that serves as an edge, with b.mu held.
func (b *Book) edge(id landfall.NodeID) (landfall.Node, bool) {
	if b.m == nil {
		return landfall.Node{}, false
	}
	n, ok := b.m.Node(id)
	return n, ok && n.Has(landfall.RoleEdge) && n.Joined()
}

// admit reports why an edge may not report now; empty if it may.
func (b *Book) admit(from landfall.NodeID, now time.Time) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, ok := b.edge(from); !ok {
		return stranger
	}
	if last, ok := b.came[from]; ok && now.Sub(last) < seldom {
		return hasty
	}
	b.came[from] = now
	return ""
}

// hear takes a report in.
func (b *Book) hear(from landfall.NodeID, r Report, d Dropped, now time.Time) {
	b.note(from, r.Requests, d, now)
	for i := range r.Samples {
		r.Samples[i].Edge = from
	}
	if len(r.Samples) > 0 && b.cfg.Samples != nil {
		b.cfg.Samples(from, r.Samples)
	}
	if len(r.Fetched) > 0 && b.cfg.Fetched != nil {
		b.cfg.Fetched(from, r.Fetched)
	}
}

func (b *Book) note(from landfall.NodeID, requests float64, d Dropped, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reports++
	b.dropped["malformed"] += uint64(d.Malformed)
	b.dropped["surplus"] += uint64(d.Surplus)
	b.dropped["untimely"] += uint64(d.Untimely)
	n, ok := b.edge(from)
	if !ok {
		return // a newer map came in between
	}
	if ceiling, limited := b.m.EffectiveCeiling(n); limited {
		requests = min(requests, float64(ceiling))
	}
	if b.begun.IsZero() {
		b.begun = now
	}
	last, ok := b.said[from]
	switch {
	case ok && now.Sub(last.when) < Fresh:
		requests += (last.requests - requests) * math.Exp(-now.Sub(last.when).Seconds()/settle.Seconds())
	case ok || now.Sub(b.begun) >= Fresh:
		requests = 0 // it was not there, and is believed by and by
	}
	b.said[from] = said{now, requests}
}

// Demand is how many requests a second all edges serve together; 0 is not
// known, or hardly any. It is a step of a scale, and stays there until it is
// off by a tenth, so that plans made for it do not change with every report.
func (b *Book) Demand(now time.Time) float64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	sum := 0.0
	for _, id := range slices.Sorted(maps.Keys(b.said)) {
		if s := b.said[id]; now.Sub(s.when) < Fresh {
			sum += s.requests
		}
	}
	if sum > b.demand*step || sum < b.demand/step {
		b.demand = onScale(sum)
	}
	return b.demand
}

// onScale is the nearest power of step, 0 for less than 1.
func onScale(x float64) float64 {
	if x < 1 {
		return 0
	}
	return math.Pow(step, math.Round(math.Log(x)/math.Log(step)))
}

// Stats are the counts of a Book.
type Stats struct {
	Reports  uint64             `metric:"received_total" help:"Reports of edges that were read."`
	Refused  map[string]uint64  `metric:"refused_total" label:"why" help:"Reports that were not read."`
	Dropped  map[string]uint64  `metric:"entries_dropped_total" label:"why" help:"Samples and fetches in reports that were dropped."`
	Requests map[string]float64 `metric:"requests" label:"edge" help:"Requests per second that an edge said in the last minute to serve, smoothed."`
	Demand   float64            `metric:"demand" help:"Requests per second that answers are planned for; 0: not known."`
}

// Stats returns the counts so far.
func (b *Book) Stats() Stats {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := Stats{b.reports, maps.Clone(b.refused), maps.Clone(b.dropped), map[string]float64{}, b.demand}
	now := time.Now()
	for id, said := range b.said {
		if now.Sub(said.when) < Fresh {
			s.Requests[string(id)] = said.requests
		}
	}
	return s
}
