package conn

import (
	"sync"
	"time"
)

// sink is the side of a Conn that its stream talks to.
type sink Conn

// Data implements landfall.Sink.
func (s *sink) Data(b []byte) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return len(b)
	}
	unread := s.buf[s.done:]
	n := min(len(b), maxBuffered-len(unread))
	switch {
	case len(unread) == 0 && cap(s.buf) > 4*n:
		s.buf = nil // a quiet connection keeps no large buffer
	default:
		s.buf = append(s.buf[:0], unread...)
	}
	s.buf, s.done = append(s.buf, b[:n]...), 0
	s.stalled = n < len(b)
	s.readable.Broadcast()
	return n
}

// EOF implements landfall.Sink.
func (s *sink) EOF() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.eof = true
	s.readable.Broadcast()
}

// Writable implements landfall.Sink.
func (s *sink) Writable() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.room = true
	s.writable.Broadcast()
}

// Closed implements landfall.Sink.
func (s *sink) Closed(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over, s.err = true, err
	s.read.stop()
	s.write.stop()
	s.readable.Broadcast()
	s.writable.Broadcast()
}

// deadline wakes those who wait when its time has come. The mutex of its Conn
// guards it.
type deadline struct {
	at      time.Time
	timer   *time.Timer
	waiting *sync.Cond
}

func (d *deadline) passed() bool { return !d.at.IsZero() && !time.Now().Before(d.at) }

// set moves the deadline and lets those who wait look at it.
func (d *deadline) set(t time.Time) {
	d.stop()
	d.at = t
	if wait := time.Until(t); !t.IsZero() && wait > 0 {
		d.timer = time.AfterFunc(wait, d.expire)
	}
	d.waiting.Broadcast()
}

// expire takes the mutex, so that nobody is just between having found that
// the time has not come and waiting for it.
func (d *deadline) expire() {
	d.waiting.L.Lock()
	defer d.waiting.L.Unlock()
	d.waiting.Broadcast()
}

func (d *deadline) stop() {
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
}
