// Package ocean is a network in memory for the tests of the edge: listeners
// to dial, and connections whose bytes take their time.
//
// A delay goes in; net.Conns come out that behave by the clock of a
// testing/synctest bubble, to the nanosecond. It loses nothing and has no
// bandwidth; packets and weather are the business of the mesh's own tests.
package ocean

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"
)

// Listener accepts what is dialled to it.
type Listener struct {
	queue chan net.Conn
	done  chan struct{}
	once  sync.Once
}

// Listen makes a Listener.
func Listen() *Listener {
	return &Listener{queue: make(chan net.Conn), done: make(chan struct{})}
}

// Accept implements net.Listener.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.queue:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener. Whoever dials from now on is refused.
func (l *Listener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

// Addr implements net.Listener.
func (l *Listener) Addr() net.Addr { return server }

var (
	server = net.TCPAddrFromAddrPort(netip.MustParseAddrPort("198.51.100.1:443"))
	client = net.TCPAddrFromAddrPort(netip.MustParseAddrPort("192.0.2.7:50000"))
)

// Dial connects to a listener that is one round trip away, and takes that
// long for it.
func Dial(ctx context.Context, l *Listener, rtt time.Duration) (net.Conn, error) {
	t := time.NewTimer(rtt)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	near, far := pipe(rtt / 2)
	select {
	case l.queue <- far:
		return near, nil
	case <-l.done:
	case <-ctx.Done():
	}
	near.Close()
	far.Close()
	return nil, errors.Join(syscall.ECONNREFUSED, ctx.Err())
}

// conn is one end of a pipe, with an address.
type conn struct {
	net.Conn
	local, remote net.Addr
}

// LocalAddr implements net.Conn.
func (c conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr implements net.Conn.
func (c conn) RemoteAddr() net.Addr { return c.remote }

// pipe joins two ends; what is written to one can be read from the other a
// delay later.
func pipe(delay time.Duration) (near, far net.Conn) {
	a, a2 := net.Pipe()
	b, b2 := net.Pipe()
	go carry(a2, b2, delay)
	go carry(b2, a2, delay)
	return conn{a, client, server}, conn{b, server, client}
}

type parcel struct {
	bytes []byte
	due   time.Time
}

// carry takes bytes from one pipe to the other until either ends.
func carry(from, to net.Conn, delay time.Duration) {
	defer from.Close()
	way := make(chan parcel, 1<<12)
	go func() {
		defer close(way)
		for {
			buf := make([]byte, 32<<10)
			n, err := from.Read(buf)
			if n > 0 {
				way <- parcel{buf[:n], time.Now().Add(delay)}
			}
			if err != nil {
				way <- parcel{due: time.Now().Add(delay)}
				return
			}
		}
	}()
	for p := range way {
		time.Sleep(time.Until(p.due))
		if p.bytes == nil {
			break
		}
		if _, err := to.Write(p.bytes); err != nil {
			break
		}
	}
	to.Close()
	from.Close()
	for range way {
		continue // let the reader go
	}
}
