package wg

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.zx2c4.com/wireguard/conn"

	"landfall"
)

// What the first byte of WireGuard's messages says.
const (
	initiation = 1
	response   = 2
	lastType   = 4
)

// keepIndexes is how many receiver indexes of a peer are remembered: those of
// three keypairs and of some handshakes under way.
const keepIndexes = 8

// retryRead is how long to wait after the socket could not be read.
const retryRead = 100 * time.Millisecond

// endpoint is a peer as WireGuard sees it. It implements conn.Endpoint.
type endpoint struct {
	key      landfall.PublicKey
	initiate bool                           // handshakes are ours to start
	to       atomic.Pointer[netip.AddrPort] // where datagrams go now; nil is nowhere
	indexes  []uint32                       // ours, latest last; guarded by bind.mu
}

func (e *endpoint) addr() netip.AddrPort {
	if p := e.to.Load(); p != nil {
		return *p
	}
	return netip.AddrPort{}
}

func (e *endpoint) ClearSrc()           {}
func (e *endpoint) SrcToString() string { return "" }
func (e *endpoint) SrcIP() netip.Addr   { return netip.Addr{} }
func (e *endpoint) DstIP() netip.Addr   { return e.addr().Addr() }
func (e *endpoint) DstToString() string { return e.addr().String() }

func (e *endpoint) DstToBytes() []byte {
	b, _ := e.addr().MarshalBinary() // never fails
	return b
}

// bind gives WireGuard one endpoint per peer and keeps the addresses to
// itself. It implements conn.Bind for a socket that is opened and closed once.
type bind struct {
	conn   net.PacketConn
	sock   socket
	other  func(b []byte, from netip.AddrPort) // a datagram that is not WireGuard's
	wanted func(landfall.PublicKey)            // a handshake that is not ours to start
	from   []netip.AddrPort                    // of the one reader

	opened  atomic.Bool
	closed  chan struct{}
	failed  chan error // the socket was closed, and not by us
	dropped atomic.Uint64

	mu      sync.RWMutex
	peers   map[landfall.PublicKey]*endpoint
	vouched map[netip.AddrPort]*endpoint // whose WireGuard datagrams come from there
	indexes map[uint32]*endpoint         // receiver index in datagrams to us
}

func newBind(c net.PacketConn, other func([]byte, netip.AddrPort), wanted func(landfall.PublicKey)) *bind {
	return &bind{
		conn: c, sock: newSocket(c), other: other, wanted: wanted,
		from:    make([]netip.AddrPort, batch),
		closed:  make(chan struct{}),
		failed:  make(chan error, 1),
		peers:   map[landfall.PublicKey]*endpoint{},
		vouched: map[netip.AddrPort]*endpoint{},
		indexes: map[uint32]*endpoint{},
	}
}

// Open implements conn.Bind.
func (b *bind) Open(uint16) ([]conn.ReceiveFunc, uint16, error) {
	if b.opened.Swap(true) {
		return nil, 0, conn.ErrBindAlreadyOpen
	}
	return []conn.ReceiveFunc{b.receive}, addrPort(b.conn.LocalAddr()).Port(), nil
}

// Close implements conn.Bind. WireGuard also calls it before Open.
func (b *bind) Close() error {
	if !b.opened.Load() {
		return nil
	}
	select {
	case <-b.closed:
		return nil
	default:
		close(b.closed)
		return b.conn.Close()
	}
}

// SetMark implements conn.Bind; marks are for routing by the kernel.
func (b *bind) SetMark(uint32) error { return nil }

// BatchSize implements conn.Bind.
func (b *bind) BatchSize() int { return batch }

// ParseEndpoint implements conn.Bind: the text is a peer's key in hex.
func (b *bind) ParseEndpoint(s string) (conn.Endpoint, error) {
	k, err := hex.DecodeString(s)
	if err != nil || len(k) != len(landfall.PublicKey{}) {
		return nil, fmt.Errorf("endpoint %q is not a key", s)
	}
	b.mu.RLock()
	defer b.mu.RUnlock()
	e, ok := b.peers[landfall.PublicKey(k)]
	if !ok {
		return nil, fmt.Errorf("endpoint %q is nobody's key", s)
	}
	return e, nil
}

// receive implements conn.ReceiveFunc. Datagrams that are not for WireGuard
// have size 0, which it skips.
func (b *bind) receive(bufs [][]byte, sizes []int, eps []conn.Endpoint) (int, error) {
	for {
		n, err := b.sock.read(bufs, sizes, b.from)
		switch {
		case err == nil:
			for i := range n {
				if e := b.sort(bufs[i][:sizes[i]], b.from[i]); e != nil {
					eps[i] = e
				} else {
					sizes[i] = 0
				}
			}
			return n, nil
		case b.isClosed():
			return 0, net.ErrClosed
		case errors.Is(err, net.ErrClosed):
			b.failed <- fmt.Errorf("mesh socket %v: %w", b.conn.LocalAddr(), err)
			return 0, net.ErrClosed
		}
		select {
		case <-b.closed:
		case <-time.After(retryRead):
		}
	}
}

// sort tells whose datagram it is: the receiver index says so, or else its
// source, if that was vouched for; an initiation has no index. Neither is
// believed for more than which endpoint WireGuard hears of: whose datagram it
// truly is, it finds out itself.
func (b *bind) sort(d []byte, from netip.AddrPort) *endpoint {
	if len(d) < 8 || d[0] == 0 || d[0] > lastType {
		b.other(d, from)
		return nil
	}
	b.mu.RLock()
	var e *endpoint
	if at := receiverAt(d); at > 0 && len(d) >= at+4 {
		e = b.indexes[binary.LittleEndian.Uint32(d[at:])]
	}
	if e == nil {
		e = b.vouched[from]
	}
	b.mu.RUnlock()
	if e == nil {
		b.dropped.Add(1)
	}
	return e
}

// receiverAt is where a message has its receiver index; 0 if it has none.
func receiverAt(d []byte) int {
	switch d[0] {
	case initiation:
		return 0
	case response:
		return 8
	}
	return 4
}

// Send implements conn.Bind. An initiation that is not ours to send becomes a
// wish.
func (b *bind) Send(bufs [][]byte, ep conn.Endpoint) error {
	e, ok := ep.(*endpoint)
	if !ok {
		return conn.ErrWrongEndpointType
	}
	switch bufs[0][0] {
	case initiation:
		if !e.initiate {
			b.wanted(e.key)
			return nil
		}
		b.remember(e, bufs[0])
	case response:
		b.remember(e, bufs[0])
	}
	to := e.addr()
	if !to.IsValid() {
		return fmt.Errorf("peer %v: no address is known", e.key)
	}
	return b.sock.write(bufs, to)
}

// remember notes the index by which the peer will address us.
func (b *bind) remember(e *endpoint, msg []byte) {
	index := binary.LittleEndian.Uint32(msg[4:])
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.peers[e.key] != e {
		return
	}
	b.indexes[index] = e
	e.indexes = append(e.indexes, index)
	if len(e.indexes) > keepIndexes {
		delete(b.indexes, e.indexes[0])
		e.indexes = e.indexes[1:]
	}
}

func (b *bind) add(key landfall.PublicKey, initiate bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.peers[key] = &endpoint{key: key, initiate: initiate}
}

func (b *bind) remove(key landfall.PublicKey) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.peers[key]
	delete(b.peers, key)
	for a, owner := range b.vouched {
		if owner == e {
			delete(b.vouched, a)
		}
	}
	for i, owner := range b.indexes {
		if owner == e {
			delete(b.indexes, i)
		}
	}
}

// vouch lets a peer's initiations in from these addresses and no others.
func (b *bind) vouch(key landfall.PublicKey, addrs []netip.AddrPort) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e, ok := b.peers[key]
	if !ok {
		return
	}
	for a, owner := range b.vouched {
		if owner == e {
			delete(b.vouched, a)
		}
	}
	for _, a := range addrs {
		b.vouched[a] = e
	}
}

func (b *bind) use(key landfall.PublicKey, to netip.AddrPort) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if e, ok := b.peers[key]; ok {
		e.to.Store(&to)
	}
}

func (b *bind) isClosed() bool {
	select {
	case <-b.closed:
		return true
	default:
		return false
	}
}
