package limit

import (
	"encoding/binary"
	"hash/maphash"
	"net/netip"
	"sync/atomic"
	"time"
)

// Kind is a kind of answer. Each has an allowance of its own, so that a flood
// of one does not use up another.
type Kind uint8

// The kinds.
const (
	Data    Kind = iota // there are records
	Nothing             // there are none, or others know
	Fault               // an error
)

const (
	// size of a row. With 32,768 buckets, 100,000 queries a second from
	// addresses made up at random cost each network three of its allowance.
	size = 1 << 15
	// window is how long an allowance can be saved up.
	window = time.Second
)

// Table has an allowance for every network, of fixed size: a network has one
// bucket in each of two rows, which it shares with others, and is over its
// limit when both say so. To meet a network under attack in both is unlikely,
// and nobody can aim at it, since the places hang on a seed.
//
// A bucket holds when its allowance will be whole again (the generic cell rate
// algorithm: ITU-T I.371, annex A). Two takers at once may pass on one
// allowance; that is cheaper than a lock.
type Table struct {
	seed     maphash.Seed
	interval time.Duration // in which one answer's allowance grows
	rows     [2][size]atomic.Int64
}

// New makes a Table that allows each network so many answers of a kind per
// second, and as many at once; rate is at least 1.
func New(rate int, seed maphash.Seed) *Table {
	return &Table{seed: seed, interval: window / time.Duration(rate)}
}

// Take reports whether a client may be answered, and takes the answer from the
// allowance if so. The time is that since some beginning. A nil Table has no
// limit.
func (t *Table) Take(client netip.Addr, kind Kind, now time.Duration) bool {
	return t.TakeSome(client, kind, 1, now)
}

// TakeSome is Take for one that stands for n: all are taken or none. Of more
// than the rate it takes as many as that.
func (t *Table) TakeSome(client netip.Addr, kind Kind, n int, now time.Duration) bool {
	if t == nil {
		return true
	}
	h := maphash.Comparable(t.seed, key(client, kind))
	a, b := &t.rows[0][h%size], &t.rows[1][h>>32%size]
	whole := max(min(a.Load(), b.Load()), int64(now)) + min(int64(n)*int64(t.interval), int64(window))
	if whole-int64(now) > int64(window) {
		return false
	}
	raise(a, whole)
	raise(b, whole)
	return true
}

func raise(bucket *atomic.Int64, to int64) {
	for {
		was := bucket.Load()
		if was >= to || bucket.CompareAndSwap(was, to) {
			return
		}
	}
}

// key is the network and the kind: the first 24 bits of an IPv4 address, the
// first 56 of an IPv6 one, and a last byte that says which it is.
func key(client netip.Addr, kind Kind) uint64 {
	if client.Is4() {
		a := client.As4()
		return uint64(binary.BigEndian.Uint32(a[:])>>8)<<8 | uint64(kind)
	}
	a := client.As16()
	return binary.BigEndian.Uint64(a[:])&^0xff | 0x80 | uint64(kind)
}
