package health

import (
	"time"

	"landfall"
)

// Votes are one vantage point's view of the nodes that it watches.
type Votes map[landfall.NodeID]Vote

// Vote is what a vantage point thinks of a node.
type Vote int8

// The votes. Who is Unsure does not count.
const (
	Bad    Vote = -1
	Unsure Vote = 0
	Good   Vote = 1
)

// Rules say how many probes in a row change a vote.
type Rules struct {
	Rise int // good ones that bring a node up; 0 means DefaultRise
	Fall int // refused ones that take it down; 0 means DefaultFall
}

// What Rules mean where they say nothing: three refusals half a second apart
// are no hiccup any more.
const (
	DefaultRise = 2
	DefaultFall = 3
)

// Outcome is how a probe ended.
type Outcome uint8

// The outcomes.
const (
	Refused  Outcome = iota // the node, or somebody for it, said no
	Silent                  // all the time that a probe has was over
	Answered                // it serves
)

// Result is one probe of a node.
type Result struct {
	Outcome
	Began, Ended time.Time
}

// Watch is what one vantage point has seen of the nodes so far.
//
//	          Rise good in a row          Fall bad in a row
//	unproven ────────────────────▶ up ─────────────────────▶ down
//	    │                          ▲                          │ ▲
//	    │                          └──────────────────────────┘ │
//	    │                             Rise good in a row        │
//	    └───────────────────────────────────────────────────────┘
//	          Fall bad in a row
//
// Probes overlap, so that they end in any order. What fails says nothing if
// the node has answered another since it began. What is silent, and nothing
// else has been answered since, fills a row alone: all that began after it
// have waited in vain as well. The zero Watch has seen nothing.
type Watch struct {
	Rules

	nodes map[landfall.NodeID]track
}

// track is how a node stands, and its latest results as far as they agree.
type track struct {
	state state
	ok    bool
	row   int
	heard time.Time // when it answered last
	lossy time.Time // when it last answered after a gap
}

type state uint8

const (
	unproven state = iota
	up
	down
)

// gap is how long a node that is up is not heard of where packets are lost and
// nothing else is wrong, and wary how long one remembers that.
const (
	gap  = 2 * time.Second
	wary = 2 * time.Minute
)

// Expect says which nodes there are now, and tells those that are new and
// have yet to prove themselves; nodes not named are forgotten.
func (w *Watch) Expect(nodes []landfall.NodeID) (joined []landfall.NodeID) {
	next := make(map[landfall.NodeID]track, len(nodes))
	for _, id := range nodes {
		t, known := w.nodes[id]
		if !known {
			joined = append(joined, id)
		}
		next[id] = t
	}
	w.nodes = next
	return joined
}

// Observe takes the result of one probe, in the order in which they ended, and
// reports whether it changed the vote on the node. Results for nodes that are
// not expected are ignored.
func (w *Watch) Observe(id landfall.NodeID, r Result) (changed bool) {
	t, expected := w.nodes[id]
	ok := r.Outcome == Answered
	if !expected || !ok && r.Began.Before(t.heard) {
		return false
	}
	before := t.vote()
	if ok != t.ok {
		t.ok, t.row = ok, 0
	}
	t.row++
	fall := orDefault(w.Fall, DefaultFall)
	switch {
	case ok:
		if t.state == up && r.Ended.Sub(t.heard) >= gap {
			t.lossy = r.Ended
		}
		t.heard = r.Ended
		if t.row >= orDefault(w.Rise, DefaultRise) {
			t.state = up
		}
	case r.Outcome == Silent:
		t.row = max(t.row, fall)
		t.state = down
	case t.row >= fall:
		t.state = down
	}
	w.nodes[id] = t
	return t.vote() != before
}

// Lossy reports whether the way to a node has lost so much of late that its
// silence says less than that of others.
func (w *Watch) Lossy(id landfall.NodeID, now time.Time) bool {
	t := w.nodes[id]
	return !t.lossy.IsZero() && now.Sub(t.lossy) < wary
}

// vote is Unsure while the latest result speaks against the state: neither a
// hiccup nor the first sign of life counts.
func (t track) vote() Vote {
	switch {
	case t.state == up && t.ok:
		return Good
	case t.state == down && !t.ok:
		return Bad
	default:
		return Unsure
	}
}

// Votes are how the nodes stand now.
func (w *Watch) Votes() Votes {
	out := make(Votes, len(w.nodes))
	for id, t := range w.nodes {
		out[id] = t.vote()
	}
	return out
}

// watches reports whether a node is expected.
func (w *Watch) watches(id landfall.NodeID) bool {
	_, ok := w.nodes[id]
	return ok
}

// doubted reports whether a node has nothing but its being in the map to speak
// for it, and its latest result against it.
func (w *Watch) doubted(id landfall.NodeID) bool {
	t := w.nodes[id]
	return t.state == unproven && t.row > 0 && !t.ok
}

func orDefault(n, usual int) int {
	if n > 0 {
		return n
	}
	return usual
}
