package room

import (
	"sync"
	"time"
)

// every is how often Seldom lets something be told.
const every = time.Minute

// Seldom counts what happens often, and says when to tell of it: the first
// time at once, then once a minute. Its zero value is ready.
type Seldom struct {
	mu    sync.Mutex // guards what follows
	next  time.Time
	times uint64
}

// Count counts one. When it is time to tell, times is how often it has
// happened since it was told the last time; otherwise 0.
func (s *Seldom) Count(now time.Time) (times uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.times++
	if now.Before(s.next) {
		return 0
	}
	times, s.times, s.next = s.times, 0, now.Add(every)
	return times
}
