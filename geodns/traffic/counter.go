package traffic

import (
	"encoding/binary"
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
	multiplier uint64
	mask       atomic.Uint32 // one query in mask+1 is counted
	counted    atomic.Uint64 // queries, in fixed point
	replaced   atomic.Uint64
	sets       [sets]set

	mu     sync.Mutex // held by Tick
	ticked time.Time
	before uint64 // counted at the last Tick
}

type set struct {
	keys   [ways]atomic.Uint64 // 0 is a free place
	counts [ways]atomic.Uint64 // in fixed point
}

// New makes a Counter that has counted nothing.
func New() *Counter { return &Counter{multiplier: rand.Uint64() | 1} }

// Add counts a query of a client. Addresses that are no addresses are not
// counted.
func (c *Counter) Add(a netip.Addr) {
	mask := c.mask.Load()
	if mask != 0 && rand.Uint32()&mask != 0 {
		return
	}
	if k := keyOf(a); k != 0 {
		c.add(k, (uint64(mask)+1)*one)
	}
}

func (c *Counter) add(k, weight uint64) {
	c.counted.Add(weight)
	s := &c.sets[k*c.multiplier>>(64-setBits)]
	for i := range s.keys {
		if s.keys[i].Load() == k {
			s.counts[i].Add(weight)
			return
		}
	}
	c.admit(s, k, weight)
}

// admit gives a network that has no place that of the least one of its set, or
// that one the count: on average, either has what it asked.
func (c *Counter) admit(s *set, k, weight uint64) {
	least, count := 0, uint64(math.MaxUint64)
	for i := range s.counts {
		if n := s.counts[i].Load(); n < count {
			least, count = i, n
		}
	}
	old := s.keys[least].Load()
	if old == 0 || rand.Uint64N(count+weight) < weight {
		if s.keys[least].CompareAndSwap(old, k) && old != 0 && count >= fewest {
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
	age, counted := now.Sub(c.ticked), c.counted.Load()
	if c.ticked.IsZero() {
		age = 0
	}
	if c.ticked.IsZero() || age > 0 {
		c.ticked = now
	}
	if age <= 0 {
		return
	}
	rate := float64(counted-c.before) / one / age.Seconds()
	c.before = counted
	mask := uint32(0)
	for ; float64(mask+1)*busy < rate; mask = mask<<1 | 1 {
	}
	c.mask.Store(mask)
	c.age(math.Exp2(-age.Hours() / HalfLife.Hours()))
}

func (c *Counter) age(factor float64) {
	for i := range c.sets {
		for j := range c.sets[i].counts {
			n := &c.sets[i].counts[j]
			for was := n.Load(); was > 0 && !n.CompareAndSwap(was, uint64(float64(was)*factor)); was = n.Load() {
			}
		}
	}
}

// Freeze is what was counted up to now.
func (c *Counter) Freeze() *View {
	var entries []entry
	for i := range c.sets {
		s := &c.sets[i]
		for j := range s.keys {
			if k, n := s.keys[j].Load(), s.counts[j].Load(); k != 0 && n >= fewest {
				entries = append(entries, entry{prefixOf(k), float64(n) / one})
			}
		}
	}
	return frozen(entries)
}

// Restore counts what a View holds, as after a restart.
func (c *Counter) Restore(v *View) {
	for p, w := range v.All() {
		if w = w * one; w >= 1 && w < 1<<60 {
			c.add(keyOfPrefix(p), uint64(w))
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
	s := Stats{Queries: c.counted.Load() / one, Replaced: c.replaced.Load(), Sampling: int64(c.mask.Load()) + 1}
	for i := range c.sets {
		for j := range c.sets[i].keys {
			if c.sets[i].keys[j].Load() != 0 && c.sets[i].counts[j].Load() >= fewest {
				s.Prefixes++
			}
		}
	}
	return s
}

// A key is a prefix of at most 24 bits of IPv4 or 48 bits of IPv6: the address
// in the upper 48 bits, then 1 bit that is set, 1 for IPv6, 6 for the length.
const (
	valid = 1 << 7
	isV6  = 1 << 6
)

// keyOf is the key of landfall.ClientPrefix, 0 for the zero Addr.
func keyOf(a netip.Addr) uint64 {
	switch {
	case a.Is4() || a.Is4In6():
		b := a.As4()
		return uint64(binary.BigEndian.Uint32(b[:])&^0xff)<<32 | valid | 24
	case a.Is6():
		b := a.As16()
		return binary.BigEndian.Uint64(b[:])&^0xffff | valid | isV6 | 48
	}
	return 0
}

// keyOfPrefix is the key of a prefix, or of the longest that has one and holds
// it.
func keyOfPrefix(p netip.Prefix) uint64 {
	if a := p.Addr(); a.Is4() {
		p, _ = a.Prefix(min(p.Bits(), 24))
		b := p.Addr().As4()
		return uint64(binary.BigEndian.Uint32(b[:]))<<32 | valid | uint64(p.Bits())
	}
	p, _ = p.Addr().Prefix(min(p.Bits(), 48))
	b := p.Addr().As16()
	return binary.BigEndian.Uint64(b[:]) | valid | isV6 | uint64(p.Bits())
}

func prefixOf(k uint64) netip.Prefix {
	bits := int(k & (isV6 - 1))
	if k&isV6 == 0 {
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], uint32(k>>32))
		return netip.PrefixFrom(netip.AddrFrom4(b), bits)
	}
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], k&^0xffff)
	return netip.PrefixFrom(netip.AddrFrom16(b), bits)
}
