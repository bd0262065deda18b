package geodns

import (
	"container/list"
	"net"
	"net/netip"
	"sync"
	"time"
)

const (
	// maxConns are the TCP connections open at once.
	maxConns = 1024
	// maxShare is how many of them one client may have, that is one IPv4
	// address or one IPv6 /64: sixteen clients cannot keep out a seventeenth.
	maxShare = maxConns / 16
	// maxWeb is how many of them may be by HTTPS: each of those can hold two
	// hundred kilobytes.
	maxWeb = maxConns / 8
	// idle is how long a TCP client may think about its next query; a tenth
	// of it while half of the connections are in use (RFC 7766, 6.2.3).
	idle = 10 * time.Second
)

// conns are the TCP connections that are open. There is always room for one
// more: where a client has its share, its own longest idle connection gives
// way, where HTTPS has, the longest idle of those, and where all are taken, the
// longest idle of all (RFC 7766, 6.2.3).
type conns struct {
	mu     sync.Mutex
	order  list.List // of *tcpConn, the longest idle first
	shares map[netip.Prefix]int
	web    int  // those by HTTPS
	parted bool // those that there are, end; see part
	closed bool
}

// tcpConn is a connection and who holds it.
type tcpConn struct {
	net.Conn
	client netip.AddrPort
	source netip.Prefix
	web    bool          // by HTTPS
	place  *list.Element // in the order; nil once it is out
	asked  bool          // something has been asked by it
	parts  bool          // ends when it cannot be read any more; see part
}

// add takes a connection in, and tells whether another gave way to it. It is
// nil when it is too late for connections.
func (c *conns) add(conn net.Conn, via transport) (added *tcpConn, gaveWay bool) {
	t := &tcpConn{Conn: conn, client: clientOf(conn), web: via == viaHTTPS}
	t.source = network(t.client.Addr(), 32, 64)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, false
	}
	if c.shares == nil {
		c.shares = map[netip.Prefix]int{}
	}
	switch {
	case c.shares[t.source] >= maxShare:
		gaveWay = true
		c.evict(func(other *tcpConn) bool { return other.source == t.source })
	case t.web && c.web >= maxWeb:
		gaveWay = true
		c.evict(func(other *tcpConn) bool { return other.web })
	case c.order.Len() >= maxConns:
		gaveWay = true
		c.evict(func(*tcpConn) bool { return true })
	}
	t.place = c.order.PushBack(t)
	c.shares[t.source]++
	if t.web {
		c.web++
	}
	return t, gaveWay
}

// evict closes the longest idle connection that fits. The lock is held.
func (c *conns) evict(fits func(*tcpConn) bool) {
	for e := c.order.Front(); e != nil; e = e.Next() {
		if t := e.Value.(*tcpConn); fits(t) {
			c.drop(t)
			return
		}
	}
}

// asked notes that a connection is in use.
func (c *conns) asked(t *tcpConn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t.asked = true
	if t.place != nil {
		c.order.MoveToBack(t.place)
	}
}

// remove closes a connection, if nobody has.
func (c *conns) remove(t *tcpConn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drop(t)
}

func (c *conns) drop(t *tcpConn) {
	if t.place == nil {
		return
	}
	c.order.Remove(t.place)
	t.place = nil
	if t.web {
		c.web--
	}
	if c.shares[t.source]--; c.shares[t.source] == 0 {
		delete(c.shares, t.source)
	}
	t.Close()
}

// close closes all connections for good.
func (c *conns) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for e := c.order.Front(); e != nil; e = e.Next() {
		e.Value.(*tcpConn).Close()
	}
}

func (c *conns) open() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.order.Len()
}

func (c *conns) patience() time.Duration {
	if c.open() > maxConns/2 {
		return idle / 10
	}
	return idle
}

func clientOf(conn net.Conn) netip.AddrPort {
	if a, ok := conn.RemoteAddr().(*net.TCPAddr); ok {
		return unmap(a.AddrPort())
	}
	return netip.AddrPort{}
}

// unmap makes an IPv4 client of an IPv6 socket an IPv4 client.
func unmap(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// network is the part of an address that stands for one client.
func network(a netip.Addr, v4, v6 int) netip.Prefix {
	bits := v6
	if a.Is4() {
		bits = v4
	}
	p, _ := a.WithZone("").Prefix(bits) // of the zero Addr: no prefix, as good as any
	return p
}
