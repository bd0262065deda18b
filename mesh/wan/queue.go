package wan

import (
	"net/netip"
	"sync"
	"time"
)

// packet is a datagram held back.
type packet struct {
	b      []byte
	to     netip.AddrPort
	at     time.Time
	number uint64 // keeps the order of packets that are due together
	path   *path
}

var packetPool = sync.Pool{New: func() any { return &packet{b: make([]byte, 0, 2048)} }}

// packets is a heap, the first one due on top (container/heap).
type packets []*packet

func (q packets) Len() int { return len(q) }

func (q packets) Less(i, j int) bool {
	if q[i].at.Equal(q[j].at) {
		return q[i].number < q[j].number
	}
	return q[i].at.Before(q[j].at)
}

func (q packets) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

// Push implements heap.Interface.
func (q *packets) Push(x any) { *q = append(*q, x.(*packet)) }

// Pop implements heap.Interface.
func (q *packets) Pop() any {
	last := len(*q) - 1
	k := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	return k
}
