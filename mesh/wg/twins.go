package wg

import (
	"encoding/binary"
	"hash/maphash"
	"sync/atomic"
	"time"
)

// Twins of what has arrived are looked for while they are likely: for
// twinSpan after a session was heard on two ways at once.
const (
	twinSpan     = 2 * time.Second
	twinSlots    = 4096
	sessionSlots = 4096
	reach        = 8 // so many sessions of neighbouring indices find room
)

// What the lowest bits of a slot's sum say.
const (
	wayBits = 1<<12 - 1 // which way the first copy came
	proof   = 1 << 12   // it was authentic, and no other copy has been credited
	notSum  = wayBits | proof
)

// sessionLife is how long a session lasts (REJECT_AFTER_TIME).
const sessionLife = int64(180 * time.Second)

// twins drops the second copies of datagrams that were sent on two ways.
// WireGuard would find them out, after having decrypted them. A copy is known
// by a keyed hash of all its bytes, not by its number: else anybody could put
// the number of a datagram that is still to come on one of his own, and have
// the genuine one dropped.
type twins struct {
	seed  maphash.Seed
	until atomic.Int64 // look for copies until then
	seen  atomic.Pointer[[twinSlots]slot]

	// By receiver index, each at most reach behind its place.
	sessions [sessionSlots]session
}

// slot knows one datagram.
type slot struct {
	sum  atomic.Uint64
	copy atomic.Pointer[copied] // of it, to be credited
}

type copied struct {
	first uint64 // sum of the first copy
	on    *ledger
	wire  int
}

// session is one in which something has been authentic.
type session struct {
	owner atomic.Pointer[owns]
	heard atomic.Uint64 // the mark of the way it was last heard on
}

type owns struct {
	index uint32
	peer  *peer
	since int64
}

// index is the receiver's name for the session of a data datagram, which it
// chose at random.
func index(b []byte) uint32 { return binary.LittleEndian.Uint32(b[4:]) }

// copied reports whether a data datagram is the copy of one that has come
// before, in a session in which something has been authentic. It came in a UDP
// payload of size wire. A copy that came another way is a sign of life of that
// way, which its owner is credited for. If it is the first, sum is for proved to
// know it again; 0 while no copies are expected.
func (t *twins) copied(b []byte, way origin, wire int, now int64) (yes bool, sum uint64) {
	s, o := t.session(index(b), now)
	mark := way.mark()
	if s != nil && s.heard.Load() != mark {
		s.heard.Store(mark)
		t.until.Store(now + int64(twinSpan))
	}
	if now > t.until.Load() {
		return false, 0
	}
	if t.seen.Load() == nil {
		t.seen.CompareAndSwap(nil, new([twinSlots]slot))
	}
	sum = maphash.Bytes(t.seed, b)&^notSum | mark&wayBits
	place := t.slot(sum)
	last := place.sum.Load()
	for last&^notSum != sum&^notSum {
		if place.sum.CompareAndSwap(last, sum) {
			return false, sum
		}
		last = place.sum.Load()
	}
	if o == nil {
		return false, 0
	}
	if first := last &^ proof; first != sum {
		if l := o.peer.traffic.find(way); l != nil {
			place.copy.Store(&copied{first, l, wire})
			place.credit(first, now)
		}
	}
	return true, 0
}

func (t *twins) slot(sum uint64) *slot { return &t.seen.Load()[sum>>32%twinSlots] }

// proved says that the first copy of a datagram was authentic.
func (t *twins) proved(sum uint64, now int64) {
	s := t.slot(sum)
	if s.sum.CompareAndSwap(sum, sum|proof) {
		s.credit(sum, now)
	}
}

// credit notes a second copy as heard, once both are known: that it came, and
// that the first was authentic. Whoever has recorded a datagram can send copies
// of it from anywhere, as long as he likes: so only one copy of each counts, only
// beside one that WireGuard has taken, and only on ways that are known.
func (s *slot) credit(first uint64, now int64) {
	if s.sum.Load() != first|proof {
		return
	}
	if c := s.copy.Swap(nil); c != nil && c.first == first && s.sum.CompareAndSwap(first|proof, first) {
		c.on.hear(1, c.wire, now)
	}
}

// session finds the session of an index, and whose it is; nil if nothing of it
// has been authentic, or it must be over.
func (t *twins) session(index uint32, now int64) (*session, *owns) {
	for k := range uint32(reach) {
		s := &t.sessions[(index+k)%sessionSlots]
		if o := s.owner.Load(); o != nil && o.index == index && now-o.since <= sessionLife {
			return s, o
		}
	}
	return nil, nil
}

// learn says whose session an authentic datagram was of, and which way it came.
// It takes the place of the oldest, where there is none free.
func (t *twins) learn(b []byte, p *peer, way origin, now int64) {
	if _, o := t.session(index(b), now); o != nil && o.peer == p {
		return
	}
	var place *session
	var oldest int64
	for k := range uint32(reach) {
		s := &t.sessions[(index(b)+k)%sessionSlots]
		o := s.owner.Load()
		if o == nil || o.index == index(b) {
			place = s
			break
		}
		if place == nil || o.since < oldest {
			place, oldest = s, o.since
		}
	}
	place.heard.Store(way.mark())
	place.owner.Store(&owns{index(b), p, now})
}

// mark is a short hash of a way.
func (o origin) mark() uint64 {
	h := uint64(o.via)*0x9e3779b1 ^ uint64(o.port)*0x85ebca6b ^
		binary.LittleEndian.Uint64(o.addr[:8])*0xc2b2ae3d27d4eb4f ^ binary.LittleEndian.Uint64(o.addr[8:])*0x9e3779b97f4a7c15
	h = (h ^ h>>29) * 0xbf58476d1ce4e5b9
	return h >> 32
}
