package traffic

import (
	"iter"
	"math"
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// sets times ways is how many prefixes are known at most: 131,072, in
	// 2 MiB.
	setBits = 14
	sets    = 1 << setBits
	// ways is how many prefixes share a set; their keys are one cache line.
	ways = 8
	// one is a query in the fixed point of counts.
	one = 1 << 20
	// fewest is what a prefix has to have for a View to name it.
	fewest = one / 2
	// busy is how many queries a second are counted one by one; of more,
	// every second, fourth and so on, for as many.
	busy = 4096
	// HalfLife is after what time a query counts half.
	HalfLife = 12 * time.Hour
)

// Counter counts queries by the network of their client. All methods may be
// called at once; Add takes no lock and allocates nothing.
//
// The memory is of fixed size. A network for which its set has no place takes
// that of the least one with a chance of 1 in so many as that one has, and
// takes over its count (Ben Basat et al., "Randomized admission policy for
// efficient top-k and frequency estimation", INFOCOM 2017): those who ask
// much stay, each count is right on average, and the sum of all is exact.
// Which networks share a set hangs on a multiplier made at the start, so that
// nobody can aim at one.
type Counter struct {
	sets [sets]set // first: each half of a set is then one cache line

	multiplier uint64
	mask       atomic.Uint32 // one query in mask+1 is counted
	replaced   atomic.Uint64
	rate       atomic.Uint64 // queries counted a second, before the last Tick

	mu      sync.Mutex // guards what follows; not taken by Add
	ticked  time.Time
	counted float64 // queries before the last Tick
	left    uint64  // sum of all counts after it
}

type set struct {
	keys   [ways]atomic.Uint64 // 0 is a free place
	counts [ways]atomic.Uint64 // in fixed point
}

// New makes a Counter that has counted nothing.
func New() *Counter { return &Counter{multiplier: rand.Uint64() | 1} }

// Add counts a query of a client, or one in so many for all. Addresses that
// are no addresses are not counted.
func (c *Counter) Add(a netip.Addr) {
	if n := c.Sample(); n > 0 {
		c.AddSome(a, n)
	}
}

// Sample decides whether the next query is one that is counted, and for how
// many; for 0 it is not. Most are not where there are very many.
func (c *Counter) Sample() (n uint32) {
	mask := c.mask.Load()
	if mask != 0 && rand.Uint32()&mask != 0 {
		return 0
	}
	return mask + 1
}

// AddSome counts a query that Sample has chosen to stand for n.
func (c *Counter) AddSome(a netip.Addr, n uint32) {
	if k := keyOf(a); k != 0 {
		c.add(k, uint64(n)*one)
	}
}

func (c *Counter) add(k key, weight uint64) {
	s := &c.sets[uint64(k)*c.multiplier>>(64-setBits)]
	for i := range s.keys {
		if s.keys[i].Load() == uint64(k) {
			s.counts[i].Add(weight)
			return
		}
	}
	c.admit(s, k, weight)
}

// admit gives a network that has no place that of the least one of its set, or
// that one the count: on average, either has what it asked.
func (c *Counter) admit(s *set, k key, weight uint64) {
	least, count := 0, uint64(math.MaxUint64)
	for i := range s.counts {
		if n := s.counts[i].Load(); n < count {
			least, count = i, n
		}
	}
	old := s.keys[least].Load()
	if old == 0 || rand.Uint64N(count+weight) < weight {
		if s.keys[least].CompareAndSwap(old, uint64(k)) && old != 0 && count >= fewest {
			c.replaced.Add(1)
		}
	}
	s.counts[least].Add(weight)
}

// Tick lets the counts age; call it every minute or so. It also finds out how
// many queries there are, to count only some of very many.
func (c *Counter) Tick(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	age := now.Sub(c.ticked)
	if first := c.ticked.IsZero(); first || age <= 0 {
		if first {
			c.ticked = now
		}
		return
	}
	before, after := c.age(math.Exp2(-age.Hours() / HalfLife.Hours()))
	fresh := float64(before-c.left) / one // by so much has the sum grown, whoever had to give way
	mask := uint32(0)
	for float64(mask+1)*busy < fresh/age.Seconds() {
		mask = mask<<1 | 1
	}
	c.mask.Store(mask)
	c.rate.Store(uint64(fresh / age.Seconds()))
	c.counted, c.left, c.ticked = c.counted+fresh, after, now
}

// age lets all counts shrink, and returns their sum before and after.
func (c *Counter) age(factor float64) (before, after uint64) {
	for i := range c.sets {
		for j := range c.sets[i].counts {
			n := &c.sets[i].counts[j]
			for was := n.Load(); was > 0; was = n.Load() {
				now := uint64(float64(was) * factor)
				if n.CompareAndSwap(was, now) {
					before, after = before+was, after+now
					break
				}
			}
		}
	}
	return before, after
}

// Rate is how many queries a second were counted lately; 0 before the second
// Tick.
func (c *Counter) Rate() uint64 { return c.rate.Load() }

// Freeze is what was counted up to now.
func (c *Counter) Freeze() *View {
	var entries []entry
	for k, n := range c.all() {
		entries = append(entries, entry{k, n})
	}
	return frozen(entries)
}

// all are the networks that are known to ask, and how much.
func (c *Counter) all() iter.Seq2[key, float64] {
	return func(yield func(key, float64) bool) {
		for i := range c.sets {
			s := &c.sets[i]
			for j := range s.keys {
				k, n := s.keys[j].Load(), s.counts[j].Load()
				if k != 0 && n >= fewest && !yield(key(k), float64(n)/one) {
					return
				}
			}
		}
	}
}

// Restore counts what a View holds, as after a restart. Call it before the
// first Tick.
func (c *Counter) Restore(v *View) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if v == nil {
		return
	}
	for _, e := range v.entries {
		if w := e.weight * one; w < 1<<60 {
			c.add(e.key, uint64(w))
			c.left += uint64(w)
		}
	}
}

// Stats are the counts of a Counter.
type Stats struct {
	Queries  uint64 `metric:"queries_total" help:"Queries counted by their client's network; of very many, estimated from some."`
	Prefixes int64  `metric:"prefixes" help:"Networks that are known to ask."`
	Replaced uint64 `metric:"prefixes_replaced_total" help:"Networks forgotten because others ask more."`
	Sampling int64  `metric:"sampling" help:"One query of so many is counted."`
}

// Stats returns the counts so far.
func (c *Counter) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := Stats{Replaced: c.replaced.Load(), Sampling: int64(c.mask.Load()) + 1}
	before, _ := c.age(1)
	s.Queries = uint64(c.counted) + (before-c.left)/one
	for range c.all() {
		s.Prefixes++
	}
	return s
}
