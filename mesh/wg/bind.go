package wg

import (
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
	data       = 4
)

// retryRead is how long to wait after the socket could not be read.
const retryRead = 100 * time.Millisecond

// endpoint is a peer as WireGuard sees it: who, never where. It implements
// conn.Endpoint. One without a key is where a message of a handshake came
// from, which WireGuard limits the rate of, and may send a cookie to.
type endpoint struct {
	key      landfall.PublicKey
	initiate bool                           // handshakes are ours to start
	to       atomic.Pointer[netip.AddrPort] // where datagrams go now; nil is nowhere
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

	nowhere endpoint // what WireGuard is told of data

	opened atomic.Bool
	closed chan struct{}
	failed chan error // the socket was closed, and not by us

	mu    sync.RWMutex
	peers map[landfall.PublicKey]*endpoint
}

func newBind(c net.PacketConn, other func([]byte, netip.AddrPort), wanted func(landfall.PublicKey)) *bind {
	return &bind{
		conn: c, sock: newSocket(c), other: other, wanted: wanted,
		from:   make([]netip.AddrPort, batch),
		closed: make(chan struct{}),
		failed: make(chan error, 1),
		peers:  map[landfall.PublicKey]*endpoint{},
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

// sort hands on what is not WireGuard's, and tells where from the rest came.
// It does not guess whose it is: WireGuard finds that out from the message
// itself, and does not take its source for the way to the peer.
func (b *bind) sort(d []byte, from netip.AddrPort) *endpoint {
	switch {
	case len(d) < 8 || d[0] == 0 || d[0] > data:
		b.other(d, from)
		return nil
	case d[0] == data:
		return &b.nowhere // nobody asks where data came from
	}
	e := &endpoint{}
	e.to.Store(&from)
	return e
}

// Send implements conn.Bind. An initiation that is not ours to send becomes a
// wish.
func (b *bind) Send(bufs [][]byte, ep conn.Endpoint) error {
	e, ok := ep.(*endpoint)
	if !ok {
		return conn.ErrWrongEndpointType
	}
	if bufs[0][0] == initiation && !e.initiate {
		b.wanted(e.key)
		return nil
	}
	to := e.addr()
	if !to.IsValid() {
		return fmt.Errorf("peer %v: no address is known", e.key)
	}
	if bufs[0][0] != data {
		return b.sock.urgent(bufs[0], to) // handshakes come one by one
	}
	return b.sock.write(bufs, to)
}

func (b *bind) add(key landfall.PublicKey, initiate bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.peers[key] = &endpoint{key: key, initiate: initiate}
}

func (b *bind) remove(key landfall.PublicKey) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.peers, key)
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
