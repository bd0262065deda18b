package wg

import (
	"encoding/binary"
	"hash/maphash"
	"sync"
)

// Where things are in WireGuard's handshake messages.
const (
	initiationSize = 148
	responseSize   = 92
	senderAt       = 4       // of both: the sender's name for the session
	noiseAt        = 8       // of an initiation: what is authenticated begins
	noiseEnd       = 8 + 108 // and ends
	receiverAt     = 8       // of a response: the name in the initiation
)

const (
	takenSlots   = 1 << 16
	pendingSlots = 1024
)

// initiations knows those that WireGuard has taken, so that it is given none
// of them twice. It knows them itself by their time, but forgets that of a peer
// that is made known anew: whoever had recorded an initiation from when the
// peer's clock was ahead could then keep the peer away until that time has
// come, with one datagram for each try.
//
// Which initiations are genuine is only known from WireGuard's answers. So
// strangers can put hardly anything into the table, and nothing that would
// have another's initiation dropped. The zero initiations lack a seed.
type initiations struct {
	seed maphash.Seed

	mu      sync.Mutex
	taken   *[takenSlots]uint64 // sums, each in its own place
	pending [pendingSlots]pending
	next    int
}

// pending is an initiation that WireGuard has been given.
type pending struct {
	sender uint32
	sum    uint64
}

// again reports whether an initiation was taken before; if not, WireGuard is
// given it.
func (n *initiations) again(d []byte) bool {
	if len(d) != initiationSize {
		return false // WireGuard's to drop
	}
	sum := maphash.Bytes(n.seed, d[noiseAt:noiseEnd])
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.taken != nil && n.taken[sum%takenSlots] == sum {
		return true
	}
	n.pending[n.next] = pending{binary.LittleEndian.Uint32(d[senderAt:]), sum}
	n.next = (n.next + 1) % pendingSlots
	return false
}

// answered notes what WireGuard's response is an answer to.
func (n *initiations) answered(d []byte) {
	if len(d) != responseSize {
		return
	}
	sender := binary.LittleEndian.Uint32(d[receiverAt:])
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.taken == nil {
		n.taken = new([takenSlots]uint64)
	}
	for i := range n.pending {
		if p := &n.pending[i]; p.sender == sender && p.sum != 0 {
			n.taken[p.sum%takenSlots] = p.sum
			*p = pending{}
		}
	}
}
