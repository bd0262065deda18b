package forward

import (
	"net/http"
	"sync"
	"time"
)

// Stall is how long a client may take none of an answer: each piece of it, of
// at most 32 KiB, has that long to leave. It is a rate of 4 kbit/s, which
// suspended laptops and the worst of mobile networks keep, and a bound on
// what a client costs who closes the window of an HTTP/2 stream (RFC 9113,
// 5.2) and answers every ping.
const Stall = time.Minute

// longAgo is a deadline that ends what waits.
var longAgo = time.Unix(1, 0)

// fuse ends one direction of an exchange with a client who keeps it waiting.
// Deadlines of net/http alone would not do: those of an HTTP/2 stream run on
// while nobody waits for the client, and each costs a message to the
// connection's goroutine.
type fuse struct {
	timer *time.Timer

	mu   sync.Mutex // guards over, and is held by burn
	over bool       // the writer may be gone: touch it no more
}

// newFuse makes a fuse that does not burn yet.
func newFuse(burn func()) *fuse {
	f := new(fuse)
	f.timer = time.AfterFunc(time.Hour, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if !f.over {
			burn()
		}
	})
	f.timer.Stop()
	return f
}

// light gives the client until d from now.
func (f *fuse) light(d time.Duration) { f.timer.Reset(d) }

// snuff ends the waiting.
func (f *fuse) snuff() { f.timer.Stop() }

// end leaves the fuse useless, and has waited for it if it was just burning.
func (f *fuse) end() {
	f.timer.Stop()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.over = true
}

// sip is the way of an answer to a client, piece by piece.
type sip struct {
	http.ResponseWriter
	control *http.ResponseController
	fuse    *fuse
	err     error // the first; ReverseProxy forgets those of flushes
}

func newSip(w http.ResponseWriter, stalled func()) *sip {
	s := &sip{ResponseWriter: w, control: http.NewResponseController(w)}
	s.fuse = newFuse(func() {
		stalled()
		s.control.SetWriteDeadline(longAgo) // resets an HTTP/2 stream, and fails writes of HTTP/1.1
	})
	return s
}

// Write implements http.ResponseWriter.
func (s *sip) Write(b []byte) (n int, err error) {
	s.give(func() error {
		n, err = s.ResponseWriter.Write(b)
		return err
	})
	return n, err
}

// FlushError is what http.ResponseController.Flush calls.
func (s *sip) FlushError() error { return s.give(s.control.Flush) }

func (s *sip) give(piece func() error) error {
	s.fuse.light(Stall)
	defer s.fuse.snuff()
	err := piece()
	if s.err == nil {
		s.err = err
	}
	return err
}

// Unwrap lets http.ResponseController find the rest.
func (s *sip) Unwrap() http.ResponseWriter { return s.ResponseWriter }
