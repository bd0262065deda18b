package wan

import (
	"cmp"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// parcel is a datagram in a Memory.
type parcel struct {
	b      []byte
	way    way
	from   netip.AddrPort // who sent it
	src    netip.AddrPort // who seems to have sent it: a NAT may have changed that
	to     netip.AddrPort
	tos    uint8
	sent   time.Time
	at     time.Time
	number uint64 // keeps the order of what is due together, as it was sent
}

var parcelPool = sync.Pool{New: func() any { return &parcel{b: make([]byte, 0, 2048)} }}

// newParcel has a copy of b.
func newParcel(b []byte) *parcel {
	k := parcelPool.Get().(*parcel)
	k.b = append(k.b[:0], b...)
	return k
}

func (k *parcel) clone() *parcel {
	c := newParcel(k.b)
	b := c.b
	*c = *k
	c.b = b
	return c
}

func (k *parcel) first() byte {
	if len(k.b) == 0 {
		return 0
	}
	return k.b[0]
}

// drop is the end of a parcel that does not arrive.
func (m *Memory) drop(k *parcel, count *atomic.Uint64) {
	if count != nil {
		count.Add(1)
	}
	parcelPool.Put(k)
}

// parcels is a heap, the first one due on top (container/heap). What is due
// together goes by its ends, so that no order of links shows.
type parcels []*parcel

func (q parcels) Len() int { return len(q) }

func (q parcels) Less(i, j int) bool {
	a, b := q[i], q[j]
	return cmp.Or(a.at.Compare(b.at), a.to.Compare(b.to), a.src.Compare(b.src), cmp.Compare(a.number, b.number)) < 0
}

func (q parcels) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

// Push implements heap.Interface.
func (q *parcels) Push(x any) { *q = append(*q, x.(*parcel)) }

// Pop implements heap.Interface.
func (q *parcels) Pop() any {
	last := len(*q) - 1
	k := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	return k
}
