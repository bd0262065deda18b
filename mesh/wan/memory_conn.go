package wan

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// inboxSize is how many bytes wait for a MemoryConn's reader; what comes on
// top is dropped.
const inboxSize = 8 << 20

// MemoryConn is a net.PacketConn of a Memory. Besides, it sees and sets the
// TOS byte of IP. A datagram beyond the MTU of a link with ICMP is refused
// with EMSGSIZE at once, as on a host that has heard of it.
type MemoryConn struct {
	memory *Memory
	site   Site
	at     netip.AddrPort

	mu       sync.Mutex
	news     sync.Cond
	inbox    []*parcel
	waiting  int // bytes in inbox
	reading  time.Time
	writing  time.Time
	deadline *time.Timer // wakes readers
	closed   bool
}

// ReadMarked reads a datagram and the TOS byte that it came with.
func (c *MemoryConn) ReadMarked(b []byte) (n int, from netip.AddrPort, tos uint8, err error) {
	k, err := c.next()
	if err != nil {
		return 0, netip.AddrPort{}, 0, &net.OpError{Op: "read", Net: "udp", Source: c.LocalAddr(), Err: err}
	}
	n, from, tos = copy(b, k.b), k.src, k.tos
	parcelPool.Put(k)
	return n, from, tos, nil
}

// ReadFromUDPAddrPort reads a datagram.
func (c *MemoryConn) ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error) {
	n, from, _, err := c.ReadMarked(b)
	return n, from, err
}

// ReadFrom implements net.PacketConn.
func (c *MemoryConn) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, _, err := c.ReadMarked(b)
	if err != nil {
		return 0, nil, err
	}
	return n, net.UDPAddrFromAddrPort(from), nil
}

// WriteMarked sends a datagram under a TOS byte: DSCP and ECN.
func (c *MemoryConn) WriteMarked(b []byte, to netip.AddrPort, tos uint8) (int, error) {
	to = unmap(to)
	now := time.Now()
	if err := c.writable(b, to, now); err != nil {
		return 0, &net.OpError{Op: "write", Net: "udp", Source: c.LocalAddr(), Addr: net.UDPAddrFromAddrPort(to), Err: err}
	}
	c.memory.send(c.site, c.at, to, tos, b)
	return len(b), nil
}

// WriteToUDPAddrPort sends a datagram.
func (c *MemoryConn) WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error) {
	return c.WriteMarked(b, to, 0)
}

// WriteTo implements net.PacketConn. It never waits.
func (c *MemoryConn) WriteTo(b []byte, to net.Addr) (int, error) {
	u, ok := to.(*net.UDPAddr)
	if !ok {
		return 0, fmt.Errorf("write to %v: not a UDP address", to)
	}
	return c.WriteMarked(b, u.AddrPort(), 0)
}

// LocalAddr implements net.PacketConn.
func (c *MemoryConn) LocalAddr() net.Addr { return net.UDPAddrFromAddrPort(c.at) }

// Close implements net.PacketConn; the address is free again.
func (c *MemoryConn) Close() error {
	m := c.memory
	m.mu.Lock()
	if m.conns[c.at] == c {
		delete(m.conns, c.at)
		m.wan.dropSite(c.at)
	}
	m.mu.Unlock()
	if !c.end() {
		return fmt.Errorf("close %v: %w", c.at, net.ErrClosed)
	}
	return nil
}

// SetDeadline implements net.PacketConn.
func (c *MemoryConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// SetWriteDeadline implements net.PacketConn.
func (c *MemoryConn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writing = t
	return nil
}

// SetReadDeadline implements net.PacketConn.
func (c *MemoryConn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.deadline != nil {
		c.deadline.Stop()
		c.deadline = nil
	}
	c.reading = t
	if left := time.Until(t); !t.IsZero() && left > 0 && !c.closed {
		c.deadline = time.AfterFunc(left, c.look)
	}
	c.news.Broadcast()
	return nil
}

// look has the readers look at the time.
func (c *MemoryConn) look() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.news.Broadcast()
}

// next waits for a datagram.
func (c *MemoryConn) next() (*parcel, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		switch {
		case c.closed:
			return nil, net.ErrClosed
		case passed(c.reading, time.Now()):
			return nil, os.ErrDeadlineExceeded
		case len(c.inbox) > 0:
			k := c.inbox[0]
			c.inbox[0] = nil
			c.inbox = c.inbox[1:]
			c.waiting -= len(k.b)
			return k, nil
		}
		c.news.Wait()
	}
}

// put gives a datagram to whoever reads next, if there is room.
func (c *MemoryConn) put(k *parcel) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || c.waiting+len(k.b) > inboxSize {
		return false
	}
	c.inbox = append(c.inbox, k)
	c.waiting += len(k.b)
	c.news.Signal()
	return true
}

// writable says why a datagram cannot be sent, if it cannot.
func (c *MemoryConn) writable(b []byte, to netip.AddrPort, now time.Time) error {
	c.mu.Lock()
	closed, late := c.closed, passed(c.writing, now)
	c.mu.Unlock()
	switch {
	case closed:
		return net.ErrClosed
	case late:
		return os.ErrDeadlineExceeded
	}
	size := len(b) + overhead(to.Addr())
	if site, ok := c.memory.wan.site(to); size >= maxPacket || ok && c.memory.wan.path(c.site, site).refuses(size, now) {
		c.memory.wan.stats.tooBig.Add(1)
		return os.NewSyscallError("sendto", unix.EMSGSIZE)
	}
	return nil
}

// end wakes everybody for the last time; it reports whether they were told
// for the first time.
func (c *MemoryConn) end() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.closed, c.inbox, c.waiting = true, nil, 0
	if c.deadline != nil {
		c.deadline.Stop()
	}
	c.news.Broadcast()
	return true
}

func passed(deadline, now time.Time) bool { return !deadline.IsZero() && !now.Before(deadline) }
