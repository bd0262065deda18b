package dnssec

import (
	"crypto/sha256"
	"sync"
	"sync/atomic"
)

// Cache remembers signatures, those that were looked up last. It is bounded,
// and good for any number of keys. A nil Cache remembers nothing.
type Cache struct {
	made atomic.Uint64

	mu         sync.Mutex
	limit      int
	young, old map[cached][SignatureSize]byte
}

// cached tells what a signature is over.
type cached struct {
	key    uint64 // the beginning of its public half
	digest [sha256.Size]byte
}

// NewCache makes a Cache that remembers at least the given number of signatures
// that were looked up last, and at most twice as many. Each takes about 150
// bytes.
func NewCache(limit int) *Cache { return &Cache{limit: max(limit, 1)} }

// Made is how many signatures had to be made.
func (c *Cache) Made() uint64 { return c.made.Load() }

func (c *Cache) get(id cached) (sig [SignatureSize]byte, ok bool) {
	if c == nil {
		return sig, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if sig, ok = c.young[id]; ok {
		return sig, true
	}
	if sig, ok = c.old[id]; ok {
		c.keep(id, sig)
	}
	return sig, ok
}

// put remembers a signature that was just made.
func (c *Cache) put(id cached, sig [SignatureSize]byte) {
	if c == nil {
		return
	}
	c.made.Add(1)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keep(id, sig)
}

// keep is put with the lock held. Where the young are as many as there is room
// for, they become the old, and the old are forgotten.
func (c *Cache) keep(id cached, sig [SignatureSize]byte) {
	if len(c.young) >= c.limit {
		c.old, c.young = c.young, nil
	}
	if c.young == nil {
		c.young = map[cached][SignatureSize]byte{}
	}
	c.young[id] = sig
}
