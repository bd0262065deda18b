package wan

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// lateness is a histogram whose steps grow with the time, so that each is
// known to a sixteenth.
type lateness struct {
	steps [lateSteps]atomic.Uint64
	most  atomic.Int64 // since the beginning
	phase atomic.Int64 // since the phase began
}

const (
	lateBits  = 4 // of a time that its step tells apart
	lateSteps = (64 - lateBits) << lateBits
)

func (l *lateness) add(d time.Duration) {
	d = max(d, 0)
	l.steps[lateStep(d)].Add(1)
	raise(&l.most, d)
	raise(&l.phase, d)
}

func raise(most *atomic.Int64, d time.Duration) {
	for {
		was := most.Load()
		if int64(d) <= was || most.CompareAndSwap(was, int64(d)) {
			return
		}
	}
}

// lateStep is the step of a time: its leading bits and how many follow them.
func lateStep(d time.Duration) int {
	more := max(0, bits.Len64(uint64(d))-lateBits-1)
	return more<<lateBits + int(uint64(d)>>more)
}

// stepEnd is the first time beyond a step.
func stepEnd(step int) time.Duration {
	more := max(0, step>>lateBits-1)
	return time.Duration(step-more<<lateBits+1) << more
}

func (l *lateness) longest() time.Duration { return time.Duration(l.most.Load()) }

// lateCounts is a histogram as it was at some time.
type lateCounts [lateSteps]uint64

func (l *lateness) counts() *lateCounts {
	c := new(lateCounts)
	for i := range l.steps {
		c[i] = l.steps[i].Load()
	}
	return c
}

// since leaves what was added after an earlier time.
func (c *lateCounts) since(before *lateCounts) *lateCounts {
	out := new(lateCounts)
	for i := range c {
		out[i] = c[i] - before[i]
	}
	return out
}

func (c *lateCounts) total() (n uint64) {
	for _, k := range c {
		n += k
	}
	return n
}

// quantile is the end of the step that holds it; of nothing it is 0.
func (c *lateCounts) quantile(q float64) time.Duration {
	total, sum := c.total(), uint64(0)
	for i, k := range c {
		if sum += k; k > 0 && float64(sum) >= q*float64(total) {
			return stepEnd(i)
		}
	}
	return 0
}
