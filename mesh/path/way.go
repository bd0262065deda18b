package path

import (
	"fmt"
	"net/netip"
	"time"

	"landfall"
)

// Way leads to a peer: straight to an address, or through another node. The
// zero Way leads nowhere.
type Way struct {
	Addr netip.AddrPort  // a direct way: where datagrams go; invalid for a relayed one
	Via  landfall.NodeID // a relayed way: the node in between; "" for a direct one
}

// IsValid reports whether the way leads anywhere.
func (w Way) IsValid() bool { return w.Via != "" || w.Addr.IsValid() }

// Relayed reports whether a third node forwards.
func (w Way) Relayed() bool { return w.Via != "" }

// String is the way for logs: an address, or "via" and a node.
func (w Way) String() string {
	switch {
	case w.Via != "":
		return "via " + string(w.Via)
	case w.Addr.IsValid():
		return w.Addr.String()
	}
	return "nowhere"
}

// Route is how to send to a peer. Routes are compared by ==.
type Route struct {
	Primary Way // the zero Way only while none is known
	Backup  Way // the best that does not share the primary's fate; zero where there is none
	// Doubt: send interactive datagrams both ways until it is cleared.
	Doubt bool
	// MTU and BackupMTU are the largest UDP payloads known to pass, without
	// the headers of relaying and of fragments; 0 where there is no way.
	MTU, BackupMTU int
	// Direct is the best address that answers, and DirectMTU what is known to
	// pass there, whether the route leads by it or not: for what is relayed to
	// the peer, and through it. Invalid where there is none.
	Direct    netip.AddrPort
	DirectMTU int
}

// String is the route for logs.
func (r Route) String() string {
	s := r.Primary.String()
	if r.Backup.IsValid() {
		s += " (or " + r.Backup.String() + ")"
	}
	if r.MTU > 0 {
		s += fmt.Sprintf(", %d bytes", r.MTU)
	}
	if r.Doubt {
		s += ", in doubt"
	}
	return s
}

// Traffic is what the data plane saw on one way to a peer. Counts are of data
// datagrams: neither probes, handshakes nor keepalives. They only grow, and
// wrap around, while the way is known; all ways are told at once.
type Traffic struct {
	Way   Way
	Sent  uint32 // sent on it
	Heard uint32 // authenticated that came on it, each datagram once

	LastSent  time.Time // zero: never
	LastHeard time.Time // zero: never
	// Unanswered is when the first datagram was sent on this way since one
	// was last authenticated from this peer on any way; zero if none was.
	Unanswered time.Time
	// Gap is the usual time between two receipts on this way; 0 is unknown.
	Gap time.Duration
	// LargestSent and LargestHeard are the largest UDP payloads that went and
	// came on it since it was last asked.
	LargestSent, LargestHeard int
}

// Report is one node's view of its own direct way to another.
type Report struct {
	Node landfall.NodeID // the other
	RTT  time.Duration   // smoothed; 0: there is no direct way that works
	Loss float64         // from 0 to 1
}

// Probe is a ping to send.
type Probe struct {
	Peer  landfall.NodeID
	Way   Way
	Stamp int64 // its number, nanoseconds: never the same twice, never falling
	// Size is the UDP payload to fill up to, to learn whether it passes; 0
	// means the least.
	Size  int
	Doubt bool   // tell the peer that we doubt our route to it
	Sent  uint32 // data datagrams sent on the way so far
}

// Answer is what a pong says.
type Answer struct {
	Stamp int64  // of the ping
	Heard uint32 // data datagrams the peer has authenticated on the way the ping took
	// Largest is the largest UDP payload the peer has lately received on that
	// way, probes included; 0 is unknown.
	Largest int
	// Bare says that the peer did not believe the ping: it answered, and says
	// nothing of Heard and Largest.
	Bare bool
}

// Event is a change that others act on.
type Event struct {
	Peer  landfall.NodeID
	Kind  EventKind
	Route Route  // the route now
	Why   string // in words, for people
}

// EventKind says what changed.
type EventKind uint8

// The kinds of events.
const (
	Alive  EventKind = iota + 1 // the peer answers
	Dead                        // the peer answers on no way, and is silent
	Routed                      // the route is another
)

// String is a word for logs.
func (k EventKind) String() string {
	switch k {
	case Alive:
		return "alive"
	case Dead:
		return "dead"
	case Routed:
		return "routed"
	}
	return "unknown"
}
