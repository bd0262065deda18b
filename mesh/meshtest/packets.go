package meshtest

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"
)

// inboxSize is how many datagrams a packet conn holds; more are dropped.
const inboxSize = 8192

// Packets joins packet conns in memory.
type Packets struct {
	delay time.Duration // one way, for every datagram, unless shape says otherwise

	mu    sync.Mutex
	shape Shape
	conns map[netip.AddrPort]*packetConn
	cut   map[netip.AddrPort]bool
	tap   func(from, to netip.AddrPort, b []byte)
}

// NewPackets makes a network in which every datagram takes delay.
func NewPackets(delay time.Duration) *Packets {
	return &Packets{delay: delay, conns: map[netip.AddrPort]*packetConn{}, cut: map[netip.AddrPort]bool{}}
}

// Conn binds an address.
func (p *Packets) Conn(at netip.AddrPort) (net.PacketConn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conns[at] != nil {
		return nil, fmt.Errorf("address %v is in use", at)
	}
	c := &packetConn{packets: p, at: at}
	c.news.L = &c.mu
	p.conns[at] = c
	return c, nil
}

// Shape says what becomes of a datagram: how long it takes, and whether it
// arrives at all. It must not keep b, nor call the Packets.
type Shape func(from, to netip.AddrPort, b []byte) (delay time.Duration, arrives bool)

// Move gives the conn at an address another one, as a NAT does that forgets:
// it is not told, and what is under way to the old address is lost.
func (p *Packets) Move(from, to netip.AddrPort) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.conns[from]
	if c == nil || p.conns[to] != nil {
		return fmt.Errorf("move %v to %v: nobody is there, or somebody is here", from, to)
	}
	delete(p.conns, from)
	p.conns[to] = c
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at, c.inbox = to, nil
	return nil
}

// Shape puts another network under the conns; nil is the one that they began
// with.
func (p *Packets) Shape(s Shape) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shape = s
}

// Cut drops all datagrams to and from an address, until it is mended.
func (p *Packets) Cut(at netip.AddrPort, yes bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut[at] = yes
}

// Tap calls f for every datagram sent. f must not keep b.
func (p *Packets) Tap(f func(from, to netip.AddrPort, b []byte)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tap = f
}

// Inject sends a datagram as if from an address, which need not exist.
func (p *Packets) Inject(from, to netip.AddrPort, b []byte) {
	p.mu.Lock()
	c, delay, arrives := p.conns[to], p.delay, !p.cut[from] && !p.cut[to]
	if p.shape != nil && arrives {
		delay, arrives = p.shape(from, to, b)
	}
	p.mu.Unlock()
	if c != nil && arrives {
		c.put(letter{from: from, body: bytes.Clone(b), due: time.Now().Add(delay)})
	}
}

type letter struct {
	from netip.AddrPort
	body []byte
	due  time.Time
}

type packetConn struct {
	packets *Packets
	at      netip.AddrPort

	mu       sync.Mutex
	news     sync.Cond
	inbox    []letter // by due
	deadline time.Time
	closed   bool
}

func (c *packetConn) put(l letter) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || len(c.inbox) >= inboxSize {
		return
	}
	i := len(c.inbox) // behind all that is due by then
	for i > 0 && c.inbox[i-1].due.After(l.due) {
		i--
	}
	c.inbox = slices.Insert(c.inbox, i, l)
	c.news.Broadcast()
}

// ReadFrom implements net.PacketConn.
func (c *packetConn) ReadFrom(b []byte) (int, net.Addr, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		now, wake := time.Now(), c.deadline
		switch {
		case c.closed:
			return 0, nil, net.ErrClosed
		case !wake.IsZero() && !now.Before(wake):
			return 0, nil, os.ErrDeadlineExceeded
		case len(c.inbox) > 0 && !now.Before(c.inbox[0].due):
			l := c.inbox[0]
			c.inbox = c.inbox[1:]
			return copy(b, l.body), net.UDPAddrFromAddrPort(l.from), nil
		case len(c.inbox) > 0 && (wake.IsZero() || c.inbox[0].due.Before(wake)):
			wake = c.inbox[0].due
		}
		if wake.IsZero() {
			c.news.Wait()
			continue
		}
		timer := time.AfterFunc(wake.Sub(now), c.wake)
		c.news.Wait()
		timer.Stop()
	}
}

// wake takes the mutex, so that no reader is just about to wait.
func (c *packetConn) wake() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.news.Broadcast()
}

// WriteTo implements net.PacketConn.
func (c *packetConn) WriteTo(b []byte, to net.Addr) (int, error) {
	u, ok := to.(*net.UDPAddr)
	if !ok {
		return 0, fmt.Errorf("write to %v: not a UDP address", to)
	}
	c.mu.Lock()
	closed, at := c.closed, c.at
	c.mu.Unlock()
	if closed {
		return 0, net.ErrClosed
	}
	c.packets.mu.Lock()
	tap := c.packets.tap
	c.packets.mu.Unlock()
	if tap != nil {
		tap(at, u.AddrPort(), b)
	}
	c.packets.Inject(at, u.AddrPort(), b)
	return len(b), nil
}

// Close implements net.PacketConn; the address is free again.
func (c *packetConn) Close() error {
	c.packets.mu.Lock()
	defer c.packets.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.packets.conns[c.at] == c {
		delete(c.packets.conns, c.at)
	}
	c.closed = true
	c.news.Broadcast()
	return nil
}

// LocalAddr implements net.PacketConn.
func (c *packetConn) LocalAddr() net.Addr {
	c.mu.Lock()
	defer c.mu.Unlock()
	return net.UDPAddrFromAddrPort(c.at)
}

// SetDeadline implements net.PacketConn; writes never wait.
func (c *packetConn) SetDeadline(t time.Time) error { return c.SetReadDeadline(t) }

// SetReadDeadline implements net.PacketConn.
func (c *packetConn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline = t
	c.news.Broadcast()
	return nil
}

// SetWriteDeadline implements net.PacketConn; writes never wait.
func (c *packetConn) SetWriteDeadline(time.Time) error { return nil }
