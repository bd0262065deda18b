package measure

import (
	"math"
	"slices"
	"time"
)

// How much better an edge must be, and for how long, before clients go there.
const (
	leastMargin = 5 * time.Millisecond
	marginPart  = 10 // of a round trip: a tenth
	patience    = 3  // epochs in a row

	// unheardOf is the round trip to an edge of which nothing is known: half
	// around the Earth.
	unheardOf = 150 * time.Millisecond
)

func margin(rtt time.Duration) time.Duration { return max(leastMargin, rtt/marginPart) }

// sight is what is known of the clients of one prefix, edge by edge. Edges are
// named by their rank in geography's order.
type sight struct {
	edges  []uint16        // by rank
	guess  []Guess         // by rank
	rtt    []time.Duration // measured and believed; 0: not so
	cost   []time.Duration // what the edge is taken to cost
	apart  []bool          // measured much worse than others at its place
	before []int           // the order until now
	order  []int           // the order that follows from all this

	doubted []bool // by rank: measured, and not believed

	contradicted bool
}

// look takes a prefix into sight, as if the edges of the distrusted sites had
// said nothing.
func (s *survey) look(k key, e *entry, distrusted []uint16) *sight {
	v := &s.sight
	v.edges, v.guess = v.edges[:0], v.guess[:0]
	for _, g := range s.world.Prior(k.prefix()) {
		if i, ok := s.book.byID[g.Edge]; ok && s.book.edges[i].active && !slices.Contains(v.edges, i) {
			v.edges, v.guess = append(v.edges, i), append(v.guess, g)
		}
	}
	n := len(v.edges)
	v.rtt, v.cost, v.apart, v.doubted = blank(v.rtt, n), blank(v.cost, n), blank(v.apart, n), blank(v.doubted, n)
	v.contradicted = false
	for rank, edge := range v.edges {
		if c := e.find(edge); c == nil || !c.fresh(s.now) {
			continue
		} else if slices.Contains(distrusted, s.site(rank)) {
			v.doubted[rank] = true
		} else {
			v.rtt[rank] = c.estimate()
		}
	}
	s.recall(e)
	s.believe()
	s.share()
	s.predict()
	v.order = append(v.order[:0], v.before...)
	if n > 0 {
		settle(v)
	}
	return v
}

func blank[T any](s []T, n int) []T {
	s = slices.Grow(s[:0], n)[:n]
	clear(s)
	return s
}

// recall finds the order until now. What was chosen and is not measured any
// more is given up: geography decides again.
func (s *survey) recall(e *entry) {
	v := &s.sight
	v.before = v.before[:0]
	for _, edge := range e.order {
		if rank := slices.Index(v.edges, edge); rank >= 0 && !slices.Contains(v.before, rank) {
			v.before = append(v.before, rank)
			s.join(e, rank)
		}
	}
	if len(v.before) > 0 && !s.measured(v.before[0]) {
		v.before = v.before[:0]
	}
	for rank := range v.edges {
		if !slices.Contains(v.before, rank) {
			v.before = append(v.before, rank)
		}
	}
}

// join appends the edges at the same place that go without saying.
func (s *survey) join(e *entry, rank int) {
	v := &s.sight
	for other, edge := range v.edges {
		if s.site(other) == s.site(rank) && !slices.Contains(v.before, other) && !slices.Contains(e.order, edge) {
			v.before = append(v.before, other)
		}
	}
}

// measured reports whether any edge at the place of one was.
func (s *survey) measured(rank int) bool {
	for other, rtt := range s.sight.rtt {
		if rtt > 0 && s.site(other) == s.site(rank) {
			return true
		}
	}
	return false
}

// believe strikes out what cannot be true together with what an edge says that
// comes before: clients cannot be so near to two places that light needs
// longer from one to the other.
func (s *survey) believe() {
	v := &s.sight
	for i, rank := range v.before {
		for _, other := range v.before[:i] {
			if v.rtt[rank] > 0 && v.rtt[other] > 0 && v.rtt[rank]+v.rtt[other] < s.fastest[s.site(rank)][s.site(other)] {
				v.rtt[rank], v.doubted[rank], v.contradicted = 0, true, true
			}
		}
	}
}

// share lets a measurement hold for all edges at the place, unless their own
// says that they are much worse.
func (s *survey) share() {
	v := &s.sight
	for rank := range v.edges {
		best := time.Duration(0)
		for other, rtt := range v.rtt {
			if rtt > 0 && s.site(other) == s.site(rank) && (best == 0 || rtt < best) {
				best = rtt
			}
		}
		v.cost[rank] = best
		if v.rtt[rank] > best+2*margin(best) {
			v.cost[rank], v.apart[rank] = v.rtt[rank], true
		}
	}
}

// predict fills in what was not measured: what geography guesses, but not
// less than is typical from where the measured edges saw the clients.
func (s *survey) predict() {
	v := &s.sight
	for rank := range v.edges {
		if v.cost[rank] > 0 {
			continue
		}
		cost := v.guess[rank].RTT
		for other, rtt := range v.rtt {
			if rtt > 0 {
				cost = max(cost, s.typical[s.site(rank)][s.site(other)]-rtt)
			}
		}
		if cost <= 0 {
			cost = unheardOf
		}
		v.cost[rank] = cost
	}
	for rank := range v.edges { // what was measured is marked for all at the place
		if v.rtt[rank] == 0 && s.measured(rank) {
			v.rtt[rank] = v.cost[rank]
		}
	}
}

// settle moves each edge before those that it is better than by the margin.
// What is as good stays where it was.
func settle(v *sight) {
	lead(v)
	for i := range v.order {
		for j := i; j > 1; j-- {
			x, y := v.order[j], v.order[j-1]
			if v.cost[x] >= v.cost[y]-margin(v.cost[y]) {
				break
			}
			v.order[j], v.order[j-1] = y, x
		}
	}
}

// lead lets the best edge lead that was measured, if it is better than the
// leader by the margin. A mere prediction takes no lead.
func lead(v *sight) {
	best := -1
	for i, rank := range v.order {
		if v.rtt[rank] > 0 && (best < 0 || v.cost[rank] < v.cost[v.order[best]]) {
			best = i
		}
	}
	if now := v.cost[v.order[0]]; best > 0 && v.cost[v.order[best]] < now-margin(now) {
		leader := v.order[best]
		copy(v.order[1:best+1], v.order[:best])
		v.order[0] = leader
	}
}

// told is how many edges of an order must be said, so that the rest follow in
// geography's order.
func (v *sight) told() int {
	n := len(v.order)
	for n > 0 && (n == len(v.order) || v.order[n-1] < v.order[n]) {
		n--
	}
	// An edge that is worse than others at its place has to be said last.
	for i := len(v.order) - 1; i >= n; i-- {
		if v.apart[v.order[i]] {
			return i + 1
		}
	}
	return n
}

// seconds32 is a time as cells have it.
func seconds32(t time.Time) uint32 {
	return uint32(min(max(t.Unix(), 0), math.MaxUint32))
}
