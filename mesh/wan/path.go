package wan

import (
	"sync"
	"time"
)

// path is one direction between two sites in use: the link as it is now, and
// its memory.
type path struct {
	mu      sync.Mutex
	base    Link      // as it was set
	spells  []spell   // what is scheduled for it and not over, by beginning
	link    Link      // what both make of it now
	next    time.Time // when the schedule changes it; zero is never
	wire    wire
	up      time.Time     // when the link came back last
	waiting int           // packets held back on it
	fates   fates         // what became of packets so far
	changed chan struct{} // closed and replaced at each change that no schedule told of
}

// set changes the link itself.
func (p *path) set(f func(Link) Link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	p.advance(now)
	p.base = f(p.base)
	p.look(now)
	p.announce()
}

// plan adds to what is scheduled.
func (p *path) plan(s spell) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	p.advance(now)
	p.spells = insert(p.spells, s)
	p.look(now)
	p.announce()
}

// announce is called with mu held, as are the next two.
func (p *path) announce() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// advance makes the link what it is at a time, change by change.
func (p *path) advance(now time.Time) {
	for !p.next.IsZero() && !p.next.After(now) {
		p.look(p.next)
	}
}

// look makes the link what it is at a time that is not before the last one.
func (p *path) look(at time.Time) {
	was := p.link.Down
	p.link, p.spells, p.next = inForce(p.base, p.spells, at)
	if was && !p.link.Down {
		p.up = at
	}
}

// judge decides about a packet of so many bytes under a TOS byte that was
// sent a moment ago.
func (p *path) judge(size int, tos uint8, sent, now time.Time) (v verdict) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.advance(now)
	p.wire, v = p.link.packet(p.wire, size, tos, sent)
	p.fates[v.fate]++
	return v
}

// offer decides about a packet that is sent now; straight says that it may be
// handed on at once without overtaking another. Of a packet that is not,
// passed must be told once for each copy.
func (p *path) offer(size int, tos uint8, now time.Time) (v verdict, straight bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.advance(now)
	p.wire, v = p.link.packet(p.wire, size, tos, now)
	p.fates[v.fate]++
	if v.fate == arrives && p.waiting == 0 && !v.at.After(now) {
		return v, true
	}
	p.waiting += v.copies
	return v, false
}

// refuses reports whether a sender is told that a packet is too big.
func (p *path) refuses(size int, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.advance(now)
	l := p.link
	return !l.Down && l.ICMP && l.MTU > 0 && size > l.MTU
}

// passed is told when a packet that had to wait is gone.
func (p *path) passed() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting--
}

// chunk decides about bytes of a stream offered at now, or when the link last
// came back if that was later; ok is false while the link is down.
func (p *path) chunk(size int, now time.Time) (at time.Time, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.advance(time.Now())
	if p.link.Down {
		return time.Time{}, false
	}
	if now.Before(p.up) {
		now = p.up
	}
	p.wire, at = p.link.chunk(p.wire, size, now)
	return at, true
}

// state is the link as it is, a channel that closes when somebody changes it,
// and when it will change by itself; zero is never.
func (p *path) state(now time.Time) (Link, <-chan struct{}, time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.advance(now)
	return p.link, p.changed, p.next
}
