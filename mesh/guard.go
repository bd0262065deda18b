package mesh

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"landfall"
	"landfall/mesh/front"
)

// A stream begins with a pass: bytes that only the two nodes can make.
// WireGuard proves which machine a stream comes from; but where the kernel
// carries packets, every program there can make connections into the mesh.
//
// A pass is good for one pair of addresses and ports, and so for one service:
// whoever sees it cannot open another stream with it. The accepting side
// proves nothing in return before the service's first bytes leave, since that
// would cost a new stream a round trip, across an ocean, and there is little
// to win: the node binds the ports of its services on its own device, which is
// there for as long as the process is, and does not come up while another
// program has one of them.

const (
	// passSize is the size of a pass.
	passSize = 16
	// passTime is how long a stream may take to show it. It is sent with the
	// first bytes; some may be lost.
	passTime = 5 * time.Second
	// maxSilent is how many streams to a service from one address may have
	// shown no pass yet. Beyond it the oldest gives way.
	maxSilent = 256
)

var errNoPass = errors.New("mesh stream: it does not show the pass of its node")

// passKey makes passes for streams from one node to another.
type passKey [sha256.Size]byte

// passes are the keys of streams between us and a peer, by who opens them.
type passes struct{ ours, theirs passKey }

// newPasses derives them from the secret of two keys (RFC 5869).
func newPasses(secret [32]byte, self, peer landfall.PublicKey) (p passes, err error) {
	for _, one := range []struct {
		to       *passKey
		from, by landfall.PublicKey
	}{{&p.ours, self, peer}, {&p.theirs, peer, self}} {
		b, err := hkdf.Key(sha256.New, secret[:], nil, "landfall stream v2\x00"+string(one.from[:])+string(one.by[:]), len(one.to))
		if err != nil {
			return p, fmt.Errorf("derive stream pass: %w", err)
		}
		copy(one.to[:], b)
	}
	return p, nil
}

// pass is what a stream between two ends begins with (RFC 2104).
func (k passKey) pass(opener, accepter netip.AddrPort) []byte {
	mac := hmac.New(sha256.New, k[:])
	for _, end := range [...]netip.AddrPort{opener, accepter} {
		addr := end.Addr().As16()
		mac.Write(binary.BigEndian.AppendUint16(addr[:], end.Port()))
	}
	return mac.Sum(nil)[:passSize]
}

// keyOf is the key of streams from an address; false for nobody's.
func (m *Mesh) keyOf(addr netip.Addr) (passKey, bool) {
	if addr == m.addr {
		return m.own.theirs, true
	}
	id := (*m.names.Load())[addr]
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.peers[id]
	if p == nil {
		return passKey{}, false
	}
	return p.passes.theirs, true
}

// guard lets streams to a service in that show a pass.
type guard struct {
	mesh    *Mesh
	in      func(front.Stream)
	refused *atomic.Uint64

	mu     sync.Mutex
	silent map[netip.Addr][]*entrant // that have shown none yet, oldest first
}

func (m *Mesh) newGuard(in func(front.Stream)) *guard {
	return &guard{mesh: m, in: in, refused: &m.stray, silent: map[netip.Addr][]*entrant{}}
}

// accept takes a stream that nobody has read from.
func (g *guard) accept(s front.Stream) {
	e := &entrant{guard: g, stream: s}
	if oldest := g.enter(e); oldest != nil {
		oldest.refuse()
	}
	s.Start(e)
}

// enter returns who has to give way; nil if there is room.
func (g *guard) enter(e *entrant) (oldest *entrant) {
	addr := e.stream.Remote().Addr()
	g.mu.Lock()
	defer g.mu.Unlock()
	if all := g.silent[addr]; len(all) >= maxSilent {
		oldest = all[0]
	}
	g.silent[addr] = append(g.silent[addr], e)
	e.alarm = time.AfterFunc(passTime, e.refuse)
	return oldest
}

// leave reports whether a stream was still waited for.
func (g *guard) leave(e *entrant) bool {
	addr := e.stream.Remote().Addr()
	g.mu.Lock()
	defer g.mu.Unlock()
	all := g.silent[addr]
	i := slices.Index(all, e)
	if i < 0 {
		return false
	}
	e.alarm.Stop()
	if all = slices.Delete(all, i, i+1); len(all) == 0 {
		delete(g.silent, addr)
		return true
	}
	g.silent[addr] = all
	return true
}

// entrant is the sink of a stream that has shown no pass yet.
type entrant struct {
	guard  *guard
	stream front.Stream
	alarm  *time.Timer // guarded by guard.mu
	shown  []byte
}

// refuse ends a stream that has shown no pass, or another one.
func (e *entrant) refuse() {
	if e.guard.leave(e) {
		e.guard.refused.Add(1)
		e.stream.Abort(errNoPass)
	}
}

// Data implements landfall.Sink.
func (e *entrant) Data(b []byte) int {
	n := min(len(b), passSize-len(e.shown))
	if e.shown = append(e.shown, b[:n]...); len(e.shown) < passSize {
		return n
	}
	key, known := e.guard.mesh.keyOf(e.stream.Remote().Addr())
	if !known || !hmac.Equal(e.shown, key.pass(e.stream.Remote(), e.stream.Local())) {
		e.refuse()
		return len(b)
	}
	if !e.guard.leave(e) {
		return len(b) // it was refused meanwhile
	}
	e.stream.Start(nil) // until somebody else starts it
	e.guard.in(e.stream)
	return n
}

// EOF implements landfall.Sink.
func (e *entrant) EOF() { e.stream.Close() }

// Writable implements landfall.Sink; nothing was written.
func (e *entrant) Writable() {}

// Closed implements landfall.Sink.
func (e *entrant) Closed(error) { e.guard.leave(e) }
