package measure

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"landfall"
	"landfall/geodns/steer"
)

// story is a Book about one prefix, told epoch by epoch.
type story struct {
	t     *testing.T
	book  *Book
	now   time.Time
	world World
	of    netip.Prefix
	guess []landfall.NodeID // geography's order
	view  *View
}

// start begins with geography's order, in which each edge is 30 ms further
// than the one before it.
func start(t *testing.T, c Config, guess ...landfall.NodeID) *story {
	t.Helper()
	s := &story{t: t, now: time.Unix(1_800_000_000, 0), of: netip.MustParsePrefix("192.0.2.0/24"), guess: guess}
	c.Now = func() time.Time { return s.now }
	var err error
	if s.book, err = New(c); err != nil {
		t.Fatal(err)
	}
	s.world = World{Map: testMap(), Prior: func(netip.Prefix) []Guess {
		var out []Guess
		for i, id := range s.guess {
			out = append(out, Guess{Edge: id, RTT: time.Duration(20+30*i) * time.Millisecond})
		}
		return out
	}}
	s.book.SetMap(s.world.Map)
	s.say(map[landfall.NodeID]int{guess[0]: 1}) // so that the prefix is known
	s.view = s.book.Freeze(s.world)
	return s
}

// say reports a round trip, in milliseconds, from each of some edges, in
// windows enough and by connections enough.
func (s *story) say(rtt map[landfall.NodeID]int) {
	for i := range enoughWindows {
		when := s.now.Add(time.Duration(i+1-enoughWindows) * window * time.Second)
		for id, ms := range rtt {
			s.book.Add(id, []landfall.Sample{{Prefix: s.of, RTT: time.Duration(ms) * time.Millisecond, Count: enoughCount, When: when}})
		}
	}
}

// invite pretends that answers led to some edges.
func (s *story) invite(edges ...landfall.NodeID) {
	e := s.book.entries[keyOf(s.of)]
	for i, id := range edges {
		e.guests[i] = s.book.edges[s.book.byID[id]].site + 1
	}
}

// epochs passes some of them, in each of which the edges say the same; all are
// heard.
func (s *story) epochs(n int, rtt map[landfall.NodeID]int) {
	for range n {
		s.now = s.now.Add(DefaultEpoch)
		ids := slices.Sorted(func(yield func(landfall.NodeID) bool) {
			for id := range rtt {
				if !yield(id) {
					return
				}
			}
		})
		s.invite(ids...)
		s.say(rtt)
		s.view = s.book.Freeze(s.world)
	}
}

func (s *story) verdict() Verdict {
	v, _ := s.view.Find(s.of.Addr())
	return v
}

// order expects a Verdict's.
func (s *story) order(when string, want ...landfall.NodeID) {
	s.t.Helper()
	if got := s.verdict().Order; !slices.Equal(got, want) {
		s.t.Errorf("%s: order %v, want %v", when, got, want)
	}
}

// all may draw everything to themselves at once.
func all() Config { return Config{Cap: 1, Step: 1, Explore: -1} }

func between(m *landfall.Map, a, b landfall.NodeID) time.Duration {
	place := func(id landfall.NodeID) landfall.Place {
		n, _ := m.Node(id)
		r, _ := m.Region(n.Region)
		return r.Place
	}
	return steer.Fastest(place(a).Distance(place(b)))
}
