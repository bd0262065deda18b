package wan

import (
	"fmt"
	"time"
)

// Site names an end of links: a node, or the place where a client sits.
type Site string

// Link is one direction between two sites. The zero Link is instant and
// loses nothing.
type Link struct {
	Delay   time.Duration // from end to end; half a round trip where both directions are alike
	Jitter  time.Duration // up to this much is added to Delay, evenly spread
	Reorder bool          // whether jitter lets packets overtake each other; streams always keep their order
	Loss    float64       // the share of packets lost, from 0 to 1; streams lose nothing
	Rate    int64         // bits per second; 0 is unlimited
	Queue   int           // bytes of packets that may wait to be sent at Rate; 0 is what Rate sends in twice Delay, at least MinQueue
	Down    bool          // nothing passes: packets are dropped, streams stall
}

// MinQueue is the smallest queue that a Link with Queue 0 gets.
const MinQueue = 64 << 10

// Check reports what makes no sense in a Link.
func (l Link) Check() error {
	switch {
	case l.Delay < 0:
		return fmt.Errorf("delay %v is negative", l.Delay)
	case l.Jitter < 0:
		return fmt.Errorf("jitter %v is negative", l.Jitter)
	case !(l.Loss >= 0 && l.Loss <= 1):
		return fmt.Errorf("loss %v is not between 0 and 1", l.Loss)
	case l.Rate < 0:
		return fmt.Errorf("rate %d is negative", l.Rate)
	case l.Queue < 0:
		return fmt.Errorf("queue %d is negative", l.Queue)
	}
	return nil
}

// fate is what becomes of a packet.
type fate uint8

const (
	arrives fate = iota
	lost         // by Loss
	full         // no room in the queue
	cut          // the link is down
)

// wire is what a link remembers from packet to packet.
type wire struct {
	seed uint64    // with the packet's number it decides loss and jitter
	sent uint64    // packets offered so far
	free time.Time // when the transmitter will have sent all it was given
	last time.Time // the latest arrival so far
}

// packet decides what becomes of a packet offered at now, and when it
// arrives. A packet that is lost on the way has taken its turn at the
// transmitter; one that finds no room has not.
func (l Link) packet(w wire, size int, now time.Time) (wire, time.Time, fate) {
	number := w.sent
	w.sent++
	if l.Down {
		return w, now, cut
	}
	if l.Rate > 0 {
		wait, send := w.free.Sub(now), l.sending(size)
		if wait > 0 && wait+send > l.sending(l.queue()) {
			return w, now, full
		}
	}
	w, at := l.transmit(w, size, now)
	if unit(w.seed, number, 0) < l.Loss {
		return w, at, lost
	}
	w, at = l.carry(w, number, at)
	return w, at, arrives
}

// chunk decides when bytes of a stream arrive that are offered at now. The
// stream bounds what it has under way, so there is no queue to overflow.
func (l Link) chunk(w wire, size int, now time.Time) (wire, time.Time) {
	number := w.sent
	w.sent++
	w, at := l.transmit(w, size, now)
	return l.carry(w, number, at)
}

// transmit is when the last bit leaves: virtual finish time.
func (l Link) transmit(w wire, size int, now time.Time) (wire, time.Time) {
	if l.Rate <= 0 {
		return w, now
	}
	if w.free.Before(now) {
		w.free = now
	}
	w.free = w.free.Add(l.sending(size))
	return w, w.free
}

// carry is when what left at the given time arrives.
func (l Link) carry(w wire, number uint64, left time.Time) (wire, time.Time) {
	at := left.Add(l.Delay)
	if l.Jitter > 0 {
		at = at.Add(time.Duration(unit(w.seed, number, 1) * float64(l.Jitter)))
	}
	if !l.Reorder && at.Before(w.last) {
		at = w.last
	}
	if at.After(w.last) {
		w.last = at
	}
	return w, at
}

// sending is how long the transmitter takes for so many bytes.
func (l Link) sending(bytes int) time.Duration {
	return time.Duration(float64(bytes) * 8 * float64(time.Second) / float64(l.Rate))
}

// queue is Queue with its default filled in.
func (l Link) queue() int {
	if l.Queue > 0 {
		return l.Queue
	}
	return max(MinQueue, int(float64(l.Rate)/8*2*l.Delay.Seconds()))
}

// unit is a number in [0, 1) that depends on nothing but its arguments.
func unit(seed, number, draw uint64) float64 {
	return float64(mix(mix(seed+draw)+number)>>11) / (1 << 53)
}

// mix is the finalizer of SplitMix64 (Steele, Lea, Flood 2014): neighbouring
// inputs give unrelated outputs.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
