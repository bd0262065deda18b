package measure

import (
	"math"
	"net/netip"
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
	lead   []int                               // the edge that each prefix's answers began with, without trials
	report [][windows][]landfall.Sample        // of each edge
	lies   map[int]func(*client) time.Duration // what these edges say of everybody
	all    []figures                           // of the epochs so far

	second float64 // part of the connections that take the second edge
	load   float64 // connections of an average prefix in an epoch

	up, room func(landfall.NodeID) bool // as World has them
	weight   func(netip.Prefix) float64 // nil: the truth
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
	shares   []float64 // part that each edge serves if half of all take the second address
	geoShare []float64 // the same, had geography decided
}

func newSimulation(t testing.TB, e *earth) *simulation {
	s := &simulation{earth: e, now: time.Unix(1_800_000_000, 0), lies: map[int]func(*client) time.Duration{}, second: 0.05, load: 60}
	var err error
	if s.book, err = New(Config{Now: func() time.Time { return s.now }}); err != nil {
		t.Fatal(err)
	}
	s.book.SetMap(e.m)
	s.report = make([][windows][]landfall.Sample, len(e.m.Nodes))
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
	verdicts := make([]Verdict, len(s.clients))
	for v := range s.view.All() {
		verdicts[s.index[v.Prefix]] = v
	}
	f := figures{serves: make([]float64, len(s.m.Nodes)), geoServe: make([]float64, len(s.m.Nodes))}
	f.shares, f.geoShare = make([]float64, len(s.m.Nodes)), make([]float64, len(s.m.Nodes))
	var order [8]int
	for i := range s.clients {
		c := &s.clients[i]
		n := s.order(c, &verdicts[i], order[:])
		s.account(&f, i, order[:n], verdicts[i].Explore)
	}
	s.invent()
	for w := range windows {
		s.now = s.now.Add(DefaultEpoch / windows)
		for edge, reports := range s.report {
			for i := range reports[w] {
				reports[w][i].When = s.now
			}
			s.book.Add(s.m.Nodes[edge].ID, reports[w])
			s.report[edge][w] = reports[w][:0]
		}
	}
	w := s.world()
	w.Up, w.Room = s.up, s.room
	if s.weight != nil {
		w.Weight = s.weight
	}
	s.view = s.book.Freeze(w)
	s.all = append(s.all, f)
	return f
}

// invent lets liars speak of clients that never came to them.
func (s *simulation) invent() {
	for edge, lie := range s.lies {
		for i := range s.clients {
			c := &s.clients[i]
			for w := range windows {
				s.report[edge][w] = append(s.report[edge][w], landfall.Sample{Prefix: c.prefix, RTT: lie(c), Count: 1_000_000})
			}
		}
	}
}

// order is what a client is answered: as geodns/plan does it.
func (s *simulation) order(c *client, v *Verdict, out []int) (n int) {
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
	for i := range s.m.Nodes {
		if s.m.Nodes[i].ID == id {
			return i
		}
	}
	return -1
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
	best, least := 0, math.Inf(1)
	for edge := range c.base {
		if rtt := c.rtt(edge, s.now); rtt < least {
			best, least = edge, rtt
		}
	}
	rtt := c.rtt(first, s.now)
	if first == best {
		f.best += part
	}
	if rtt-least <= max(5, rtt/10) {
		f.near += part
	}
	f.excess += part * (rtt - least)
	f.geo += part * (c.rtt(c.rank[0], s.now) - least)
	f.serves[first] += part
	f.geoServe[c.rank[0]] += part
	f.shares[first] += part / 2
	f.shares[second] += part / 2
	f.geoShare[c.rank[0]] += part / 2
	f.geoShare[c.rank[1]] += part / 2
	come := s.load * part * float64(len(s.clients)) / windows
	s.connect(c, first, come*(1-s.second))
	s.connect(c, second, come*s.second)
}

// connect makes the samples of an epoch's windows.
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
			said = lie(c)
		}
		s.report[edge][w] = append(s.report[edge][w], landfall.Sample{Prefix: c.prefix, Edge: s.m.Nodes[edge].ID, RTT: said, Count: uint32(n)})
	}
}

// run runs some epochs.
func (s *simulation) run(epochs int) {
	for range epochs {
		s.step()
	}
}

// mean is that of some figure over the last epochs.
func (s *simulation) mean(epochs int, of func(figures) float64) (mean float64) {
	for _, f := range s.all[len(s.all)-epochs:] {
		mean += of(f) / float64(epochs)
	}
	return mean
}

// most is the greatest of some figure.
func (s *simulation) most(of func(figures) float64) float64 {
	most := math.Inf(-1)
	for _, f := range s.all {
		most = max(most, of(f))
	}
	return most
}
