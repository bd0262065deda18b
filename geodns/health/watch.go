package health

import (
	"cmp"
	"encoding/json"
	"fmt"
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

// maxVotes bounds how many nodes a vantage point has a view of.
const maxVotes = 1 << 14

// ParseVotes reads what another vantage point sent: a JSON object of votes by
// node. Whatever is none is an error, and so are more than sixteen thousand.
func ParseVotes(b []byte) (Votes, error) {
	var votes Votes
	if err := json.Unmarshal(b, &votes); err != nil {
		return nil, fmt.Errorf("votes: %w", err)
	}
	if len(votes) > maxVotes {
		return nil, fmt.Errorf("votes on %d nodes, want %d at most", len(votes), maxVotes)
	}
	for id, v := range votes {
		if v < Bad || v > Good {
			return nil, fmt.Errorf("vote %d on node %q: want -1, 0 or 1", v, id)
		}
	}
	return votes, nil
}

// Rules say how many probes in a row change a vote.
type Rules struct {
	Rise int           // good ones that bring a node up; 0 means landfall.DefaultRise
	Fall int           // refused ones that take it down; 0 means landfall.DefaultFall
	Gap  time.Duration // without an answer that makes one unsure of a node, and the way to it lossy; 0 means DefaultGap
}

// DefaultGap is how long a node that is up is not heard of where packets are
// lost and nothing else is wrong.
const DefaultGap = 2 * time.Second

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
//
// What fails while none of several others answers may be our own fault: once
// one does again, it is as though it had not been tried.
type Watch struct {
	Rules
	Self landfall.NodeID // who watches: that it answers itself shows no way to others

	nodes map[landfall.NodeID]track
	seen  time.Time // when another answered last
	awake time.Time // since when others answer again, after none did
}

// track is how a node stands, and its latest results as far as they agree.
type track struct {
	state state
	ok    bool
	row   int
	kept  bool      // known from before this Watch began
	shy   bool      // not to be named before it is up: it joined, or the first that was seen of it spoke against it
	heard time.Time // when it answered last
	lossy time.Time // when it last answered after a gap
	fell  time.Time // when it went down
	stood state     // how it was before
}

type state uint8

const (
	unproven state = iota
	up
	down
)

// wary is how long one remembers that a way is lossy.
const wary = 2 * time.Minute

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
	if !expected || !ok && (r.Began.Before(t.heard) || r.Began.Before(w.awake)) {
		return false
	}
	if ok && id != w.Self {
		if !w.seen.IsZero() && w.blind(r.Ended) {
			w.wake(r.Ended)
			t = w.nodes[id]
		}
		w.seen = r.Ended
	}
	before := t.vote()
	if ok != t.ok {
		t.ok, t.row = ok, 0
	}
	t.row++
	fall := cmp.Or(w.Fall, landfall.DefaultFall)
	switch {
	case ok:
		if t.state == up && !t.heard.IsZero() && min(r.Ended.Sub(t.heard), r.Ended.Sub(w.awake)) >= w.gap() {
			t.lossy = r.Ended
		}
		t.heard = r.Ended
		if t.row >= cmp.Or(w.Rise, landfall.DefaultRise) {
			t.state, t.shy = up, false
		}
	case t.row >= fall, r.Outcome == Silent:
		t.row = max(t.row, fall)
		if t.state != down {
			t.state, t.stood, t.fell = down, t.state, r.Ended
		}
	}
	w.nodes[id] = t
	return t.vote() != before
}

// gap is Gap with its default filled in.
func (r Rules) gap() time.Duration { return cmp.Or(r.Gap, DefaultGap) }

// blind reports whether none of several others has answered of late.
func (w *Watch) blind(now time.Time) bool {
	others := len(w.nodes)
	if w.watches(w.Self) {
		others--
	}
	return others > 1 && (w.seen.IsZero() || now.Sub(w.seen) > w.gap())
}

// wake takes back what was found while none of the others answered.
func (w *Watch) wake(now time.Time) {
	w.awake = now
	for id, t := range w.nodes {
		if t.state == down && t.fell.After(w.seen) {
			t.state = t.stood
		}
		if !t.ok {
			t.row = 0
		}
		w.nodes[id] = t
	}
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

// stand is the last vote that was not Unsure.
func (t track) stand() Vote {
	return map[state]Vote{unproven: Unsure, up: Good, down: Bad}[t.state]
}

// Votes are how the nodes stand now. One that has not answered for a while gets
// no good word any more, though nothing may be wrong: who loses sight of all
// would otherwise take the first for down, and the last for what it still sees.
func (w *Watch) Votes(now time.Time) Votes {
	out := make(Votes, len(w.nodes))
	for id, t := range w.nodes {
		if out[id] = t.vote(); out[id] == Good && now.Sub(t.heard) > w.gap() {
			out[id] = Unsure
		}
	}
	return out
}

// watches reports whether a node is expected.
func (w *Watch) watches(id landfall.NodeID) bool {
	_, ok := w.nodes[id]
	return ok
}

// Doubt makes those shy that have nothing but their being in the map to speak
// for them, and their latest result against them, and reports whether that is
// news. Who sees none of several others doubts nobody: it may be cut off.
func (w *Watch) Doubt(now time.Time) (news bool) {
	if w.blind(now) {
		return false
	}
	for id, t := range w.nodes {
		if t.state != up && t.heard.IsZero() && !t.kept && t.row > 0 && !t.shy {
			t.shy, news = true, true
			w.nodes[id] = t
		}
	}
	return news
}

// Shun makes nodes shy that have joined.
func (w *Watch) Shun(nodes []landfall.NodeID) {
	for _, id := range nodes {
		t := w.nodes[id]
		t.shy = true
		w.nodes[id] = t
	}
}

// Welcome ends the shyness of a node that others vouch for.
func (w *Watch) Welcome(id landfall.NodeID) {
	t := w.nodes[id]
	t.shy = false
	w.nodes[id] = t
}

// Shy are the nodes that are not to be named before they have come up, or
// others vouch for them.
func (w *Watch) Shy() (out []landfall.NodeID) {
	for id, t := range w.nodes {
		if t.shy {
			out = append(out, id)
		}
	}
	return out
}

// Met reports whether every node has shown a first result, good or bad.
func (w *Watch) Met() bool {
	for _, t := range w.nodes {
		if t.row == 0 && !t.kept {
			return false
		}
	}
	return true
}

// Recall says what was known of a node before this Watch began. Its vote is
// Unsure until a result agrees.
func (w *Watch) Recall(id landfall.NodeID, v Vote) {
	t, expected := w.nodes[id]
	if !expected {
		return
	}
	t.kept = true
	switch {
	case v > Unsure:
		t.state, t.ok = up, false
	case v < Unsure:
		t.state, t.ok = down, true
	}
	w.nodes[id] = t
}
