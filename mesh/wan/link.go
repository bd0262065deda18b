package wan

import (
	"fmt"
	"time"
)

// Site names an end of links: a node, or the place where a client sits.
type Site string

// Link is one direction between two sites. The zero Link is instant and
// loses nothing. Sizes are those of IP packets, headers included.
type Link struct {
	Delay     time.Duration // from end to end; half a round trip where both directions are alike
	Jitter    time.Duration // up to this much is added to Delay, evenly spread
	Reorder   bool          // whether jitter lets packets overtake each other; streams always keep their order
	Loss      float64       // the share of packets lost, from 0 to 1, while there is no burst; streams lose nothing
	Burst     Burst         // loss that comes in bursts
	Duplicate float64       // the share of packets that arrive twice, from 0 to 1
	Rate      int64         // bits per second; 0 is unlimited
	Queue     int           // bytes of packets that may wait to be sent at Rate; 0 is what Rate sends in twice Delay, at least MinQueue
	Mark      int           // bytes waiting beyond which a packet is marked if its sender knows ECN, and dropped if not (RFC 3168, 5); 0 is never
	MTU       int           // bytes of the largest packet that passes; 0 is any
	ICMP      bool          // whether the sender learns that a packet was beyond MTU; otherwise it just vanishes
	Down      bool          // nothing passes: packets are dropped, streams stall
}

// Burst is loss with a memory, after Gilbert and Elliott: a link is in one of
// two states, and each packet may change the state before it meets its fate.
// The zero Burst never begins.
type Burst struct {
	Enter float64 // the chance of each packet to begin a burst
	Leave float64 // the chance of each packet to end it: it lasts 1/Leave packets in the mean
	Loss  float64 // the share of packets lost while it lasts
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
	case !share(l.Loss):
		return fmt.Errorf("loss %v is not between 0 and 1", l.Loss)
	case !share(l.Burst.Enter) || !share(l.Burst.Leave) || !share(l.Burst.Loss):
		return fmt.Errorf("burst %+v is not between 0 and 1", l.Burst)
	case l.Burst.Enter > 0 && l.Burst.Leave == 0:
		return fmt.Errorf("burst %+v never ends", l.Burst)
	case !share(l.Duplicate):
		return fmt.Errorf("duplicate %v is not between 0 and 1", l.Duplicate)
	case l.Rate < 0:
		return fmt.Errorf("rate %d is negative", l.Rate)
	case l.Queue < 0:
		return fmt.Errorf("queue %d is negative", l.Queue)
	case l.Mark < 0:
		return fmt.Errorf("mark %d is negative", l.Mark)
	case l.MTU < 0:
		return fmt.Errorf("mtu %d is negative", l.MTU)
	}
	return nil
}

// share reports whether f is one; NaN is not.
func share(f float64) bool { return f >= 0 && f <= 1 }

// fate is what becomes of a packet.
type fate uint8

const (
	arrives fate = iota
	lost         // by Loss or in a burst
	full         // no room in the queue
	cut          // the link is down
	tooBig       // beyond the MTU
)

// verdict is all that a link has to say about a packet.
type verdict struct {
	fate   fate
	at     time.Time // when it arrives
	copies int       // how often it arrives: 1 or 2, and 0 where it does not
	marked bool      // it met congestion: its ECN field becomes CE
	mtu    int       // of a packet too big: what would have passed
	told   bool      // of a packet too big: whether its sender learns of it
}

// wire is what a link remembers from packet to packet.
type wire struct {
	seed  uint64    // with the packet's number it decides all that is left to chance
	sent  uint64    // packets offered so far
	burst bool      // whether packets are being lost in a burst
	free  time.Time // when the transmitter will have sent all it was given
	last  time.Time // the latest arrival so far
}

// What is left to chance is drawn apart, so that one setting of a link does
// not change what another does.
const (
	drawLoss = iota
	drawJitter
	drawBurst
	drawDuplicate
)

// ecnMask is the part of the TOS byte that is the ECN field; 0 there says
// that the sender does not know ECN, all ones that congestion was met
// (RFC 3168, 5).
const ecnMask = 3

// packet decides what becomes of a packet offered at now under a TOS byte. A
// packet that is lost on the way has taken its turn at the transmitter; one
// that finds no room has not.
func (l Link) packet(w wire, size int, tos uint8, now time.Time) (wire, verdict) {
	number := w.sent
	w.sent++
	w.burst = l.bursting(w, number)
	switch {
	case l.Down:
		return w, verdict{fate: cut, at: now}
	case l.MTU > 0 && size > l.MTU:
		return w, verdict{fate: tooBig, at: now, mtu: l.MTU, told: l.ICMP}
	}
	congested, fits := l.room(w, size, now)
	if !fits || congested && tos&ecnMask == 0 {
		return w, verdict{fate: full, at: now}
	}
	w, at := l.transmit(w, size, now)
	if unit(w.seed, number, drawLoss) < l.loss(w) {
		return w, verdict{fate: lost, at: at}
	}
	v := verdict{copies: 1, marked: congested}
	if w, v.at = l.carry(w, number, at); unit(w.seed, number, drawDuplicate) < l.Duplicate {
		v.copies = 2
	}
	return w, v
}

// bursting is the state that a packet finds the link in.
func (l Link) bursting(w wire, number uint64) bool {
	chance := unit(w.seed, number, drawBurst)
	if w.burst {
		return l.Burst.Enter > 0 && chance >= l.Burst.Leave
	}
	return chance < l.Burst.Enter
}

func (l Link) loss(w wire) float64 {
	if w.burst {
		return l.Burst.Loss
	}
	return l.Loss
}

// room reports whether the queue is beyond Mark, and whether a packet fits.
func (l Link) room(w wire, size int, now time.Time) (congested, fits bool) {
	wait := w.free.Sub(now)
	if l.Rate <= 0 || wait <= 0 {
		return false, true
	}
	return l.Mark > 0 && wait > l.sending(l.Mark), wait+l.sending(size) <= l.sending(l.queue())
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
		at = at.Add(time.Duration(unit(w.seed, number, drawJitter) * float64(l.Jitter)))
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
