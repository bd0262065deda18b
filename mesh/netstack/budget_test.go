package netstack

import (
	"net/netip"
	"sync"
	"testing"
	"time"

	"landfall"
	"landfall/mesh/front"
	"landfall/mesh/fronttest"
)

// patience is how long anything may take on a busy machine.
const patience = 30 * time.Second

// shutter is a sink that takes nothing until it is opened.
type shutter struct {
	room chan struct{}

	mu   sync.Mutex
	open bool
	got  int
}

func newShutter() *shutter { return &shutter{room: make(chan struct{}, 1)} }

func (s *shutter) Data(b []byte) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.open {
		return 0
	}
	s.got += len(b)
	return len(b)
}
func (s *shutter) EOF()         {}
func (s *shutter) Closed(error) {}
func (s *shutter) Writable() {
	select {
	case s.room <- struct{}{}:
	default:
	}
}

// stalls is one side that writes to another that does not read.
type stalls struct {
	a, b     *Front
	mu       sync.Mutex
	accepted []front.Stream
	sinks    []*shutter
}

func newStalls(t *testing.T, budget int64) *stalls {
	a, b := side(t, "a", Config{Budget: budget}), side(t, "b", Config{Budget: budget})
	fronttest.Join(t, a, b)
	s := &stalls{a: a.Front.(*Front), b: b.Front.(*Front)}
	err := s.b.Listen(9, func(in front.Stream) {
		sink := newShutter()
		s.mu.Lock()
		s.accepted, s.sinks = append(s.accepted, in), append(s.sinks, sink)
		s.mu.Unlock()
		in.Start(sink)
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// fill opens a stream and writes until nothing moves any more.
func (s *stalls) fill(t *testing.T) (written int) {
	t.Helper()
	sink := newShutter()
	out, err := s.a.Open(t.Context(), netip.AddrPortFrom(s.b.addr, 9), landfall.Normal, nil, sink)
	if err != nil {
		t.Fatal(err)
	}
	piece := make([]byte, 64<<10)
	for {
		n, err := out.Write(piece)
		if err != nil {
			t.Fatal(err)
		}
		if written += n; n == len(piece) {
			continue
		}
		select {
		case <-sink.room:
		case <-time.After(400 * time.Millisecond):
			return written
		}
	}
}

// acceptedAll waits until so many streams have been accepted.
func (s *stalls) acceptedAll(t *testing.T, count int) []front.Stream {
	t.Helper()
	for start := time.Now(); time.Since(start) < patience; <-time.After(time.Millisecond) {
		s.mu.Lock()
		accepted := s.accepted
		s.mu.Unlock()
		if len(accepted) == count {
			return accepted
		}
	}
	t.Fatalf("fewer than %d streams were accepted", count)
	return nil
}

func (s *stalls) each(do func(front.Stream, *shutter)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, in := range s.accepted {
		do(in, s.sinks[i])
	}
}

func (s *stalls) until(t *testing.T, spent bool) {
	t.Helper()
	for start := time.Now(); s.a.spent.Load() != spent || s.b.spent.Load() != spent; <-time.After(recount / 4) {
		if time.Since(start) > patience {
			t.Fatalf("budget spent: still %v", !spent)
		}
	}
}

// resume opens all sinks, and waits until they have got it all.
func (s *stalls) resume(t *testing.T, written int) {
	t.Helper()
	s.each(func(in front.Stream, sink *shutter) {
		sink.mu.Lock()
		sink.open = true
		sink.mu.Unlock()
		in.Resume()
	})
	for start, got := time.Now(), 0; got < written; <-time.After(10 * time.Millisecond) {
		got = 0
		s.each(func(_ front.Stream, sink *shutter) {
			sink.mu.Lock()
			got += sink.got
			sink.mu.Unlock()
		})
		if time.Since(start) > patience {
			t.Fatalf("%d bytes of %d arrived", got, written)
		}
	}
}

func TestStalledStreamsShareABudget(t *testing.T) {
	s := newStalls(t, 1<<20)
	written, early := 0, 0
	for ; early < 5 || early < 50 && !(s.a.spent.Load() && s.b.spent.Load()); early++ {
		written += s.fill(t)
	}
	s.until(t, true)
	for range 5 {
		written += s.fill(t)
	}
	late := s.acceptedAll(t, early+5)[early:]
	for i, in := range late {
		if n := in.(*front.Flow).Endpoint().(*endpoint).unread(); n > minBuffer {
			t.Errorf("late stream %d holds %d bytes", i, n)
		}
	}
	s.resume(t, written)
	s.until(t, false)
	if w := s.fill(t); w < startBuffer {
		t.Errorf("a new stream took %d bytes after the budget was free again", w)
	}
}
