package geodns

import (
	"sync/atomic"
	"time"
)

// seldomEvery is the time between two log lines of one kind.
const seldomEvery = 10 * time.Second

// seldom is a kind of log line that strangers can cause: it is written at most
// once in a while. The zero seldom has written nothing yet.
type seldom struct {
	last atomic.Pointer[time.Time]
}

// due reports whether to write the line now.
func (s *seldom) due() bool {
	last := s.last.Load()
	return (last == nil || time.Since(*last) >= seldomEvery) && s.last.CompareAndSwap(last, new(time.Now()))
}
