package warm

import (
	"cmp"
	"encoding/binary"
	"io"
	"slices"
	"time"

	"landfall/mesh/front"
)

// spare is a connection that stands ready, and the sink of its stream.
type spare struct {
	pool   *Pool
	shelf  *shelf
	stream front.Stream
	born   time.Time

	// Guarded by Pool.mu:
	asked  int // how much padding; 0 once all has come
	head   []byte
	rest   int // of the padding
	padded time.Time
	heir   *attempt // who has taken it
}

// idle reports whether no padding is under way.
func (s *spare) idle() bool { return s.asked == 0 }

// ask asks for padding.
func (s *spare) ask(padding int) {
	b := warmBytes(s.shelf.use.Class, padding)
	if n, err := s.stream.Write(b); n < len(b) {
		s.stream.Abort(cmp.Or(err, io.ErrShortWrite))
	}
}

// Data implements landfall.Sink: it throws padding away.
func (s *spare) Data(b []byte) int {
	s.pool.mu.Lock()
	heir, ok := s.heir, s.heir != nil || s.swallow(b)
	s.pool.mu.Unlock()
	switch {
	case heir != nil:
		return heir.Data(b)
	case !ok:
		s.stream.Abort(errPreamble)
	}
	return len(b)
}

// swallow reports whether the bytes are what was asked for.
func (s *spare) swallow(b []byte) bool {
	for len(b) > 0 {
		if s.asked == 0 {
			return false
		}
		if len(s.head) < numberSize {
			n := min(len(b), numberSize-len(s.head))
			s.head = append(s.head, b[:n]...)
			if b = b[n:]; len(s.head) < numberSize {
				return true
			}
			rest := binary.BigEndian.Uint32(s.head)
			if int64(rest) > int64(s.asked) {
				return false
			}
			if s.rest = int(rest); rest == 0 {
				s.shelf.refuse(s, time.Now())
			}
		}
		n := min(len(b), s.rest)
		s.pool.count.Padding += uint64(n)
		b, s.rest = b[n:], s.rest-n
		if s.rest == 0 {
			s.asked, s.head = 0, nil
			s.pool.look()
		}
	}
	return true
}

// EOF implements landfall.Sink.
func (s *spare) EOF() {
	if heir := s.lost(); heir != nil {
		heir.EOF()
		return
	}
	s.stream.Close()
}

// Writable implements landfall.Sink; requests are never cut short.
func (s *spare) Writable() {}

// Closed implements landfall.Sink.
func (s *spare) Closed(err error) {
	if heir := s.lost(); heir != nil {
		heir.Closed(err)
	}
}

// lost takes it off its shelf, unless somebody has taken it before.
func (s *spare) lost() *attempt {
	s.pool.mu.Lock()
	defer s.pool.mu.Unlock()
	if i := slices.Index(s.shelf.spares, s); i >= 0 {
		s.shelf.spares = slices.Delete(s.shelf.spares, i, i+1)
		if now := time.Now(); now.Sub(s.born) < maxPause {
			s.shelf.failed(now)
		}
		s.pool.count.Lost++
		s.pool.look()
	}
	return s.heir
}
