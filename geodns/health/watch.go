package health

import "landfall"

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
	Fall int // bad ones that take it down; 0 means DefaultFall
}

// What Rules mean where they say nothing: three bad probes half a second apart
// are no hiccup any more.
const (
	DefaultRise = 2
	DefaultFall = 3
)

// Watch is what one vantage point has seen of the nodes so far.
//
//	          Rise good in a row       Fall bad in a row
//	unproven ────────────────────▶ up ──────────────────▶ down
//	    │                          ▲                       │ ▲
//	    │                          └───────────────────────┘ │
//	    │                             Rise good in a row     │
//	    └────────────────────────────────────────────────────┘
//	          Fall bad in a row
//
// While none of several other nodes answers it is blind: what it sees then
// says more about itself, so that no node falls, and all bad rows begin anew
// once somebody answers. The zero Watch has seen nothing.
type Watch struct {
	Rules
	Self landfall.NodeID // where the probes come from; it always sees itself

	nodes map[landfall.NodeID]track
}

// track is how a node stands, and its latest results as far as they agree.
type track struct {
	state state
	ok    bool
	row   int
}

type state uint8

const (
	unproven state = iota
	up
	down
)

// Expect says which nodes there are now, and tells those that are new and
// have yet to prove themselves; nodes not named are forgotten.
//
// What is there from the beginning begins as up: whoever has just started
// knows nothing, and would otherwise send everybody to the one edge that its
// probes happen to reach first. What joins later begins unproven: nobody needs
// it yet.
func (w *Watch) Expect(nodes []landfall.NodeID) (joined []landfall.NodeID) {
	first := len(w.nodes) == 0
	next := make(map[landfall.NodeID]track, len(nodes))
	for _, id := range nodes {
		t, known := w.nodes[id]
		switch {
		case !known && first:
			t.state = up
		case !known:
			joined = append(joined, id)
		}
		next[id] = t
	}
	w.nodes = next
	return joined
}

// Observe takes the result of one probe, and reports whether it changed the
// vote on the node. Results for nodes that are not expected are ignored.
func (w *Watch) Observe(id landfall.NodeID, ok bool) (changed bool) {
	t, expected := w.nodes[id]
	if !expected {
		return false
	}
	if ok && id != w.Self && w.blind() {
		w.forgive()
	}
	before := t.vote()
	if ok != t.ok {
		t.ok, t.row = ok, 0
	}
	t.row++
	w.nodes[id] = t
	switch {
	case ok && t.row >= orDefault(w.Rise, DefaultRise):
		t.state = up
	case !ok && t.row >= orDefault(w.Fall, DefaultFall) && (id == w.Self || !w.blind()):
		t.state = down
	}
	w.nodes[id] = t
	return t.vote() != before
}

// blind reports whether there are several other nodes and the latest results
// of all are bad.
func (w *Watch) blind() bool {
	others := 0
	for id, t := range w.nodes {
		if id == w.Self {
			continue
		}
		if t.ok || t.row == 0 {
			return false
		}
		others++
	}
	return others > 1
}

// forgive lets all rows begin anew.
func (w *Watch) forgive() {
	for id, t := range w.nodes {
		t.row = 0
		w.nodes[id] = t
	}
}

// vote is Unsure while the latest result speaks against the state: neither a
// hiccup nor the first sign of life counts.
func (t track) vote() Vote {
	switch {
	case t.state == up && (t.ok || t.row == 0):
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

func orDefault(n, usual int) int {
	if n > 0 {
		return n
	}
	return usual
}
