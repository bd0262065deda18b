package node

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"maps"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"landfall"
	"landfall/cmd/internal/admin"
	"landfall/geodns"
	"landfall/geodns/measure"
	"landfall/geodns/plan"
	"landfall/geodns/report"
	"landfall/geodns/resolver"
	"landfall/geodns/traffic"
)

const (
	// learnEvery is how often a name server looks whether demand has changed.
	learnEvery = 10 * time.Second
	// ageEvery is how often what was counted becomes older.
	ageEvery = time.Minute
	// keepEvery is how often what was learnt is written to disk.
	keepEvery = 5 * time.Minute
)

// Files of what was learnt.
const (
	trafficFile   = "traffic"
	resolversFile = "resolvers"
)

// learner knows of the clients of a name server what its answers depend on:
// where its questions come from, who stands behind resolvers, and what edges
// measure and serve.
type learner struct {
	server    *geodns.Server // set before Run
	atlas     *Atlas
	traffic   *traffic.Counter
	resolvers *resolver.Book
	measured  *measure.Book
	reports   *report.Book
	demand    float64 // where nobody reports
	down      func(landfall.NodeID) bool
	keep      *os.Root // nil: nothing outlives a restart
	log       *slog.Logger
	begun     chan struct{} // closed once answers go by what was kept
	begin     sync.Once

	mu      sync.Mutex // guards what follows
	m       *landfall.Map
	learned geodns.Learned
}

// newLearner makes one that knows what was kept.
func newLearner(cfg DNSConfig, down func(landfall.NodeID) bool) (l *learner, err error) {
	l = &learner{atlas: cfg.Atlas, traffic: traffic.New(), resolvers: resolver.New(), down: down, demand: cfg.Demand, keep: cfg.Keep, log: cfg.Log, begun: make(chan struct{})}
	if l.log == nil {
		l.log = slog.New(slog.DiscardHandler)
	}
	if l.measured, err = measure.New(measure.Config{Keep: cfg.Keep, World: l.world, Changed: l.epoch, Log: cfg.Log}); err != nil {
		return nil, err
	}
	l.reports = report.New(report.Config{
		Peer: cfg.Peer, Log: cfg.Log,
		Samples: func(from landfall.NodeID, s []landfall.Sample) { l.measured.Add(from, s) },
		Fetched: func(from landfall.NodeID, fetched []report.Fetched) {
			for _, f := range fetched {
				l.resolvers.Fetched(from, f.Token, f.Client)
			}
		},
	})
	l.restore()
	return l, nil
}

// restore takes up what was kept; what is not there or damaged is learnt anew.
func (l *learner) restore() {
	if l.keep == nil {
		return
	}
	v, err := traffic.Load(l.keep, trafficFile)
	if err == nil {
		l.traffic.Restore(v)
	}
	for name, err := range map[string]error{trafficFile: err, resolversFile: l.resolvers.Load(l.keep, resolversFile, time.Now())} {
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			l.log.Warn("what was learnt is not used", "file", name, "err", err)
		}
	}
}

func (l *learner) save() {
	if l.keep == nil {
		return
	}
	for name, err := range map[string]error{
		trafficFile:   traffic.Save(l.keep, trafficFile, l.traffic.Freeze()),
		resolversFile: l.resolvers.Save(l.keep, resolversFile, time.Now()),
	} {
		if err != nil {
			l.log.Error("what was learnt is not kept", "file", name, "err", err)
		}
	}
}

// current is the last map; nil before the first.
func (l *learner) current() *landfall.Map {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.m
}

func (l *learner) setMap(m *landfall.Map) {
	l.mu.Lock()
	l.m = m
	l.mu.Unlock()
	l.measured.SetMap(m)
	l.reports.SetMap(m)
}

// world is what verdicts of the next epoch depend on.
func (l *learner) world() measure.World {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := measure.World{
		Map:  l.m,
		Up:   func(id landfall.NodeID) bool { return !l.down(id) },
		Room: hasRoom(l.server.Plan()),
		Also: sentBy(l.server.Plan(), l.learned.Resolvers),
	}
	if l.m != nil {
		w.Prior = measure.Nearest(l.m, l.atlas)
	}
	if seen := l.traffic.Freeze(); !seen.Empty() {
		weights := maps.Collect(seen.All())
		spread(weights, l.learned.Resolvers)
		w.Weight = func(p netip.Prefix) float64 { return weights[p] }
	}
	return w
}

// spread gives the clients behind resolvers the weight of the questions that
// these ask for them: who draws clients draws those too.
func spread(weights map[netip.Prefix]float64, behind *resolver.View) {
	beside := map[netip.Prefix]float64{} // known resolvers, by network
	for r := range behind.All() {
		beside[landfall.ClientPrefix(r.Addr)]++
	}
	asked := maps.Clone(weights)
	for r := range behind.All() {
		network := landfall.ClientPrefix(r.Addr)
		for _, c := range r.Clients {
			weights[c.Prefix] += asked[network] / beside[network] * c.Weight
		}
	}
	for network := range beside {
		if weights[network] -= asked[network]; weights[network] <= 0 {
			delete(weights, network)
		}
	}
}

// hasRoom tells which edges can serve more than a plan gives them.
func hasRoom(p *plan.Plan) func(landfall.NodeID) bool {
	full := map[landfall.NodeID]bool{}
	if p != nil {
		for _, load := range p.Loads() {
			full[load.Edge] = load.Load >= load.Ceiling
		}
	}
	return func(id landfall.NodeID) bool { return !full[id] }
}

// sentBy tells which edges the clients of a prefix are sent to by the answers
// that their resolvers get.
func sentBy(p *plan.Plan, behind *resolver.View) func(netip.Prefix) []landfall.NodeID {
	if p == nil || behind.Len() == 0 {
		return nil
	}
	edges := map[netip.Prefix][]landfall.NodeID{}
	for r := range behind.All() {
		told := p.Choice(p.LookupResolver(plan.A, r.Addr)).Edges
		for _, c := range r.Clients {
			for _, id := range told {
				if !slices.Contains(edges[c.Prefix], id) {
					edges[c.Prefix] = append(edges[c.Prefix], id)
				}
			}
		}
	}
	return func(p netip.Prefix) []landfall.NodeID { return edges[p] }
}

// epoch begins a new one: all that changes slowly changes together, so that
// the plan is made anew once.
func (l *learner) epoch(v *measure.View) {
	l.mu.Lock()
	l.learned.Epoch = v.Epoch()
	l.learned.Measured = orNil(v, v.Len())
	seen, behind := l.traffic.Freeze(), l.resolvers.Freeze()
	l.learned.Weights, l.learned.Resolvers = orNil(seen, seen.Len()), orNil(behind, behind.Len())
	l.mu.Unlock()
	l.apply()
	l.begin.Do(func() { close(l.begun) })
}

// orNil is v, or nil if there is nothing in it.
func orNil[T any](v *T, n int) *T {
	if n == 0 {
		return nil
	}
	return v
}

func (l *learner) apply() {
	l.mu.Lock()
	l.learned.Demand = cmp.Or(l.reports.Demand(time.Now()), l.demand)
	learned := l.learned
	l.mu.Unlock()
	l.server.SetLearned(learned)
}

// run learns until ctx ends, and then writes down what it knows.
func (l *learner) run(ctx context.Context) error {
	var working sync.WaitGroup
	defer working.Wait()
	working.Go(func() {
		if err := l.measured.Run(ctx); err != nil {
			l.log.Error("what edges measured is not kept", "err", err)
		}
	})
	defer l.save()
	tick := time.NewTicker(learnEvery)
	defer tick.Stop()
	kept := time.Now()
	aged := kept
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-tick.C:
			if now.Sub(aged) >= ageEvery {
				aged = now
				l.traffic.Tick(now)
				l.resolvers.Tick(now)
			}
			l.apply()
			if now.Sub(kept) >= keepEvery {
				kept = now
				l.save()
			}
		}
	}
}

// counted reports whether clients are weighed by their queries.
func (l *learner) counted() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.learned.Weights != nil
}

// handler takes what edges report.
func (l *learner) handler() http.Handler { return l.reports.Handler() }

func (l *learner) register(a *admin.Server) {
	a.Register("traffic", func() any { return l.traffic.Stats() })
	a.Register("resolver", func() any { return l.resolvers.Stats() })
	a.Register("measure", func() any { return l.measured.Stats() })
	a.Register("report", func() any { return l.reports.Stats() })
}
