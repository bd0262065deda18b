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
	reach        = 8         // so many sessions of neighbouring indices find room
	wayBits      = 1<<12 - 1 // of an entry: which way the first copy came
)

// twins drops the second copies of datagrams that were sent on two ways.
// WireGuard would find them out, after having decrypted them. A copy is known
// by a keyed hash of all its bytes, not by its number: else anybody could put
// the number of a datagram that is still to come on one of his own, and have
// the genuine one dropped.
type twins struct {
	peers *directory
	seed  maphash.Seed
	until atomic.Int64 // look for copies until then
	seen  atomic.Pointer[[twinSlots]atomic.Uint64]

	// By receiver index, each at most reach behind its place.
	sessions [sessionSlots]session
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
// way, which its owner is credited for.
func (t *twins) copied(b []byte, way origin, wire int, now int64) bool {
	s, o := t.session(index(b))
	mark := way.mark()
	if s != nil && s.heard.Load() != mark {
		s.heard.Store(mark)
		t.until.Store(now + int64(twinSpan))
	}
	if now > t.until.Load() {
		return false
	}
	seen := t.seen.Load()
	if seen == nil {
		t.seen.CompareAndSwap(nil, new([twinSlots]atomic.Uint64))
		seen = t.seen.Load()
	}
	// The lowest bits say which way the first copy came.
	sum := maphash.Bytes(t.seed, b)&^wayBits | mark&wayBits
	slot := &seen[sum>>32%twinSlots]
	last := slot.Swap(sum)
	if last&^wayBits != sum&^wayBits || o == nil {
		return false
	}
	if last != sum {
		t.credit(o.peer, way, wire, now)
	}
	return true
}

// credit notes a copy as heard. Whoever sees a datagram can send copies of it
// from anywhere, so they do not make us forget ways that we know, and answer
// nothing.
func (t *twins) credit(p *peer, way origin, wire int, now int64) {
	l := p.traffic.find(way)
	if l == nil && len(p.traffic.list()) < maxWays/2 {
		l = p.traffic.on(way, t.peers.way(way))
	}
	if l != nil {
		l.hear(1, wire, now)
	}
}

// session finds the session of an index, and whose it is; nil if nothing of it
// has been authentic.
func (t *twins) session(index uint32) (*session, *owns) {
	for k := range uint32(reach) {
		s := &t.sessions[(index+k)%sessionSlots]
		if o := s.owner.Load(); o != nil && o.index == index {
			return s, o
		}
	}
	return nil, nil
}

// learn says whose session an authentic datagram was of, and which way it came.
// It takes the place of the oldest, where there is none free.
func (t *twins) learn(b []byte, p *peer, way origin, now int64) {
	if _, o := t.session(index(b)); o != nil && o.peer == p {
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
	return h >> 32
}
