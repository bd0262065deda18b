package wan

import (
	"container/heap"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// maxHeld bounds the bytes that one PacketConn holds back; what comes on top
// is dropped like on a full queue.
const maxHeld = 64 << 20

// PacketConn is a packet conn that stands at a site: what it sends to an
// address at another site travels the link first. What it receives has
// travelled already, if its sender stands in the network too.
type PacketConn struct {
	inner net.PacketConn
	wan   *Network
	site  Site
	local netip.AddrPort

	wake  chan struct{} // the head of the queue changed
	done  chan struct{} // closed by Close
	ended chan struct{} // closed when run has returned

	mu       sync.Mutex
	queue    packets
	held     int
	number   uint64
	deadline time.Time
	closed   bool
}

// PacketConn places an inner packet conn at a site, and its local address
// with it. Closing the returned conn closes the inner one.
func (n *Network) PacketConn(inner net.PacketConn, s Site) (*PacketConn, error) {
	c := &PacketConn{
		inner: inner,
		wan:   n,
		site:  s,
		local: unmap(addrPort(inner.LocalAddr())),
		wake:  make(chan struct{}, 1),
		done:  make(chan struct{}),
		ended: make(chan struct{}),
	}
	if err := n.adopt(c); err != nil {
		return nil, err
	}
	if c.local.IsValid() {
		n.SetSite(c.local, s)
	}
	go c.run()
	return c, nil
}

// ReadFrom implements net.PacketConn.
func (c *PacketConn) ReadFrom(b []byte) (int, net.Addr, error) { return c.inner.ReadFrom(b) }

// ReadFromUDPAddrPort is ReadFrom without garbage where the inner conn is a
// *net.UDPConn.
func (c *PacketConn) ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error) {
	if u, ok := c.inner.(*net.UDPConn); ok {
		return u.ReadFromUDPAddrPort(b)
	}
	n, a, err := c.inner.ReadFrom(b)
	return n, addrPort(a), err
}

// WriteTo implements net.PacketConn. It never waits, and an error of a packet
// that is sent later is only counted, as it would be on the way. A packet
// beyond the MTU of a link with ICMP is EMSGSIZE.
func (c *PacketConn) WriteTo(b []byte, to net.Addr) (int, error) {
	return c.write(b, addrPort(to), to)
}

// WriteToUDPAddrPort is WriteTo without garbage where the inner conn is a
// *net.UDPConn.
func (c *PacketConn) WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error) {
	return c.write(b, to, nil)
}

// LocalAddr implements net.PacketConn.
func (c *PacketConn) LocalAddr() net.Addr { return c.inner.LocalAddr() }

// SetDeadline implements net.PacketConn.
func (c *PacketConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// SetReadDeadline implements net.PacketConn.
func (c *PacketConn) SetReadDeadline(t time.Time) error { return c.inner.SetReadDeadline(t) }

// SetWriteDeadline implements net.PacketConn. It concerns the call of
// WriteTo, not the packet's later way.
func (c *PacketConn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline = t
	return nil
}

// Close drops what is held back, closes the inner conn and returns when
// nothing runs any more.
func (c *PacketConn) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		<-c.ended
		return fmt.Errorf("close %v: %w", c.local, net.ErrClosed)
	}
	c.closed = true
	c.mu.Unlock()
	close(c.done)
	err := c.inner.Close()
	<-c.ended
	c.forget()
	if c.local.IsValid() {
		c.wan.dropSite(c.local)
	}
	c.wan.release(c)
	return err
}

func (c *PacketConn) abort() { c.Close() }

// forget takes what is still held back off its paths.
func (c *PacketConn) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range c.queue {
		k.path.passed()
	}
	c.queue, c.held = nil, 0
}

// write sends straight, holds back or drops, as the link decides.
func (c *PacketConn) write(b []byte, to netip.AddrPort, addr net.Addr) (int, error) {
	now := time.Now()
	if err := c.writable(now); err != nil {
		return 0, &net.OpError{Op: "write", Net: "udp", Source: c.LocalAddr(), Addr: addr, Err: err}
	}
	site, ok := c.wan.site(to)
	if !ok {
		return c.straight(b, to, addr)
	}
	p := c.wan.path(c.site, site)
	v, straight := p.offer(len(b)+overhead(to.Addr()), 0, now)
	c.wan.stats.note(v)
	if v.told {
		return 0, &net.OpError{Op: "write", Net: "udp", Source: c.LocalAddr(), Addr: addr, Err: os.NewSyscallError("write", unix.EMSGSIZE)}
	}
	for range v.copies {
		if !straight {
			c.hold(b, to, v.at, p)
		} else if n, err := c.straight(b, to, addr); err != nil {
			return n, err
		}
	}
	return len(b), nil
}

func (c *PacketConn) writable(now time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return net.ErrClosed
	}
	if !c.deadline.IsZero() && !now.Before(c.deadline) {
		return os.ErrDeadlineExceeded
	}
	return nil
}

// straight hands a packet to the inner conn now.
func (c *PacketConn) straight(b []byte, to netip.AddrPort, addr net.Addr) (int, error) {
	n, err := c.send(b, to, addr)
	if err == nil {
		c.wan.stats.straight.Add(1)
		c.wan.stats.bytes.Add(uint64(n))
	}
	return n, err
}

func (c *PacketConn) send(b []byte, to netip.AddrPort, addr net.Addr) (int, error) {
	if u, ok := c.inner.(*net.UDPConn); ok && to.IsValid() {
		return u.WriteToUDPAddrPort(b, to)
	}
	if addr == nil {
		addr = net.UDPAddrFromAddrPort(to)
	}
	return c.inner.WriteTo(b, addr)
}

// hold keeps a copy of a packet until it is due. The caller's net.Addr is not
// kept: he may change it after WriteTo.
func (c *PacketConn) hold(b []byte, to netip.AddrPort, at time.Time, p *path) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || c.held+len(b) > maxHeld {
		p.passed()
		c.wan.stats.full.Add(1)
		return
	}
	k := packetPool.Get().(*packet)
	k.b = append(k.b[:0], b...)
	k.to, k.at, k.number, k.path = to, at, c.number, p
	c.number++
	c.held += len(b)
	heap.Push(&c.queue, k)
	if c.queue[0] == k {
		select {
		case c.wake <- struct{}{}:
		default: // run will look anyway
		}
	}
}

// run sends each packet when it is due, until Close.
func (c *PacketConn) run() {
	defer close(c.ended)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		if next, ok := c.flush(); ok {
			timer.Reset(time.Until(next))
		} else {
			timer.Stop()
		}
		select {
		case <-timer.C:
		case <-c.wake:
		case <-c.done:
			return
		}
	}
}

// flush sends what is due and says when the next packet will be.
func (c *PacketConn) flush() (next time.Time, ok bool) {
	for {
		k, next, ok := c.due(time.Now())
		if k == nil {
			return next, ok
		}
		c.wan.stats.late.add(time.Since(k.at))
		if n, err := c.send(k.b, k.to, nil); err != nil {
			c.wan.stats.failed.Add(1)
		} else {
			c.wan.stats.sent.Add(1)
			c.wan.stats.bytes.Add(uint64(n))
		}
		k.path.passed()
		k.path = nil
		packetPool.Put(k)
	}
}

// due takes the first packet off the queue if its time has come; else it says
// when that will be.
func (c *PacketConn) due(now time.Time) (k *packet, next time.Time, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.queue) == 0 || c.closed {
		return nil, time.Time{}, false
	}
	if at := c.queue[0].at; at.After(now) {
		return nil, at, true
	}
	k = heap.Pop(&c.queue).(*packet)
	c.held -= len(k.b)
	return k, time.Time{}, false
}

// addrPort is the address of a UDP packet; an address of another kind has
// none and belongs to no site.
func addrPort(a net.Addr) netip.AddrPort {
	if u, ok := a.(*net.UDPAddr); ok {
		return u.AddrPort()
	}
	return netip.AddrPort{}
}

// overhead is what a datagram's headers take of a link: those of UDP and of
// IPv4 or IPv6 without options.
func overhead(to netip.Addr) int {
	if to.Unmap().Is4() {
		return 20 + 8
	}
	return 40 + 8
}
