package measure

import (
	"fmt"
	"math"
	"os"
	"slices"
	"testing"
	"time"

	"landfall"
)

// simulation runs an earth through a Book, epoch by epoch.
type simulation struct {
	*earth
	book   *Book
	now    time.Time
	view   *View
	lead   []int // the edge that each prefix's answers began with, without trials
	report [][]landfall.Sample
	lies   map[int]time.Duration // what these edges say of everybody

	second float64 // part of the connections that take the second edge
	load   float64 // connections of an average prefix in an epoch
}

// figures are what an epoch was like, by traffic.
type figures struct {
	best     float64   // part on the truly best edge
	near     float64   // part on an edge within the margin of it
	excess   float64   // mean round trip above that of the best edge, milliseconds
	geo      float64   // the same, had geography decided
	trials   float64   // part of the traffic on trial
	tried    float64   // part of the prefixes on trial
	regret   float64   // what the trials added to the mean
	flips    int       // prefixes that geography or measurement leads elsewhere than before
	serves   []float64 // part that each edge serves
	geoServe []float64 // the same, had geography decided
}

func newSimulation(t testing.TB, e *earth) *simulation {
	s := &simulation{earth: e, now: time.Unix(1_800_000_000, 0), lies: map[int]time.Duration{}, second: 0.05, load: 60}
	var err error
	if s.book, err = New(Config{Now: func() time.Time { return s.now }}); err != nil {
		t.Fatal(err)
	}
	s.book.SetMap(e.m)
	s.report = make([][]landfall.Sample, len(e.m.Nodes))
	s.lead = make([]int, len(e.clients))
	for i := range e.clients {
		s.lead[i] = e.clients[i].rank[0]
	}
	return s
}

// windows are the reports of an epoch.
const windows = 3

// step runs one epoch: what is answered, who comes, what they measure.
func (s *simulation) step() figures {
	verdicts := map[int]Verdict{}
	for v := range s.view.All() {
		verdicts[s.index[v.Prefix]] = v
	}
	f := figures{serves: make([]float64, len(s.m.Nodes)), geoServe: make([]float64, len(s.m.Nodes))}
	var order [8]int
	for i := range s.clients {
		c := &s.clients[i]
		n := s.order(c, verdicts[i], order[:])
		s.account(&f, i, order[:n], verdicts[i].Explore)
	}
	for range windows {
		s.now = s.now.Add(DefaultEpoch / windows)
		for edge, samples := range s.report {
			s.book.Add(s.m.Nodes[edge].ID, s.at(samples))
		}
	}
	for i := range s.report {
		s.report[i] = s.report[i][:0]
	}
	s.view = s.book.Freeze(s.world())
	return f
}

// order is what a client is answered: as geodns/plan does it.
func (s *simulation) order(c *client, v Verdict, out []int) (n int) {
	put := func(edge int) {
		if !slices.Contains(out[:n], edge) {
			out[n] = edge
			n++
		}
	}
	for _, id := range v.Order {
		put(s.edge(id))
	}
	for _, edge := range c.rank {
		put(edge)
	}
	return n
}

func (s *simulation) edge(id landfall.NodeID) int {
	return slices.IndexFunc(s.m.Nodes, func(n landfall.Node) bool { return n.ID == id })
}

// account counts what became of a prefix, and lets its clients connect.
func (s *simulation) account(f *figures, i int, order []int, explore landfall.NodeID) {
	c := &s.clients[i]
	part := c.weight / s.total
	if s.lead[i] != order[0] {
		s.lead[i] = order[0]
		f.flips++
	}
	first, second := order[0], order[1]
	if explore != "" {
		first, second = s.edge(explore), order[0]
		f.trials += part
		f.tried += 1 / float64(len(s.clients))
		f.regret += part * (c.rtt(first, s.now) - c.rtt(second, s.now))
	}
	best := 0
	for edge := range c.base {
		if c.rtt(edge, s.now) < c.rtt(best, s.now) {
			best = edge
		}
	}
	if first == best {
		f.best += part
	}
	if d := c.rtt(first, s.now) - c.rtt(best, s.now); d <= max(5, c.rtt(first, s.now)/10) {
		f.near += part
	}
	f.excess += part * (c.rtt(first, s.now) - c.rtt(best, s.now))
	f.geo += part * (c.rtt(c.rank[0], s.now) - c.rtt(best, s.now))
	f.serves[first] += part
	f.geoServe[c.rank[0]] += part
	come := s.load * part * float64(len(s.clients)) / windows
	s.connect(c, first, come*(1-s.second))
	s.connect(c, second, come*s.second)
}

// connect makes the samples of an epoch's windows; their times come later.
func (s *simulation) connect(c *client, edge int, come float64) {
	for w := range windows {
		n := int(come + s.rng.Float64())
		if n == 0 {
			continue
		}
		rtt := c.rtt(edge, s.now) + s.rng.ExpFloat64()*10/float64(n)
		switch x := s.rng.IntN(1000); {
		case x < 10:
			rtt += 300 * s.rng.Float64()
		case x == 10:
			rtt *= 0.3
		}
		said := time.Duration(rtt * float64(time.Millisecond))
		if lie, ok := s.lies[edge]; ok {
			said = lie
		}
		s.report[edge] = append(s.report[edge], landfall.Sample{Prefix: c.prefix, Edge: s.m.Nodes[edge].ID, RTT: said, Count: uint32(n), When: time.Unix(0, int64(w))})
	}
}

// at picks the samples of the window that ends now.
func (s *simulation) at(samples []landfall.Sample) []landfall.Sample {
	window := int64(s.now.Unix()%int64(DefaultEpoch/time.Second)) / int64(DefaultEpoch/windows/time.Second)
	var out []landfall.Sample
	for _, x := range samples {
		if x.When.UnixNano() == (window+windows-1)%windows {
			x.When = s.now
			out = append(out, x)
		}
	}
	return out
}

func sizes(t *testing.T) (prefixes, days int) {
	if os.Getenv("LANDFALL_SOAK") != "" {
		return 20_000, 3
	}
	if testing.Short() {
		return 1000, 1
	}
	return 2000, 1
}

const epochsOfDay = int(24 * time.Hour / DefaultEpoch)

// In a world in which geography is wrong for 15 % of the prefixes, nearly all
// traffic finds its truly best edge, and on no epoch of the way is it worse
// than with geography alone, but for the trials.
func TestLearnsTheWorld(t *testing.T) {
	prefixes, days := sizes(t)
	for seed := range uint64(3) {
		s := newSimulation(t, newEarth(seed, prefixes, 0.15))
		var sum, last figures
		learnt, worst, flips, trials, tried := 0, math.Inf(-1), 0, 0.0, 0.0
		for epoch := range days * epochsOfDay {
			f := s.step()
			if epoch%36 == 0 {
				t.Logf("seed %d epoch %d: best %.4f near %.4f excess %.2f geo %.2f trials %.4f/%.4f regret %.3f flips %d moved %+v", seed, epoch, f.best, f.near, f.excess, f.geo, f.trials, f.tried, f.regret, f.flips, s.book.stats)
			}
			if learnt == 0 && f.best >= 0.97 {
				learnt = epoch
			}
			worst = max(worst, f.excess-f.regret-f.geo)
			trials, tried = max(trials, f.trials), max(tried, f.tried)
			flips += f.flips
			last = f
			if epoch >= days*epochsOfDay-epochsOfDay/2 {
				sum.best += f.best / float64(epochsOfDay/2)
				sum.excess += f.excess / float64(epochsOfDay/2)
				sum.geo += f.geo / float64(epochsOfDay/2)
			}
		}
		_ = last
		t.Log(fmt.Sprintf("measured world: seed=%d prefixes=%d days=%d best=%.4f excess_ms=%.3f geography_excess_ms=%.3f learnt_after_epochs=%d worst_vs_geography_ms=%.4f trials_max=%.4f prefixes_tried_max=%.4f flips_per_prefix_day=%.4f",
			seed, prefixes, days, sum.best, sum.excess, sum.geo, learnt, worst, trials, tried, float64(flips)/float64(prefixes)/float64(days)))
	}
}
