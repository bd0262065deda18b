package path

import (
	"math/bits"
	"time"
)

// delay is what is known about a round-trip time.
type delay struct {
	smooth time.Duration // RFC 6298, 2; 0 is unknown
	swing  time.Duration // RTTVAR of RFC 6298, 2
	jitter time.Duration // smoothed difference of neighbours (RFC 3550, 6.4.1)
	last   [5]time.Duration
	n      int // samples, counted up to enough
}

// enough samples to trust a measurement.
const enough = len(delay{}.last)

func (d *delay) add(rtt time.Duration) {
	rtt = max(rtt, 1)
	if d.n == 0 {
		d.smooth, d.swing = rtt, rtt/2
	} else {
		d.swing += ((d.smooth - rtt).Abs() - d.swing) / 4
		d.smooth += (rtt - d.smooth) / 8
		d.jitter += ((d.last[0] - rtt).Abs() - d.jitter) / 16
	}
	copy(d.last[1:], d.last[:enough-1])
	d.last[0] = rtt
	d.n = min(d.n+1, enough)
}

// recent is the median of the last few samples: it follows a new course of
// the packets sooner than the smoothed value, and no single sample moves it.
func (d *delay) recent() time.Duration {
	var s [enough]time.Duration
	for i, v := range d.last[:d.n] { // insertion sort
		j := i
		for ; j > 0 && s[j-1] > v; j-- {
			s[j] = s[j-1]
		}
		s[j] = v
	}
	return s[d.n/2]
}

// span is the least and the greatest of the last three samples; false while
// there are fewer.
func (d *delay) span() (least, most time.Duration, ok bool) {
	if d.n < 3 {
		return 0, 0, false
	}
	return min(d.last[0], d.last[1], d.last[2]), max(d.last[0], d.last[1], d.last[2]), true
}

// scatter is how far the last three samples lie apart.
func (d *delay) scatter() time.Duration {
	least, most, _ := d.span()
	return most - least
}

// late is how long an answer may take, with something to spare.
func (d *delay) late(spare time.Duration) time.Duration {
	if d.n == 0 {
		return unknownLate
	}
	return d.smooth + 4*d.swing + spare
}

// fate remembers which of the last 64 probes were answered.
type fate struct {
	lost uint64 // the newest is the lowest bit
	n    uint8
}

func (f *fate) add(lost bool) {
	f.lost <<= 1
	if lost {
		f.lost |= 1
	}
	f.n = min(f.n+1, 64)
}

// loss is the share of probes lost, with one forgiven: a single loss says
// nothing when a probe is sent once a second.
func (f *fate) loss() float64 {
	if n := bits.OnesCount64(f.lost); n > 1 {
		return float64(n-1) / float64(max(f.n, 16))
	}
	return 0
}
