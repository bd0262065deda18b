package wg

import (
	"encoding/hex"
	"fmt"
	"hash/maphash"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.zx2c4.com/wireguard/conn"

	"landfall"
	"landfall/mesh/path"
	"landfall/mesh/udp"
)

// What the first byte of WireGuard's messages says, and that of probes.
const (
	initiation = 1
	response   = 2
	data       = 4
	probeKind  = 'L'
)

// keepaliveSize is the size of a data datagram with nothing in it.
const keepaliveSize = overhead

// bind gives WireGuard one endpoint per peer and keeps the ways to itself. It
// implements conn.Bind for sockets that are opened and closed once.
type bind struct {
	conns             []udp.Conn
	v4, v6            udp.Conn // of conns; never nil
	peers             *directory
	count             *counters
	other             func(b []byte, from path.Way, peer landfall.NodeID)
	wanted            func(landfall.NodeID)
	passed            func(p *peer, seq uint64)             // data has been sent up to here
	charge            func(n int)                           // bytes are sent past the queues
	afford            func(n int, ahead time.Duration) bool // the same, if the rate has room for it
	extra             allowance                             // of second copies that are Normal, to all peers
	detours           detours
	twins             twins
	parts             parts
	repeats           repeats
	initiations       initiations
	relaying, probing *outbox
	lists             sync.Pool     // of *[][]byte, for what is made from a batch
	partID            atomic.Uint32 // of the last datagram that was sent in fragments

	opened atomic.Bool
	once   sync.Once
	closed chan struct{}
	failed chan error // a socket or the front was closed, and not by us
}

func newBind(cfg Config, peers *directory, count *counters) *bind {
	b := &bind{
		conns: cfg.Conns, peers: peers, count: count, other: cfg.Other, wanted: cfg.Wanted,
		twins:       twins{seed: maphash.MakeSeed()},
		repeats:     repeats{seed: maphash.MakeSeed()},
		initiations: initiations{seed: maphash.MakeSeed()},
		relaying:    newOutbox(cfg.Rate * forwardShare / 8), probing: newOutbox(cfg.Rate * probeShare / 8),
		closed: make(chan struct{}), failed: make(chan error, len(cfg.Conns)+1),
	}
	b.detours.work.L = &b.detours.mu
	b.lists.New = func() any { return new([][]byte) }
	b.partID.Store(uint32(maphash.Bytes(b.twins.seed, nil))) // somewhere at random
	for _, c := range cfg.Conns {
		if c.LocalAddr().Addr().Is4() {
			b.v4 = c
		} else {
			b.v6 = c
		}
	}
	if b.v4 == nil {
		b.v4 = b.v6
	}
	if b.v6 == nil {
		b.v6 = b.v4
	}
	return b
}

// conn is the socket for an address.
func (b *bind) conn(to netip.AddrPort) udp.Conn {
	if to.Addr().Is4() {
		return b.v4
	}
	return b.v6
}

// Open implements conn.Bind.
func (b *bind) Open(uint16) ([]conn.ReceiveFunc, uint16, error) {
	if b.opened.Swap(true) {
		return nil, 0, conn.ErrBindAlreadyOpen
	}
	var fns []conn.ReceiveFunc
	for _, c := range b.conns {
		fns = append(fns, newReceiver(b, c).receive)
	}
	return fns, b.conns[0].LocalAddr().Port(), nil
}

// Close implements conn.Bind. WireGuard also calls it before Open.
func (b *bind) Close() error {
	if !b.opened.Load() {
		return nil
	}
	b.once.Do(func() {
		close(b.closed)
		for _, c := range b.conns {
			_ = c.Close() // the readers hear of it
		}
	})
	return nil
}

func (b *bind) isClosed() bool {
	select {
	case <-b.closed:
		return true
	default:
		return false
	}
}

// SetMark implements conn.Bind; marks are for routing by the kernel.
func (b *bind) SetMark(uint32) error { return nil }

// BatchSize implements conn.Bind.
func (b *bind) BatchSize() int { return udp.Batch }

// ParseEndpoint implements conn.Bind: the text is a peer's key in hex.
func (b *bind) ParseEndpoint(s string) (conn.Endpoint, error) {
	k, err := hex.DecodeString(s)
	if err != nil || len(k) != len(landfall.PublicKey{}) {
		return nil, fmt.Errorf("endpoint %q is not a key", s)
	}
	p := b.peers.key(landfall.PublicKey(k))
	if p == nil {
		return nil, fmt.Errorf("endpoint %q is nobody's key", s)
	}
	return p, nil
}

// source is where a message of a handshake came from. WireGuard limits the
// rate of each, and may send it a cookie. It implements conn.Endpoint.
type source struct {
	way  path.Way
	peer *peer // that a relay names; nil if the way is direct
}

// addr is what stands for the source: of a relayed one, the peer's address
// inside.
func (s *source) addr() netip.AddrPort {
	if s.peer != nil {
		return netip.AddrPortFrom(s.peer.Addr, 0)
	}
	return s.way.Addr
}

func (s *source) ClearSrc()           {}
func (s *source) SrcToString() string { return "" }
func (s *source) SrcIP() netip.Addr   { return netip.Addr{} }
func (s *source) DstIP() netip.Addr   { return s.addr().Addr() }
func (s *source) DstToString() string { return s.way.String() }

func (s *source) DstToBytes() []byte {
	b, _ := s.addr().MarshalBinary() // never fails
	return b
}
