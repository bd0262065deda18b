package fronttest

import (
	"context"
	"hash/crc64"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"landfall"
	"landfall/mesh/front"
)

// patience is how long anything may take that is not a matter of timeouts.
const patience = 20 * time.Second

// end is one side of a stream, and its sink. It notices calls that overlap or
// come after Closed.
type end struct {
	t      testing.TB
	inside atomic.Int32
	news   chan struct{} // something has changed
	up     chan struct{} // closed when stream is set
	stream front.Stream
	// data is asked how much to take, and takes it; nil takes all.
	data func(e *end, b []byte) int

	mu     sync.Mutex
	got    []byte // the first bytes
	count  int    // of all bytes
	sum    uint64 // of all bytes, too
	eofs   int
	rooms  int
	closed bool
	err    error
}

func newEnd(t testing.TB) *end {
	return &end{t: t, news: make(chan struct{}, 1), up: make(chan struct{})}
}

func (e *end) is(s front.Stream) {
	e.stream = s
	close(e.up)
}

func (e *end) enter() (leave func()) {
	if e.inside.Add(1) != 1 {
		e.t.Error("two calls at once")
	}
	e.mu.Lock()
	if e.closed {
		e.t.Error("a call after Closed")
	}
	return func() {
		e.mu.Unlock()
		e.inside.Add(-1)
		select {
		case e.news <- struct{}{}:
		default:
		}
	}
}

// Data implements landfall.Sink.
func (e *end) Data(b []byte) int {
	defer e.enter()()
	if e.eofs > 0 || len(b) == 0 {
		e.t.Errorf("%d bytes after %d EOFs", len(b), e.eofs)
	}
	n := len(b)
	if e.data != nil {
		n = e.data(e, b)
	}
	e.got = append(e.got, b[:min(n, 1<<10-len(e.got))]...)
	e.count += n
	e.sum = crc64.Update(e.sum, table(), b[:n])
	return n
}

// EOF implements landfall.Sink.
func (e *end) EOF() {
	defer e.enter()()
	e.eofs++
}

// Writable implements landfall.Sink.
func (e *end) Writable() {
	defer e.enter()()
	e.rooms++
}

// Closed implements landfall.Sink.
func (e *end) Closed(err error) {
	defer e.enter()()
	e.closed, e.err = true, err
}

func table() *crc64.Table { return crc64.MakeTable(crc64.ECMA) }

// until waits for something to become true.
func (e *end) until(t testing.TB, what string, patience time.Duration, is func() bool) {
	t.Helper()
	late := time.After(patience)
	for {
		e.mu.Lock()
		ok := is()
		e.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-e.news:
		case <-late:
			e.mu.Lock()
			defer e.mu.Unlock()
			t.Fatalf("no %s after %v: %d bytes, %d EOFs, %d times room, closed %v: %v", what, patience, e.count, e.eofs, e.rooms, e.closed, e.err)
		}
	}
}

// over waits for Closed and returns what it said.
func (e *end) over(t testing.TB, patience time.Duration) error {
	t.Helper()
	e.until(t, "end", patience, func() bool { return e.closed })
	return e.err
}

// write writes all of it, waiting for room.
func (e *end) write(t testing.TB, b []byte) {
	t.Helper()
	for len(b) > 0 {
		e.mu.Lock()
		rooms := e.rooms
		e.mu.Unlock()
		n, err := e.stream.Write(b)
		if err != nil {
			t.Errorf("write: %v", err)
			return
		}
		if b = b[n:]; len(b) > 0 {
			e.until(t, "room", patience, func() bool { return e.rooms > rooms })
		}
	}
}

// stuff writes until nothing moves any more, and says how much that was.
func (e *end) stuff(t testing.TB, b []byte) (written int) {
	t.Helper()
	for {
		e.mu.Lock()
		rooms := e.rooms
		e.mu.Unlock()
		n, err := e.stream.Write(b)
		if err != nil {
			t.Fatal(err)
		}
		if written += n; n == len(b) {
			continue
		}
		for quiet := time.After(200 * time.Millisecond); ; {
			e.mu.Lock()
			more := e.rooms > rooms
			e.mu.Unlock()
			if more {
				break
			}
			select {
			case <-e.news:
				continue
			case <-quiet:
			}
			return written
		}
	}
}

// world is two joined fronts. Streams go from a to b.
type world struct {
	a, b Side
	link *Link
}

// port is where b listens, where a test needs but one.
const port = 1009

// open opens a stream from a to b, whose end is handed over as well.
func (w *world) open(t testing.TB, near, far *end, class landfall.Class, first []byte) {
	t.Helper()
	if err := w.b.Front.Listen(port, func(s front.Stream) {
		far.is(s)
		s.Start(far)
	}); err != nil {
		t.Fatal(err)
	}
	defer w.b.Front.Unlisten(port)
	w.dial(t, near, class, first)
	select {
	case <-far.up:
	case <-time.After(patience):
		t.Fatal("the stream was not accepted")
	}
}

func (w *world) dial(t testing.TB, near *end, class landfall.Class, first []byte) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	s, err := w.a.Front.Open(ctx, netip.AddrPortFrom(w.b.Addr, port), class, first, near)
	if err != nil {
		t.Fatal(err)
	}
	near.is(s)
}

// pair is both ends of a new stream that take all.
func (w *world) pair(t testing.TB) (near, far *end) {
	t.Helper()
	near, far = newEnd(t), newEnd(t)
	w.open(t, near, far, landfall.Normal, nil)
	return near, far
}
