package tap

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Event is a query and its answer.
type Event struct {
	Time   time.Time      // when the query came
	Client netip.AddrPort // where from
	Server netip.AddrPort // where to; the zero value is unknown
	Via    string         // "udp", "tcp", "tls" or "https"
	Query  []byte
	Answer []byte // empty: silence
}

const (
	// slots are how many events wait in a ring at most.
	slots = 1024
	// roomy is the room for a query and its answer that a slot has from the
	// beginning, and gross what is not kept once it was needed.
	roomy, gross = 640, 4096
)

// Handle is where one thread, or several in turn, leave events.
type Handle struct {
	turn  *sync.Mutex // nil: one thread alone has the handle
	every uint32
	count uint32 // of queries since the last that was due

	_    [64]byte
	head atomic.Uint64 // events put in so far
	lost atomic.Uint64 // events that found no room
	_    [64]byte
	tail atomic.Uint64 // events taken out so far
	ring [slots]slot
}

// slot is an event with bytes of its own.
type slot struct {
	Event
	took time.Duration
	b    []byte
}

func newHandle(every uint32, turn *sync.Mutex) *Handle {
	h := &Handle{every: every, turn: turn}
	for i := range h.ring {
		h.ring[i].b = make([]byte, 0, roomy)
	}
	return h
}

// Due reports whether the query at hand is one that operators are told of. It
// is to be asked once for each. A nil Handle tells of none.
func (h *Handle) Due() bool {
	if h == nil {
		return false
	}
	if h.turn != nil {
		return h.dueInTurn()
	}
	h.count++
	if h.count < h.every {
		return false
	}
	h.count = 0
	return true
}

func (h *Handle) dueInTurn() bool {
	h.turn.Lock()
	defer h.turn.Unlock()
	h.count++
	due := h.count >= h.every
	if due {
		h.count = 0
	}
	return due
}

// Take copies an event. It never waits for room, and allocates only for what
// is unusually long.
func (h *Handle) Take(e Event) {
	if h.turn != nil {
		h.turn.Lock()
		defer h.turn.Unlock()
	}
	head := h.head.Load()
	if head-h.tail.Load() == slots {
		h.lost.Add(1)
		return
	}
	s := &h.ring[head%slots]
	s.b = append(append(s.b[:0], e.Query...), e.Answer...)
	s.Event, s.took = e, time.Since(e.Time)
	s.Query, s.Answer = s.b[:len(e.Query):len(e.Query)], s.b[len(e.Query):]
	h.head.Store(head + 1)
}

// drain hands over what waits, oldest first, and returns how much it was. What
// see is given, it may change, but not keep.
func (h *Handle) drain(see func(*slot)) int {
	tail, head := h.tail.Load(), h.head.Load()
	for at := tail; at < head; at++ {
		s := &h.ring[at%slots]
		see(s)
		if cap(s.b) > gross {
			s.b = make([]byte, 0, roomy)
		}
		s.Event = Event{}
		h.tail.Store(at + 1)
	}
	return int(head - tail)
}
