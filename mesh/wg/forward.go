package wg

import (
	"net/netip"
	"sync"
	"time"

	"landfall/mesh/class"
	"landfall/mesh/relay"
)

// What is forwarded for each pair of nodes, in each direction: as much as any
// path between them should carry, so that one pair does not starve the others.
const (
	forwardRate  = 128 << 20 // bytes per second
	forwardBurst = 8 << 20
)

// forward is a frame to send on to its destination.
type forward struct {
	dest  *peer
	to    netip.AddrPort
	limit int
	tos   uint8
	frame []byte // nil once it is sent
}

// relayed bounds what is forwarded from one peer to each other.
type relayed struct {
	mu sync.Mutex
	to map[*peer]*allowance
}

// may uses n bytes of what the pair has.
func (r *relayed) may(dest *peer, n int, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	a := r.to[dest]
	if a == nil {
		if r.to == nil {
			r.to = map[*peer]*allowance{}
		}
		a = &allowance{}
		r.to[dest] = a
	}
	return a.take(n, 0, forwardRate, forwardBurst, now)
}

// forget drops what is known about a destination that has gone.
func (r *relayed) forget(dest *peer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.to, dest)
}

// put seals a frame anew, from one peer for another, if we relay for them. Its
// last hop is our own direct way: nothing is relayed twice.
func (r *receiver) put(l *letter, from, dest *peer) {
	to, limit := dest.straight()
	switch {
	case !from.Forward:
		r.count.drop(notForUs, 1)
	case !to.IsValid():
		r.count.drop(noDirectWay, 1)
	case !from.relayed.may(dest, l.size, r.now):
		r.count.drop(relayBusy, 1)
	default:
		if limit == 0 {
			limit = leastMTU
		}
		if l.b[relay.Overhead] == probeKind {
			limit = maxDatagram
		}
		dest.Relay.Seal(l.body(), relay.Second, from.Name)
		r.forward = append(r.forward, forward{
			dest: dest, to: to, limit: limit, tos: class.TOS(class.Of(l.mark>>2), l.mark), frame: l.body(),
		})
	}
}

// flush sends what put has put aside, in one call for each destination and
// mark. A probe goes whole or not at all: it may ask just that.
func (r *receiver) flush() {
	if len(r.forward) == 0 {
		return
	}
	var frames [][]byte
	for i := range r.forward {
		f := r.forward[i]
		frames = frames[:0]
		size := 0
		for j := i; j < len(r.forward); j++ {
			if g := &r.forward[j]; g.frame != nil && g.to == f.to && g.tos == f.tos && g.limit == f.limit {
				frames, size = append(frames, g.frame), size+len(g.frame)
				g.frame = nil
			}
		}
		if len(frames) > 0 && r.write(hop{to: f.to, limit: f.limit}, frames, f.tos) == nil {
			r.count.relayed.Add(uint64(len(frames)))
			r.count.relayedBytes.Add(uint64(size))
		}
	}
	r.forward = r.forward[:0]
}
