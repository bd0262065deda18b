package wg

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.zx2c4.com/wireguard/conn"

	"landfall/mesh/fragment"
	"landfall/mesh/path"
	"landfall/mesh/relay"
	"landfall/mesh/udp"
)

// retryRead is how long to wait after the socket could not be read.
const retryRead = 100 * time.Millisecond

// receiver reads one socket and sorts what arrives:
//
//	F  part of a datagram  -> reassembled, then on
//	R  relayed             -> for us: unwrapped, then on; else forwarded
//	L  probe               -> Config.Other
//	1 to 4  WireGuard's    -> WireGuard
type receiver struct {
	*bind
	sock    udp.Conn
	from    []netip.AddrPort
	marks   []uint8
	frames  []forward // to send on, of the batch under way
	probes  []forward // the same
	now     time.Time // of the batch under way
	nowhere source    // what WireGuard is told of data, which it does not ask about
}

func newReceiver(b *bind, c udp.Conn) *receiver {
	return &receiver{bind: b, sock: c, from: make([]netip.AddrPort, udp.Batch), marks: make([]uint8, udp.Batch)}
}

// receive implements conn.ReceiveFunc. Datagrams that are not for WireGuard
// have size 0, which it skips.
func (r *receiver) receive(bufs [][]byte, sizes []int, eps []conn.Endpoint) (int, error) {
	for {
		n := min(len(bufs), len(r.from))
		n, err := r.sock.Read(bufs[:n], sizes[:n], r.from[:n], r.marks[:n])
		switch {
		case err == nil:
			r.now = time.Now()
			for i := range n {
				d := letter{b: bufs[i], size: sizes[i], wire: sizes[i], mark: r.marks[i], from: r.from[i]}
				sizes[i] = 0
				if ep := r.sort(&d); ep != nil {
					sizes[i], eps[i] = d.size, ep
				}
			}
			r.flush()
			return n, nil
		case r.isClosed():
			return 0, net.ErrClosed
		case errors.Is(err, net.ErrClosed):
			r.fail(fmt.Errorf("mesh socket %v: %w", r.sock.LocalAddr(), err))
			return 0, net.ErrClosed
		}
		select {
		case <-r.closed:
		case <-time.After(retryRead):
		}
	}
}

// fail delivers why the device cannot go on.
func (b *bind) fail(err error) {
	select {
	case b.failed <- err:
	default: // there is a reason already
	}
}

// letter is one datagram that has arrived: the first size bytes of a buffer.
type letter struct {
	b    []byte
	size int
	wire int   // of the UDP payload, or the last part of it, without a frame's
	mark uint8 // TOS byte; its class may not be told
	from netip.AddrPort
	far  *peer // who sent it through a relay; nil if it came straight
	via  *peer // who relayed it
}

func (l *letter) body() []byte { return l.b[:l.size] }

// origin is the way that the letter came.
func (l *letter) origin() origin {
	if l.via != nil {
		return origin{via: l.via.number}
	}
	return direct(l.from)
}

func (l *letter) way() path.Way {
	if l.via != nil {
		return path.Way{Via: l.via.Node}
	}
	return path.Way{Addr: l.from}
}

// sort hands on what is not WireGuard's, and tells where from the rest came;
// nil for what is not for WireGuard. It does not guess whose a datagram is:
// WireGuard finds that out from the message itself, and does not take its
// source for the way to the peer.
func (r *receiver) sort(l *letter) conn.Endpoint {
	if l.size > maxDatagram {
		r.count.drop(tooLong, 1)
		return nil
	}
	if fragment.Is(l.body()) && !r.assemble(l) || relay.Is(l.body()) && !r.unwrap(l) {
		return nil
	}
	switch d := l.body(); {
	case len(d) >= keepaliveSize && d[0] == data:
		way := l.origin()
		twin, sum := r.twins.copied(d, way, l.wire, r.now.UnixNano())
		if twin {
			r.count.twins.Add(1)
			return nil
		}
		inTag{ecn: l.mark & 3, size: l.wire, way: way, sum: sum}.put(l.b)
		return &r.nowhere
	case len(d) >= keepaliveSize && d[0] >= initiation && d[0] < data:
		if d[0] == initiation && r.initiations.again(d) {
			r.count.drop(handshakeAgain, 1)
			return nil
		}
		return &source{way: l.way(), peer: l.far}
	case len(d) > 0 && d[0] == probeKind:
		if l.far != nil {
			r.other(d, l.way(), l.far.Node)
		} else {
			r.other(d, l.way(), "")
		}
		return nil
	}
	r.count.drop(unknownKind, 1)
	return nil
}

// assemble puts the datagram of which l is a part into its place; false while
// parts are missing.
func (r *receiver) assemble(l *letter) bool {
	n, err := r.parts.add(l, r.peers.sentPart(l.from, l.body()), r.now)
	if err != nil {
		r.count.drop(badFragment, 1)
		return false
	}
	if n == 0 {
		return false
	}
	if n > maxDatagram {
		r.count.drop(tooLong, 1)
		return false
	}
	if l.size = n; fragment.Is(l.body()) {
		r.count.drop(badFragment, 1)
		return false
	}
	return true
}

// unwrap opens a relayed frame. What is for another is put aside for flush;
// false for that, and for what is not genuine.
func (r *receiver) unwrap(l *letter) bool {
	id, err := relay.Peek(l.body())
	if err != nil {
		r.count.drop(unknownFrame, 1)
		return false
	}
	p := r.peers.hop(id)
	if p == nil {
		r.count.drop(unknownFrame, 1)
		return false
	}
	hop, name, payload, err := p.Relay.Open(l.body())
	if err != nil {
		r.count.drop(forgedFrame, 1)
		return false
	}
	if relay.Is(payload) || fragment.Is(payload) {
		r.count.drop(badPayload, 1)
		return false
	}
	far := r.peers.name(name)
	if far == nil || far == p {
		r.count.drop(unknownFar, 1)
		return false
	}
	if hop == relay.First {
		r.put(l, p, far)
		return false
	}
	l.via, l.far = p, far
	l.size, l.wire = copy(l.b, payload), max(0, l.wire-relay.Overhead)
	return true
}

// parts puts datagrams together for all sockets.
type parts struct {
	mu sync.Mutex
	r  fragment.Reassembler
}

// add takes the part that l is. Once that makes a datagram whole, its buffer
// begins with it, l has its congestion mark, and add tells its size; 0 before.
func (p *parts) add(l *letter, known bool, now time.Time) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	d, err := p.r.Add(l.from, known, l.mark&3, l.body(), now)
	if d != nil {
		l.mark = l.mark&^3 | p.r.ECN()
	}
	return copy(l.b, d), err
}

func (p *parts) stats() fragment.Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.r.Stats()
}
