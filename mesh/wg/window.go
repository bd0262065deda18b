package wg

import (
	"sync/atomic"
	"time"
)

// windowSize is how many bytes are inside WireGuard, between the class queues
// and the socket: a queue there knows no classes.
const windowSize = 256 << 10

// stuckAfter is how long nothing of a peer's may leave WireGuard before what
// it holds of it no longer counts.
const stuckAfter = 20 * time.Millisecond

// window bounds what is inside WireGuard. Every packet bears the number of its
// last byte among the peer's; once it is sent, all of the peer's before it are
// out, too, for WireGuard keeps their order, or has dropped them.
type window struct {
	inside atomic.Int64
	wanted atomic.Bool // somebody waits for room
	room   func()      // called when there is, and somebody waits
}

// flow is one peer's part of the window.
type flow struct {
	read  atomic.Uint64 // bytes that WireGuard has been given
	sent  atomic.Uint64 // of them, up to which they are out
	stuck atomic.Bool   // nothing leaves, so nothing counts: there is no session
	gone  atomic.Bool   // the peer was removed: it stays stuck
	mark  uint64        // sent, when the window was last full; the reader's
}

func (w *window) open() bool { return w.inside.Load() < windowSize }

// enter counts a packet for a peer and tells the number of its last byte. It
// has one caller at a time.
func (w *window) enter(p *peer, n int) uint64 {
	f := &p.flow
	seq := f.read.Add(uint64(n))
	if f.stuck.Load() || f.gone.Load() {
		f.sent.Store(seq)
	} else {
		w.inside.Add(int64(n))
	}
	return seq
}

// passed says that a peer's packets up to a number are out.
func (w *window) passed(p *peer, seq uint64) {
	p.flow.stuck.Store(p.flow.gone.Load())
	w.settle(p, seq)
	if w.inside.Load() < windowSize/2 && w.wanted.Load() {
		w.room()
	}
}

func (w *window) settle(p *peer, seq uint64) {
	f := &p.flow
	for {
		old := f.sent.Load()
		if seq <= old {
			return
		}
		if f.sent.CompareAndSwap(old, seq) {
			w.inside.Add(-int64(seq - old))
			return
		}
	}
}

// forgive takes a peer's packets out of the count until one of them is sent.
// The caller is the one that calls enter.
func (w *window) forgive(p *peer) {
	p.flow.stuck.Store(true)
	w.settle(p, p.flow.read.Load())
}

// review forgives the peers of which nothing has left since the last review.
// The caller is the one that calls enter.
func (w *window) review(peers []*peer) {
	for _, p := range peers {
		f := &p.flow
		if sent := f.sent.Load(); sent != f.read.Load() && sent == f.mark {
			w.forgive(p)
		}
		f.mark = f.sent.Load()
	}
}

// pace is a token bucket: it is open while what was spent is paid for.
type pace struct {
	rate int64     // bits per second; 0 is no bound
	paid time.Time // what was spent until now is paid for then
}

// perDatagram is what each packet costs beyond itself: WireGuard, UDP, IPv6.
const perDatagram = overhead + 8 + 40

// credit is how long nothing must have been sent for the most to be sent at
// once: what wakes late must not lose by it.
const credit = 5 * time.Millisecond

// wait is how long the bucket is shut.
func (p *pace) wait(now time.Time) time.Duration {
	if p.rate == 0 {
		return 0
	}
	return max(0, p.paid.Sub(now))
}

// spend pays for a packet.
func (p *pace) spend(n int, now time.Time) {
	if p.rate == 0 {
		return
	}
	if least := now.Add(-credit); p.paid.Before(least) {
		p.paid = least
	}
	p.paid = p.paid.Add(time.Duration(int64(n+perDatagram) * 8 * int64(time.Second) / p.rate))
}

// afford takes bytes that are sent past the queues out of the rate, if what was
// sent is not further ahead of it than given.
func (e *egress) afford(n int, ahead time.Duration) bool {
	if e.pace.rate == 0 {
		return true
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	now := time.Now()
	if e.pace.wait(now) > ahead {
		return false
	}
	e.pace.spend(n, now)
	return true
}
