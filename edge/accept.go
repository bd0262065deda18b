package edge

import (
	"container/list"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"landfall/edge/forward"
	"landfall/edge/route"
)

// complainEvery is how often a listener that cannot accept says so.
const complainEvery = 10 * time.Second

// listener hands in connections that are known to guests.
type listener struct {
	net.Listener
	guests   *guests
	errors   *atomic.Uint64 // counts those of all listeners
	log      *slog.Logger
	silent   time.Time // until then it has complained enough
	failures uint64    // since it complained last
}

// Accept implements net.Listener. It has one caller, who pauses after an
// error that may pass (too many open files).
func (l *listener) Accept() (net.Conn, error) {
	guest, err := l.welcome()
	if err != nil {
		return nil, err
	}
	return guest, nil
}

func (l *listener) welcome() (*conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			l.complain(err)
			return nil, err
		}
		if guest, ok := l.guests.welcome(c); ok {
			return guest, nil
		}
		c.Close()
	}
}

// complain counts, makes room, and tells the operator now and then.
func (l *listener) complain(err error) {
	if errors.Is(err, net.ErrClosed) {
		return
	}
	l.errors.Add(1)
	l.guests.relieve()
	l.failures++
	if now := time.Now(); now.After(l.silent) {
		l.log.Warn("cannot accept connections", "listener", l.Addr(), "failures", l.failures, "err", err)
		l.silent, l.failures = now.Add(complainEvery), 0
	}
}

// conn is one client's connection. Each write has a limit, so that a client
// who stops reading does not hold an origin's answer for ever.
type conn struct {
	net.Conn
	guests *guests
	party  *party
	port   uint16 // of its own that it came in by; 0: that of HTTPS
	wish   errand // set by its hello, before anybody else looks

	idle    *list.Element // in the party's; nil: a request is under way. Guarded by guests.mu
	stream  bool          // of a service of kind tcp; guarded by guests.mu
	cancels calm          // guarded by guests.mu

	mu    sync.Mutex    // guards what follows
	limit time.Time     // set by the layers above; zero: none
	stall time.Duration // for each write; 0: forward.Stall
}

// errand is what a hello has asked for, if that is not HTTP.
type errand struct {
	handover *handover
	stream   *route.Route
}

// Write implements net.Conn.
func (c *conn) Write(b []byte) (int, error) {
	c.mu.Lock()
	stall := c.stall
	if stall == 0 {
		stall = forward.Stall
	}
	limit := time.Now().Add(stall)
	if !c.limit.IsZero() && c.limit.Before(limit) {
		limit = c.limit
	}
	c.Conn.SetWriteDeadline(limit)
	c.mu.Unlock()
	return c.Conn.Write(b)
}

// endure sets how long each write may take from now on.
func (c *conn) endure(stall time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stall = stall
}

// SetWriteDeadline implements net.Conn.
func (c *conn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.limit = t
	return c.Conn.SetWriteDeadline(t)
}

// SetDeadline implements net.Conn.
func (c *conn) SetDeadline(t time.Time) error {
	if err := c.SetWriteDeadline(t); err != nil {
		return err
	}
	return c.SetReadDeadline(t)
}

// SetLinger is that of net.TCPConn, if the connection below is one.
func (c *conn) SetLinger(sec int) error {
	if l, ok := c.Conn.(interface{ SetLinger(int) error }); ok {
		return l.SetLinger(sec)
	}
	return nil
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.guests.mu.Lock()
	c.guests.remove(c)
	c.guests.mu.Unlock()
	return c.Conn.Close()
}
