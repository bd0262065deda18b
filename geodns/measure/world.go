package measure

import (
	"net/netip"
	"time"

	"landfall"
)

// World is what a View depends on beside samples.
type World struct {
	Map *landfall.Map
	// Prior is where geography has the clients of a prefix: the edges that may
	// serve them, nearest first. An edge that it leaves out is neither tried
	// nor put first. See Nearest.
	Prior func(netip.Prefix) []Guess
	// Weight is the traffic of a prefix as the name server counted it, in any
	// unit; nil: all prefixes weigh the same. What a resolver asked for clients
	// that it does not name is theirs, by their parts, and not its own prefix's:
	// the cap sees nothing else of them. What edges say they had is never taken
	// for it, since an edge may lie.
	Weight func(netip.Prefix) float64
	// Also are edges that clients of a prefix are sent to by answers that were
	// not made for the prefix, such as those to a resolver that does not say who
	// asks; two of them count. nil: there are none.
	Also func(netip.Prefix) []landfall.NodeID
	// Up reports whether an edge is up; nil: all are.
	Up func(landfall.NodeID) bool
	// Room reports whether an edge can serve more than it does; nil: all can.
	Room func(landfall.NodeID) bool
}

// Guess is how far an edge is from some clients by what geography says.
type Guess struct {
	Edge    landfall.NodeID
	RTT     time.Duration // typical of the distance; 0: nothing is known
	Fastest time.Duration // what light would need; 0: nothing is known
}
