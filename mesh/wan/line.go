package wan

import (
	"net"
	"os"
	"sync"
	"time"
)

// maxChunk is the largest piece of a stream that travels as one.
const maxChunk = 16 << 10

// DefaultWindow is how many bytes of a stream may be under way in one
// direction: enough for 200 Mbit/s over 160 ms.
const DefaultWindow = 4 << 20

// line carries a stream in one direction. It has one sender and one receiver
// at a time; bytes put in at t can be taken out at t + delay, in order.
type line struct {
	path   *path
	window int
	late   *lateness

	filled  chan struct{} // holds a token after something was put in
	drained chan struct{} // holds a token after room was made

	mu     sync.Mutex
	chunks []chunk
	held   int
	last   time.Time // when the newest chunk arrives
}

// chunk is a piece of a stream under way, or its end.
type chunk struct {
	b       []byte
	end     error // set instead of b
	at      time.Time
	stalled bool // the link was down: at is when it was put in
}

// stops are the channels that end a wait.
type stops struct{ deadline, closed <-chan struct{} }

// err is why a wait must end, if it must.
func (s stops) err() error {
	select {
	case <-s.closed:
		return net.ErrClosed
	default:
	}
	select {
	case <-s.deadline:
		return os.ErrDeadlineExceeded
	default:
		return nil
	}
}

func newLine(p *path, window int, late *lateness) *line {
	return &line{path: p, window: window, late: late, filled: make(chan struct{}, 1), drained: make(chan struct{}, 1)}
}

// send puts a copy of b on the line, waiting for room.
func (l *line) send(b []byte, s stops) (n int, err error) {
	for {
		if err := s.err(); err != nil {
			return n, err
		}
		n += l.put(b[n:], time.Now())
		if n == len(b) {
			return n, nil
		}
		select {
		case <-l.drained:
		case <-s.deadline:
		case <-s.closed:
		}
	}
}

// put takes as much as there is room for.
func (l *line) put(b []byte, now time.Time) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for n < len(b) && l.held < l.window {
		size := min(len(b)-n, maxChunk, l.window-l.held)
		l.add(chunk{b: append([]byte(nil), b[n:n+size]...)}, now)
		l.held += size
		n += size
	}
	return n
}

// finish puts the end of the stream on the line, behind all bytes. It never
// waits.
func (l *line) finish(end error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.add(chunk{end: end}, time.Now())
}

// add is called with mu held.
func (l *line) add(c chunk, now time.Time) {
	c.at, c.stalled = now, true
	if n := len(l.chunks); n == 0 || !l.chunks[n-1].stalled {
		l.schedule(&c)
	}
	l.chunks = append(l.chunks, c)
	signal(l.filled)
}

// schedule gives a chunk its time of arrival, unless the link is down.
func (l *line) schedule(c *chunk) {
	at, ok := l.path.chunk(len(c.b), c.at)
	if !ok {
		return
	}
	if at.Before(l.last) {
		at = l.last
	}
	c.at, c.stalled, l.last = at, false, at
}

// next waits for the next chunk to arrive and takes it off the line.
func (l *line) next(s stops) (chunk, error) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	waited := false
	for {
		if err := s.err(); err != nil {
			return chunk{}, err
		}
		_, changed, change := l.path.state(time.Now())
		c, due, ok := l.take(time.Now())
		if ok {
			if waited {
				l.late.add(time.Since(c.at))
			}
			return c, nil
		}
		timer.Stop()
		if waited = !due.IsZero(); !waited {
			due = change // which may end the stall
		}
		if !due.IsZero() {
			timer.Reset(time.Until(due))
		}
		select {
		case <-timer.C:
		case <-l.filled:
		case <-changed:
		case <-s.deadline:
		case <-s.closed:
		}
	}
}

// take is the first chunk if it has arrived; else due is when it will, zero
// if that is not known.
func (l *line) take(now time.Time) (c chunk, due time.Time, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.chunks) == 0 {
		return chunk{}, time.Time{}, false
	}
	if l.chunks[0].stalled {
		l.schedule(&l.chunks[0])
	}
	c = l.chunks[0]
	if c.stalled {
		return chunk{}, time.Time{}, false
	}
	if c.at.After(now) {
		return chunk{}, c.at, false
	}
	l.chunks[0] = chunk{}
	l.chunks = l.chunks[1:]
	l.held -= len(c.b)
	signal(l.drained)
	return c, time.Time{}, true
}

// signal leaves one token, however often it is called.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
