package budget

import (
	"sync"
	"time"
)

// Recent remembers keys for a while. It may be used by many goroutines.
type Recent[K comparable] struct {
	Life time.Duration
	Now  func() time.Time

	mu    sync.Mutex
	until map[K]time.Time
}

// Has says whether a key was added within Life.
func (r *Recent[K]) Has(key K) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.Now().Before(r.until[key])
}

// Add remembers a key from now on.
func (r *Recent[K]) Add(key K) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.until == nil {
		r.until = map[K]time.Time{}
	}
	now := r.Now()
	trim(r.until, now)
	r.until[key] = now.Add(r.Life)
}
