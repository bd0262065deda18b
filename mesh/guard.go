package mesh

import (
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/netip"
	"sync/atomic"

	"landfall"
	"landfall/mesh/front"
)

// A stream begins with a pass: bytes that only the two nodes know. WireGuard
// proves which machine a stream comes from; but where the kernel carries
// packets, every program there can make connections into the mesh.

// passSize is the size of a pass.
const passSize = 16

// maxStrangers is how many accepted streams may have shown no pass yet.
const maxStrangers = 1024

var errNoPass = errors.New("mesh stream: it does not show the pass of its node")

// passes are what streams between us and a peer begin with.
type passes struct{ ours, theirs [passSize]byte }

// newPasses derives them from the secret of two keys (RFC 5869).
func newPasses(secret [32]byte, self, peer landfall.PublicKey) (p passes, err error) {
	for _, one := range []struct {
		to       *[passSize]byte
		from, by landfall.PublicKey
	}{{&p.ours, self, peer}, {&p.theirs, peer, self}} {
		b, err := hkdf.Key(sha256.New, secret[:], nil, "landfall stream v1\x00"+string(one.from[:])+string(one.by[:]), passSize)
		if err != nil {
			return p, fmt.Errorf("derive stream pass: %w", err)
		}
		copy(one.to[:], b)
	}
	return p, nil
}

// passOf is what streams from an address have to show; false for nobody's.
func (m *Mesh) passOf(addr netip.Addr) ([passSize]byte, bool) {
	if addr == m.addr {
		return m.own.theirs, true
	}
	id := (*m.names.Load())[addr]
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.peers[id]
	if p == nil {
		return [passSize]byte{}, false
	}
	return p.passes.theirs, true
}

// guard lets streams in that show a pass.
type guard struct {
	mesh    *Mesh
	in      func(front.Stream)
	waiting atomic.Int64
	refused *atomic.Uint64
}

// accept takes a stream that nobody has read from.
func (g *guard) accept(s front.Stream) {
	if g.waiting.Add(1) > maxStrangers {
		g.waiting.Add(-1)
		g.refused.Add(1)
		s.Abort(errNoPass)
		return
	}
	s.Start(&entrant{guard: g, stream: s})
}

// entrant is the sink of a stream that has shown no pass yet.
type entrant struct {
	guard  *guard
	stream front.Stream
	shown  []byte
	gone   bool
}

// Data implements landfall.Sink.
func (e *entrant) Data(b []byte) int {
	if e.gone {
		return len(b)
	}
	n := min(len(b), passSize-len(e.shown))
	if e.shown = append(e.shown, b[:n]...); len(e.shown) < passSize {
		return n
	}
	e.leave()
	want, known := e.guard.mesh.passOf(e.stream.Remote().Addr())
	if !known || subtle.ConstantTimeCompare(e.shown, want[:]) != 1 {
		e.guard.refused.Add(1)
		e.stream.Abort(errNoPass)
		return len(b)
	}
	e.stream.Start(nil) // until somebody else starts it
	e.guard.in(e.stream)
	return n
}

func (e *entrant) leave() {
	if !e.gone {
		e.gone = true
		e.guard.waiting.Add(-1)
	}
}

// EOF implements landfall.Sink.
func (e *entrant) EOF() { e.stream.Close() }

// Writable implements landfall.Sink; nothing was written.
func (e *entrant) Writable() {}

// Closed implements landfall.Sink.
func (e *entrant) Closed(error) { e.leave() }
