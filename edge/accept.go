package edge

import (
	"container/list"
	"errors"
	"net"
	"sync"
	"time"

	"landfall/edge/forward"
)

// complainEvery is how often a listener that cannot accept says so.
const complainEvery = 10 * time.Second

// listener hands in connections that are known to guests.
type listener struct {
	net.Listener
	server   *Server
	silent   time.Time // until then it has complained enough
	failures uint64    // since it complained last
}

// Accept implements net.Listener. It has one caller, http.Server.Serve, which
// pauses after an error that may pass (too many open files).
func (l *listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			l.complain(err)
			return nil, err
		}
		if guest, ok := l.server.guests.welcome(c); ok {
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
	l.server.tally.unaccepted.Add(1)
	l.server.guests.relieve()
	l.failures++
	if now := time.Now(); now.After(l.silent) {
		l.server.cfg.Log.Warn("cannot accept connections", "node", l.server.cfg.Self, "listener", l.Addr(), "failures", l.failures, "err", err)
		l.silent, l.failures = now.Add(complainEvery), 0
	}
}

// conn is one client's connection. Each write has a limit, so that a client
// who stops reading does not hold an origin's answer for ever.
type conn struct {
	net.Conn
	guests *guests
	party  *party

	idle    *list.Element // in the party's; nil: a request is under way. Guarded by guests.mu
	cancels calm          // guarded by guests.mu

	mu    sync.Mutex // guards limit
	limit time.Time  // set by the layers above; zero: none
}

// Write implements net.Conn.
func (c *conn) Write(b []byte) (int, error) {
	c.mu.Lock()
	limit := time.Now().Add(forward.Stall)
	if !c.limit.IsZero() && c.limit.Before(limit) {
		limit = c.limit
	}
	c.Conn.SetWriteDeadline(limit)
	c.mu.Unlock()
	return c.Conn.Write(b)
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

// Close implements net.Conn.
func (c *conn) Close() error {
	c.guests.mu.Lock()
	c.guests.remove(c)
	c.guests.mu.Unlock()
	return c.Conn.Close()
}
