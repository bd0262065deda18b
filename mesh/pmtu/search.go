package pmtu

import (
	"fmt"
	"slices"
	"time"
)

// What is added to a UDP payload on its way, by family.
const (
	HeadersV4 = 20 + 8 // IPv4 without options, UDP
	HeadersV6 = 40 + 8 // IPv6 without extensions, UDP
)

// The numbers of a search (RFC 8899, 5.1).
const (
	Base      = 1200   // UDP payload believed in before anything is known (BASE_PLPMTU)
	Step      = 4      // bytes: how precisely the largest size is found
	MaxProbes = 3      // times that a size fails before it is given up (MAX_PROBES)
	Budget    = 40_000 // bytes with headers; a search that has cost more ends with what it has

	RaiseEvery   = 10 * time.Minute // between searches for more (PMTU_RAISE_TIMER)
	ConfirmEvery = 30 * time.Second // without evidence that the size in use still arrives (CONFIRMATION_TIMER)
)

const (
	floorMTU = 576  // what every IPv4 host must be able to receive (RFC 1122, 3.3.2)
	mostMTU  = 1500 // no more is looked for

	unknownLate = time.Second           // when a probe is late if no round trip is known
	rttMost     = 3 * time.Second       // a longer one is not waited for
	patience    = 30 * time.Millisecond // what it has beyond the round trip and a quarter of it
	retry       = 2 * time.Second       // first pause in the error state; it doubles
	retryMost   = time.Minute           // the longest
	hintEvery   = time.Second           // between hints that are heeded
)

// rungs are usual MTUs, with IP headers.
func rungs() []int { return []int{floorMTU, 1000, 1124, 1280, 1400, mostMTU} }

// State is where a search stands (RFC 8899, 5.2).
type State uint8

// The states.
const (
	Starting  State = iota // base: nothing has answered yet
	Searching              // something has; looking for more
	Complete               // the size is known within Step
	Error                  // nothing answers, not even the floor
)

// String is a word for logs.
func (s State) String() string {
	switch s {
	case Starting:
		return "base"
	case Searching:
		return "searching"
	case Complete:
		return "complete"
	}
	return "error"
}

// Search is the search on one way. Make it with New. It is not safe for
// concurrent use.
type Search struct {
	overhead int // of IP and UDP, and of being relayed
	max      int // no larger size is probed
	state    State
	lo       int   // largest size seen to arrive; 0: none, since the last suspicion
	clipped  bool  // Base is not believed in any more
	tries    []try // probed and not answered, ascending, all above lo
	check    try   // lo again
	known    time.Time
	due      time.Time // when to plan the next round, once nothing is waited for; zero: never
	since    time.Time // the last suspicion: what was sent before proves nothing
	hinted   time.Time
	rtt      time.Duration
	pause    time.Duration // between rounds in the error state
	ladders  int           // sent since the start or the last suspicion
	last     int           // lo before the last suspicion
	hint     int           // size of the last hint
	spent    int           // bytes, by this search
}

// try is a size that was probed.
type try struct {
	size   int
	misses int
	sent   time.Time
	wait   bool // for an answer
}

// New begins a search. Overhead is what IP, UDP and, on a way through another
// node, package relay add to a payload; rtt the round-trip time, 0 if unknown.
func New(overhead int, rtt time.Duration, now time.Time) *Search {
	s := &Search{overhead: overhead, rtt: rtt, due: now}
	s.max = s.most()
	return s
}

func (s *Search) floor() int { return floorMTU - s.overhead }
func (s *Search) most() int  { return mostMTU - s.overhead }

// Size is the largest UDP payload that is believed to arrive.
func (s *Search) Size() int {
	if s.lo < Base && !s.clipped {
		return min(Base, s.max)
	}
	return max(s.lo, s.floor())
}

// State is where the search stands.
func (s *Search) State() State { return s.state }

// String is for status and logs: state and size.
func (s *Search) String() string { return fmt.Sprintf("%v %d", s.state, s.Size()) }

// late is how long a probe may take.
func (s *Search) late() time.Duration {
	if s.rtt == 0 {
		return unknownLate
	}
	return s.rtt + s.rtt/4 + patience
}

// expires is when a probe has failed.
func (s *Search) expires(t *try) time.Time { return t.sent.Add(s.late()) }

// waits reports whether a round is under way.
func (s *Search) waits() bool {
	return slices.ContainsFunc(s.tries, func(t try) bool { return t.wait })
}

// Answered says that the probe of this size which was sent at sent has been
// answered.
func (s *Search) Answered(size int, sent, now time.Time) {
	if sent.Before(s.since) || sent.After(now) {
		return // sent before the way changed
	}
	// Rising at once and falling slowly, so that no answer comes late.
	took := now.Sub(sent)
	s.rtt = min(max(took, s.rtt-(s.rtt-took)/8), rttMost)
	s.arrived(size, now)
}

// Confirmed says that an ordinary datagram of this size has arrived.
func (s *Search) Confirmed(size int, now time.Time) {
	if now.Sub(s.since) < s.late() {
		return // it may have, before the way changed
	}
	s.arrived(size, now)
}

// arrived takes proof that a size arrives.
func (s *Search) arrived(size int, now time.Time) {
	if size = min(size, s.max); size < max(s.lo, 1) {
		return
	}
	s.known, s.check = now, try{}
	if size > s.lo {
		s.lo = size
		s.tries = slices.DeleteFunc(s.tries, func(t try) bool { return t.size <= size })
		if s.state == Complete {
			s.spent = 0
		}
		s.state = Searching
	}
	switch {
	case s.lo == s.max:
		s.complete(now)
	case s.state == Searching && !s.waits():
		s.due = now
	}
}

// complete ends the search until it is time to look for more.
func (s *Search) complete(now time.Time) {
	s.state, s.known, s.due = Complete, now, time.Time{}
	if s.lo < s.most() {
		s.due = now.Add(RaiseEvery)
	}
}

// Suspect says that large datagrams do not arrive: Size falls at once to the
// floor, which is believed in without proof, and the search begins anew. Call
// it as well when a way that was dead works again. A suspicion that is younger
// than two round trips is not heeded twice.
func (s *Search) Suspect(now time.Time) {
	if !s.since.IsZero() && now.Sub(s.since) < 2*s.late() {
		return
	}
	s.last = max(s.lo, s.last)
	s.state, s.lo, s.clipped, s.tries, s.check = Starting, 0, true, nil, try{}
	s.max, s.ladders, s.spent = s.most(), 0, 0
	s.since, s.due = now, now
}

// Hint says that a router claims a smaller MTU, with IP headers (ICMP). It
// makes the search confirm the size in use; if that fails once, that is
// suspicious enough.
func (s *Search) Hint(mtu int, now time.Time) {
	size := mtu - s.overhead
	if s.lo == 0 || size >= s.lo || size < s.floor() || now.Sub(s.hinted) < hintEvery {
		return
	}
	s.hinted = now
	s.hint = size
	s.check = try{size: s.lo, misses: MaxProbes - 1}
	s.known = now.Add(-ConfirmEvery)
}

// Refused says that this host itself could not send a datagram of this size,
// since it is too large for the first hop.
func (s *Search) Refused(size int, now time.Time) {
	if size <= s.floor() || size > s.max {
		return
	}
	if size <= s.lo {
		s.Suspect(now)
	}
	s.max = size - 1
	s.tries = slices.DeleteFunc(s.tries, func(t try) bool { return t.size >= size })
	switch {
	case s.lo >= s.max:
		s.lo = s.max
		s.complete(now)
	case s.state == Searching && !s.waits():
		s.due = now
	}
}
