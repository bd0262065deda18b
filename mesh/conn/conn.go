package conn

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"landfall"
)

// maxBuffered is how much of what arrived waits to be read.
const maxBuffered = 64 << 10

// Network is what Addr.Network and net.OpError call the mesh.
const Network = "mesh"

// Conn is one stream as a net.Conn. It is made by Open.
type Conn struct {
	stream        landfall.Stream
	local, remote net.Addr
	writing       sync.Mutex // held by the one Write at work; taken before mu

	mu       sync.Mutex
	readable sync.Cond
	writable sync.Cond
	read     deadline
	write    deadline
	buf      []byte // arrived; buf[done:] is not yet read
	done     int
	stalled  bool // the stream waits for Resume
	room     bool // the stream has taken all so far, or said Writable
	eof      bool
	shut     bool // CloseWrite was called
	closed   bool // Close was called
	abrupt   bool // Close is to reset
	over     bool // the stream is, err says why
	err      error
}

// An Opener opens the stream of a connection for its sink, and tells what
// LocalAddr and RemoteAddr are to say.
type Opener func(landfall.Sink) (s landfall.Stream, local, remote net.Addr, err error)

// Open makes a connection of the stream that open returns.
func Open(open Opener) (*Conn, error) {
	c := &Conn{room: true}
	c.readable.L, c.writable.L = &c.mu, &c.mu
	c.read.waiting, c.write.waiting = &c.readable, &c.writable
	var err error
	if c.stream, c.local, c.remote, err = open((*sink)(c)); err != nil {
		return nil, err
	}
	return c, nil
}

// Read implements net.Conn.
func (c *Conn) Read(b []byte) (int, error) {
	n, resume, err := c.take(b)
	if resume {
		c.stream.Resume()
	}
	if err != nil && err != io.EOF {
		err = c.opError("read", err)
	}
	return n, err
}

func (c *Conn) take(b []byte) (n int, resume bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		switch {
		case c.closed:
			return 0, false, net.ErrClosed
		case c.read.passed():
			return 0, false, os.ErrDeadlineExceeded
		case len(b) == 0:
			return 0, false, nil
		case c.done < len(c.buf):
			n = copy(b, c.buf[c.done:])
			c.done += n
			resume = c.stalled && len(c.buf)-c.done <= maxBuffered/2
			c.stalled = c.stalled && !resume
			return n, resume, nil
		case c.eof:
			return 0, false, io.EOF
		case c.over:
			return 0, false, c.reason()
		}
		c.readable.Wait()
	}
}

// Write implements net.Conn.
func (c *Conn) Write(b []byte) (n int, err error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	for {
		if err := c.mayWrite(len(b) > 0); err != nil {
			return n, c.opError("write", err)
		}
		k, err := c.push(b[n:])
		if n += k; err != nil {
			return n, c.opError("write", err)
		}
		if n == len(b) {
			return n, nil
		}
	}
}

// push hands the stream what it takes at once.
func (c *Conn) push(b []byte) (int, error) {
	c.mu.Lock()
	c.room = false // before the attempt, so that no Writable is missed
	c.mu.Unlock()
	n, err := c.stream.Write(b)
	if n == len(b) && err == nil {
		(*sink)(c).Writable()
	}
	return n, err
}

// mayWrite waits until the stream has room; it tells why nothing may be
// written any more.
func (c *Conn) mayWrite(wait bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		switch {
		case c.closed || c.shut:
			return net.ErrClosed
		case c.write.passed():
			return os.ErrDeadlineExceeded
		case c.over:
			return c.reason()
		case c.room || !wait:
			return nil
		}
		c.writable.Wait()
	}
}

func (c *Conn) reason() error {
	if c.err != nil {
		return c.err
	}
	return io.ErrClosedPipe
}

// CloseWrite ends our half; the peer reads to the end of what was written.
func (c *Conn) CloseWrite() error {
	c.mu.Lock()
	c.shut = true
	c.writable.Broadcast()
	c.mu.Unlock()
	return c.stream.CloseWrite()
}

// SetLinger is that of net.TCPConn, for a sec of 0: Close then drops what was
// not delivered yet, and the peer is told that the stream broke. With any
// other sec Close goes on delivering.
func (c *Conn) SetLinger(sec int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return c.opError("set linger", net.ErrClosed)
	}
	c.abrupt = sec == 0
	return nil
}

// Close implements net.Conn. What was written before is still delivered,
// unless SetLinger says otherwise.
func (c *Conn) Close() error {
	c.mu.Lock()
	again, abrupt := c.closed, c.abrupt
	c.closed = true
	c.buf = nil
	c.read.set(time.Time{})
	c.write.set(time.Time{})
	c.mu.Unlock()
	if again {
		return c.opError("close", net.ErrClosed)
	}
	if s, can := c.stream.(interface{ Abort(why error) }); can && abrupt {
		s.Abort(net.ErrClosed)
		return nil
	}
	return c.stream.Close()
}

// LocalAddr implements net.Conn.
func (c *Conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr implements net.Conn.
func (c *Conn) RemoteAddr() net.Addr { return c.remote }

// SetDeadline implements net.Conn.
func (c *Conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// SetReadDeadline implements net.Conn.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.setDeadline(&c.read, t) }

// SetWriteDeadline implements net.Conn.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.setDeadline(&c.write, t) }

func (c *Conn) setDeadline(d *deadline, t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return c.opError("set deadline", net.ErrClosed)
	}
	d.set(t)
	return nil
}

func (c *Conn) opError(op string, err error) error {
	return &net.OpError{Op: op, Net: Network, Source: c.local, Addr: c.remote, Err: err}
}
