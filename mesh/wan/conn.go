package wan

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// linger is how long a closed conn goes on delivering what was written.
const linger = 10 * time.Second

// Conn is a stream whose other end is far away. It keeps what net.Conn
// promises; CloseWrite works where the inner conn has it. After Close the
// peer still receives what was written, as with TCP, for up to ten seconds
// beyond the link's delay.
type Conn struct {
	inner net.Conn
	wan   *Network
	out   *line
	in    *line

	reading  *deadline
	writing  *deadline
	readTurn chan struct{} // held by the one Read under way
	sendTurn chan struct{} // held by the one Write under way

	closed chan struct{} // closed by Close: the owner is gone
	dead   chan struct{} // closed when nothing shall move any more
	work   sync.WaitGroup
	once   sync.Once
	kill   sync.Once

	lingering *time.Timer // stops the conn when Close took too long; runs from Close on

	rest []byte // arrived but not yet read; belongs to readTurn
	over error  // what the stream ended with; belongs to readTurn

	mu     sync.Mutex
	broken error // why nothing can be written any more
}

// newConn takes over inner; its two goroutines end after Close or abort.
func newConn(n *Network, inner net.Conn, out, in *path, window int) (*Conn, error) {
	c := &Conn{
		inner:    inner,
		wan:      n,
		out:      newLine(out, window, &n.stats.late),
		in:       newLine(in, window, &n.stats.late),
		reading:  newDeadline(),
		writing:  newDeadline(),
		readTurn: make(chan struct{}, 1),
		sendTurn: make(chan struct{}, 1),
		closed:   make(chan struct{}),
		dead:     make(chan struct{}),
	}
	c.lingering = time.AfterFunc(time.Hour, c.stop)
	c.lingering.Stop()
	if err := n.adopt(c); err != nil {
		return nil, err
	}
	n.stats.streams.Add(1)
	c.work.Go(c.deliver)
	c.work.Go(c.collect)
	return c, nil
}

// Read implements net.Conn.
func (c *Conn) Read(b []byte) (int, error) {
	s := stops{c.reading.wait(), c.closed}
	if err := turn(c.readTurn, s); err != nil {
		return 0, c.fault("read", err)
	}
	defer func() { <-c.readTurn }()
	if len(b) == 0 {
		return 0, nil
	}
	for len(c.rest) == 0 && c.over == nil {
		k, err := c.in.next(s)
		if err != nil {
			return 0, c.fault("read", err)
		}
		c.rest, c.over = k.b, k.end
	}
	if len(c.rest) == 0 {
		return 0, c.fault("read", c.over)
	}
	n := copy(b, c.rest)
	if c.rest = c.rest[n:]; len(c.rest) == 0 {
		c.rest = nil
	}
	return n, nil
}

// Write implements net.Conn. It waits only when a window of bytes is under
// way already.
func (c *Conn) Write(b []byte) (int, error) {
	s := stops{c.writing.wait(), c.closed}
	if err := turn(c.sendTurn, s); err != nil {
		return 0, c.fault("write", err)
	}
	defer func() { <-c.sendTurn }()
	if err := c.writeErr(); err != nil {
		return 0, c.fault("write", err)
	}
	n, err := c.out.send(b, s)
	if err != nil {
		err = c.fault("write", err)
	}
	return n, err
}

// CloseWrite ends our half of the stream behind all that was written.
func (c *Conn) CloseWrite() error {
	if _, ok := c.inner.(interface{ CloseWrite() error }); !ok {
		return c.fault("close write", fmt.Errorf("%T: %w", c.inner, errors.ErrUnsupported))
	}
	if err := turn(c.sendTurn, stops{c.writing.wait(), c.closed}); err != nil {
		return c.fault("close write", err)
	}
	defer func() { <-c.sendTurn }()
	if c.breakOff(net.ErrClosed) {
		c.out.finish(io.EOF)
	}
	return nil
}

// Close implements net.Conn.
func (c *Conn) Close() error {
	c.once.Do(func() {
		close(c.closed)
		c.reading.move(time.Time{})
		c.writing.move(time.Time{})
		c.inner.SetReadDeadline(time.Unix(1, 0)) // wakes collect
		l, _, _ := c.out.path.state(time.Now())
		c.lingering.Reset(linger + l.Delay + l.Jitter)
		c.out.finish(net.ErrClosed)
	})
	return nil
}

// abort ends the conn without delivering anything more, and waits for it.
func (c *Conn) abort() {
	c.Close()
	c.stop()
	c.work.Wait()
}

// stop takes the inner conn away from whoever uses it.
func (c *Conn) stop() {
	c.kill.Do(func() {
		close(c.dead)
		c.inner.Close()
	})
}

// deliver hands what we wrote to the inner conn when it has arrived there.
func (c *Conn) deliver() {
	defer c.wan.release(c)
	defer c.stop()
	defer c.lingering.Stop()
	for {
		k, err := c.out.next(stops{closed: c.dead})
		switch {
		case err != nil, errors.Is(k.end, net.ErrClosed):
			return
		case k.end != nil:
			err = c.inner.(interface{ CloseWrite() error }).CloseWrite()
		default:
			_, err = c.inner.Write(k.b)
		}
		if err != nil {
			c.breakOff(err)
		}
	}
}

// collect takes what the peer wrote off the inner conn.
func (c *Conn) collect() {
	b := make([]byte, maxChunk)
	for {
		n, err := c.inner.Read(b)
		if _, stop := c.in.send(b[:n], stops{closed: c.closed}); stop != nil {
			return
		}
		if err != nil {
			c.in.finish(err)
			return
		}
	}
}

// breakOff makes writes fail from now on; it reports whether they did not yet.
func (c *Conn) breakOff(err error) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.broken != nil {
		return false
	}
	c.broken = err
	return true
}

func (c *Conn) writeErr() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.broken
}

// LocalAddr implements net.Conn.
func (c *Conn) LocalAddr() net.Addr { return c.inner.LocalAddr() }

// RemoteAddr implements net.Conn.
func (c *Conn) RemoteAddr() net.Addr { return c.inner.RemoteAddr() }

// SetDeadline implements net.Conn.
func (c *Conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// SetReadDeadline implements net.Conn.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.setDeadline(c.reading, t) }

// SetWriteDeadline implements net.Conn.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.setDeadline(c.writing, t) }

func (c *Conn) setDeadline(d *deadline, t time.Time) error {
	select {
	case <-c.closed:
		return c.fault("set deadline", net.ErrClosed)
	default:
		d.move(t)
		return nil
	}
}

// fault is an error as the net package would word it.
func (c *Conn) fault(op string, err error) error {
	if err == io.EOF {
		return err
	}
	if o, ok := errors.AsType[*net.OpError](err); ok {
		return o
	}
	return &net.OpError{Op: op, Net: "wan", Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: err}
}

// turn waits for the right to read or to write; whoever holds it watches the
// same stops.
func turn(t chan struct{}, s stops) error {
	if err := s.err(); err != nil {
		return err
	}
	select {
	case t <- struct{}{}:
		return nil
	case <-s.deadline:
	case <-s.closed:
	}
	return s.err()
}
