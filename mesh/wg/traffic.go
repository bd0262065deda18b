package wg

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"landfall/mesh/path"
)

// maxWays is how many ways to one peer are counted; beyond it, the one that
// was least lately used is forgotten.
const maxWays = 16

// The usual gap between receipts is their mean, each weighed by its length:
// bursts do not make a path with pauses look busy. It follows within gapMemory.
const (
	gapMemory = 250 * time.Millisecond
	maxGap    = time.Second
)

// traffic is what was seen on the ways to one peer. The zero traffic is ready.
// Its lock is for new ways only.
type traffic struct {
	ways atomic.Pointer[[]*ledger]

	mu sync.Mutex
}

// ledger counts on one way. Times are nanoseconds since 1970, 0 for never.
type ledger struct {
	way    path.Way
	origin origin

	sent, heard                     atomic.Uint32
	lastSent, lastHeard, unanswered atomic.Int64
	gap                             atomic.Int64
	largest, largestSent            atomic.Int64
}

func (t *traffic) list() []*ledger {
	if p := t.ways.Load(); p != nil {
		return *p
	}
	return nil
}

// find is the ledger of a way that is counted; nil if it is not.
func (t *traffic) find(o origin) *ledger {
	for _, l := range t.list() {
		if l.origin == o {
			return l
		}
	}
	return nil
}

// on is the ledger of a way.
func (t *traffic) on(o origin, w path.Way) *ledger {
	if l := t.find(o); l != nil {
		return l
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if l := t.find(o); l != nil {
		return l
	}
	ways := slices.Clone(t.list())
	if len(ways) >= maxWays {
		i := slices.Index(ways, stalest(ways))
		ways = slices.Delete(ways, i, i+1)
	}
	l := &ledger{way: w, origin: o}
	ways = append(ways, l)
	t.ways.Store(&ways)
	return l
}

func stalest(ways []*ledger) *ledger {
	return slices.MinFunc(ways, func(a, b *ledger) int {
		return int(max(a.lastSent.Load(), a.lastHeard.Load()) - max(b.lastSent.Load(), b.lastHeard.Load()))
	})
}

// send notes that n data datagrams leave, the largest in a UDP payload of this
// size.
func (l *ledger) send(n, largest int, now int64) {
	l.sent.Add(uint32(n))
	if int64(largest) > l.largestSent.Load() {
		l.largestSent.Store(int64(largest))
	}
	l.lastSent.Store(now)
	if l.unanswered.Load() == 0 {
		l.unanswered.CompareAndSwap(0, now)
	}
}

// hear notes that n data datagrams have come and are authentic, the largest
// in a UDP payload of this size.
func (l *ledger) hear(n, largest int, now int64) {
	l.heard.Add(uint32(n))
	if int64(largest) > l.largest.Load() {
		l.largest.Store(int64(largest))
	}
	last := l.lastHeard.Swap(now)
	if last == 0 {
		return
	}
	fresh := min(now-last, int64(maxGap))
	usual := l.gap.Load()
	if usual == 0 || fresh >= int64(gapMemory) {
		l.gap.Store(fresh)
		return
	}
	l.gap.Store(max(1, usual+int64(float64(fresh-usual)*float64(fresh)/float64(gapMemory))))
}

// answered says that the peer was heard, on whatever way.
func (t *traffic) answered() {
	for _, l := range t.list() {
		if l.unanswered.Load() != 0 {
			l.unanswered.Store(0)
		}
	}
}

// tell is the traffic of all ways that have had any, and resets each LargestSent and
// LargestHeard.
func (t *traffic) tell() []path.Traffic {
	var out []path.Traffic
	for _, l := range t.list() {
		if l.lastSent.Load() == 0 && l.lastHeard.Load() == 0 {
			continue
		}
		out = append(out, path.Traffic{
			Way: l.way, Sent: l.sent.Load(), Heard: l.heard.Load(),
			LastSent: instant(l.lastSent.Load()), LastHeard: instant(l.lastHeard.Load()),
			Unanswered: instant(l.unanswered.Load()), Gap: time.Duration(l.gap.Load()),
			LargestSent: int(l.largestSent.Swap(0)), LargestHeard: int(l.largest.Swap(0)),
		})
	}
	return out
}

func instant(nanos int64) time.Time {
	if nanos == 0 {
		return time.Time{}
	}
	return time.Unix(0, nanos)
}
