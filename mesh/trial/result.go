package trial

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

// Rounds is the name of the environment variable that says how often a test
// does what it does: topologies, restarts, cuts or hours.
const Rounds = "LANDFALL_TRIAL_ROUNDS"

// mark begins a line of results; the name of the trial follows.
const mark = "landfall trial "

// Find reads the results of a trial, such as a *Routes for "routes", from
// what its test printed.
func Find(out []byte, name string, result any) error {
	_, line, found := bytes.Cut(out, []byte(mark+name+": "))
	if !found {
		return fmt.Errorf("no result of trial %q in %d bytes of output", name, len(out))
	}
	line, _, _ = bytes.Cut(line, []byte("\n"))
	if err := json.Unmarshal(line, result); err != nil {
		return fmt.Errorf("result of trial %q: %w", name, err)
	}
	return nil
}

// The trial "day" has a []day.Result of package day, of two days alike.

// Routes is what TestRoutes prints, by the name "routes".
type Routes struct {
	Nodes      int
	Topologies []Topology
}

// Topology is how one mesh found its ways. A pair is a node and another that
// it sends to, and its stretch is the round trip of the way in use by that of
// the best, direct or relayed once, as the links really are.
type Topology struct {
	Seed     uint64
	Detours  float64       // the share of pairs whose best way is relayed, by more than 3 %
	Found    time.Duration // from the start of the last node until no stretch was over 1.03; 0: not within the time
	Stretch  float64       // the greatest, ten seconds after the start
	Changed  int           // links whose delay was changed later, under traffic; 0: none, and none of what follows
	Followed time.Duration // from the change until no stretch was over 1.03; 0: not within the time
	Behind   []Behind      // how it went
}

// Behind is how many pairs were behind what had changed.
type Behind struct {
	After   time.Duration // the change
	Pairs   int           // with a stretch over 1.03
	Stretch float64       // the greatest
}

// Jitter is what TestJitter prints, by the name "jitter".
type Jitter struct {
	Nodes, Pairs int
	Lasted       time.Duration
	Switches     uint64 // of all pairs, after the first ten seconds
	Windows      int    // stretches of 30 s in which a pair switched more than once
	Stretch      float64
	Direct       Probes
	Relayed      Probes // both hops together
}

// Probes are bytes of probes a second on a way of a pair, both directions
// together, IP and UDP headers included.
type Probes struct{ Ways, Median, Most int }

// Restart is what TestRestart prints, by the name "restart".
type Restart struct{ Cases []Restarts }

// Restarts are both ends of a pair restarted again and again.
type Restarts struct {
	Name     string
	Rounds   int
	Within   int // rounds within 600 ms
	P50, Max time.Duration
}

// Death is what TestDeath prints, by the name "death".
type Death struct{ Cases []Deaths }

// Deaths are cuts of a way in use at random moments.
type Deaths struct {
	Name       string
	Cuts       int
	Doubt      Spread // from the cut until an end that sent into it was in doubt
	Switched   Spread // from the cut until no end sent into it
	Kinds      []Lost
	Unswitched int // cuts after which one still did a second later
}

// Lost is what became of one kind of traffic.
type Lost struct {
	Kind  string
	Sent  int // of these within two seconds of the cut
	Lost  int // not answered within a second
	Added Spread
}

// Spread is a distribution.
type Spread struct{ P50, P99, Max time.Duration }

// Calm is what TestCalm prints, by the name "calm".
type Calm struct {
	Lasted   time.Duration
	Doubts   int // that began though nothing was wrong
	Switches int
	Sent     int
	Lost     int
	Doubled  uint64 // datagrams sent twice
}

// Storm is what TestStorm prints, by the name "storm".
type Storm struct {
	Lasted     time.Duration
	Events     int           // that changed links, or what nodes were called
	Restarts   int           // of nodes
	Peers      int           // of a node
	Checks     int           // times that a node which had had a way to a peer for ten seconds was asked for the peer's packets
	Silent     int           // of these, how often none had come in these ten seconds
	Longest    time.Duration // without a packet though there was a way
	ProbesMost float64       // probes a second, sent by one node, in the worst ten seconds
}
