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

	// By receiver index: whose session it is, and the way it was last heard.
	sessions [sessionSlots]session
}

type session struct {
	heard atomic.Uint64        // index, and a hash of the way
	owner atomic.Pointer[owns] // once something of it was authentic
}

type owns struct {
	index uint32
	peer  *peer
}

// index is the receiver's name for the session of a data datagram, which it
// chose at random.
func index(b []byte) uint32 { return binary.LittleEndian.Uint32(b[4:]) }

// copied reports whether a data datagram is the copy of one that has come
// before, in a session in which something has been authentic. It came in a UDP
// payload of size wire. A copy that came another way is a sign of life of that
// way, which its owner is credited for.
func (t *twins) copied(b []byte, way origin, wire int, now int64) bool {
	s := &t.sessions[index(b)%sessionSlots]
	mark := way.mark()
	heard := uint64(index(b))<<32 | mark
	if last := s.heard.Load(); last != heard {
		s.heard.Store(heard)
		if last>>32 == uint64(index(b)) {
			t.until.Store(now + int64(twinSpan))
		}
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
	o := s.owner.Load()
	if last&^wayBits != sum&^wayBits || o == nil || o.index != index(b) {
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

// learn says whose session an authentic datagram was of.
func (t *twins) learn(b []byte, p *peer) {
	s := &t.sessions[index(b)%sessionSlots]
	if o := s.owner.Load(); o == nil || o.index != index(b) || o.peer != p {
		s.owner.Store(&owns{index(b), p})
	}
}

// mark is a short hash of a way.
func (o origin) mark() uint64 {
	h := uint64(o.via)*0x9e3779b1 ^ uint64(o.port)*0x85ebca6b ^
		binary.LittleEndian.Uint64(o.addr[:8])*0xc2b2ae3d27d4eb4f ^ binary.LittleEndian.Uint64(o.addr[8:])*0x9e3779b97f4a7c15
	return h >> 32
}
