// Package budget bounds how often somebody may do something: keys go in, and
// a wait comes out for who has spent too much. It keeps its count in memory,
// of a bounded number of keys, and starts nothing.
package budget

import (
	"fmt"
	"sync"
	"time"
)

// maxKeys bounds the memory of one Budget or Recent.
const maxKeys = 1 << 14

// trim makes room in a full map: of what is past, or else of anything, and so
// much at once that it seldom has to.
func trim[K comparable](m map[K]time.Time, now time.Time) {
	if len(m) < maxKeys {
		return
	}
	for key, until := range m {
		if !until.After(now) {
			delete(m, key)
		}
	}
	for key := range m {
		if len(m) <= maxKeys/4*3 {
			return
		}
		delete(m, key)
	}
}

// Spent says that a budget is used up.
type Spent struct {
	After time.Duration // when to try again
}

// Error says when to try again.
func (s *Spent) Error() string {
	return fmt.Sprintf("too many attempts: try again in %d seconds", s.Seconds())
}

// Seconds is After in whole seconds, at least one.
func (s *Spent) Seconds() int { return int((s.After + time.Second - 1) / time.Second) }

// Budget lets each key take Burst at once, and one more every Every. It may
// be used by many goroutines.
type Budget[K comparable] struct {
	Burst int
	Every time.Duration
	Now   func() time.Time

	mu   sync.Mutex
	full map[K]time.Time // when all that was taken will be back
}

// Take takes one, or returns a *Spent.
func (b *Budget[K]) Take(key K) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.Now()
	full := b.full[key]
	if full.Before(now) {
		full = now
	}
	full = full.Add(b.Every)
	if wait := full.Sub(now) - time.Duration(b.Burst)*b.Every; wait > 0 {
		return &Spent{After: wait}
	}
	if b.full == nil {
		b.full = map[K]time.Time{}
	}
	trim(b.full, now)
	b.full[key] = full
	return nil
}

// Return gives one back that should not have counted.
func (b *Budget[K]) Return(key K) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if full, ok := b.full[key]; ok {
		b.full[key] = full.Add(-b.Every)
	}
}
