package measure

import (
	"math"
	"slices"
	"time"
)

// When estimates are believed, and for how long.
const (
	enoughWindows = 3    // samples of different windows
	window        = 10   // seconds: of several samples in one, the first stands
	enoughCount   = 8    // connections behind them
	history       = 8    // epochs that an estimate looks back on
	maxCount      = 1000 // connections that one sample may stand for

	countHalves = 6 * time.Hour      // after which connections count half
	staleAfter  = 24 * time.Hour     // after which an estimate decides nothing
	forgotten   = 7 * 24 * time.Hour // after which it is no hint either
)

// cell is what one edge measured of one prefix, in microseconds and in seconds
// since 1970.
//
// Samples are minima already, so noise only ever adds to them. Of the windows
// of an epoch the second smallest stands for the epoch, and of the last eight
// epochs the one a third from below: no number of slow windows moves that
// while one in three is good, one that is too fast moves nothing, and what
// lasts is believed after a few epochs.
type cell struct {
	edge    uint16
	filled  uint8           // how much of past is filled
	next    uint8           // which of past is written next
	past    [history]uint32 // epochs gone by
	low     [2]uint32       // the two smallest of the epoch that runs
	epoch   uint32          // which that is
	seen    uint16          // its windows
	windows uint16          // all windows
	count   float32         // connections, at the time last
	last    uint32          // time of the last sample; 0: there was none
	rumour  uint32          // what was said without having been asked
	tried   uint32          // last epoch on trial
	vouched bool            // in the last view: see survey.vouch
}

// add takes a sample of an edge that answers led to.
func (c *cell) add(epoch uint32, rtt uint32, count uint32, when uint32) {
	if c.last != 0 && seconds(c.last, when) > staleAfter {
		c.filled, c.next, c.seen, c.windows, c.count = 0, 0, 0, 0, 0
	}
	if epoch > c.epoch {
		c.turn(epoch)
	}
	c.count = float32(c.counted(when)) + float32(count)
	if c.last != 0 && when/window <= c.last/window {
		return
	}
	switch {
	case c.seen == 0 || rtt < c.low[0]:
		c.low[1], c.low[0] = c.low[0], rtt
	case c.seen == 1 || rtt < c.low[1]:
		c.low[1] = rtt
	}
	c.seen = plus(c.seen, 1)
	c.windows = plus(c.windows, 1)
	c.last = when
}

// turn ends an epoch.
func (c *cell) turn(epoch uint32) {
	if c.seen > 0 {
		c.past[c.next] = c.value()
		c.next = (c.next + 1) % history
		c.filled = min(c.filled+1, history)
	}
	c.epoch, c.seen = epoch, 0
}

// value stands for the epoch that runs.
func (c *cell) value() uint32 {
	if c.seen == 1 {
		return c.low[0]
	}
	return c.low[1]
}

// estimate is how far the clients are; 0 if nothing is known.
func (c *cell) estimate() time.Duration {
	var all [history + 1]uint32
	n := copy(all[:], c.past[:c.filled])
	if c.seen > 0 {
		all[n] = c.value()
		n++
	}
	if n == 0 {
		return 0
	}
	slices.Sort(all[:n])
	return time.Duration(all[n/3]) * time.Microsecond
}

// counted are the connections, of which older ones count less.
func (c *cell) counted(now uint32) float64 {
	return float64(c.count) * math.Exp2(-float64(seconds(c.last, now))/float64(countHalves))
}

// fresh reports whether the estimate is to be believed.
func (c *cell) fresh(now uint32) bool {
	return c.windows >= enoughWindows && c.count >= enoughCount && seconds(c.last, now) <= staleAfter
}

// seconds is the time between two moments; none if the second is the earlier.
func seconds(from, to uint32) time.Duration {
	if to < from {
		return 0
	}
	return time.Duration(to-from) * time.Second
}

func plus(a, b uint16) uint16 { return uint16(min(uint32(a)+uint32(b), math.MaxUint16)) }
