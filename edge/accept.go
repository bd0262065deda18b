package edge

import (
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"landfall/edge/forward"
)

// guests are the connections that clients have open. They are kept by their
// lowest layer, which can be cut without saying goodbye first.
type guests struct {
	total atomic.Uint64
	serve sync.WaitGroup // net/http's goroutines, one for each connection

	mu    sync.Mutex // guards conns
	conns map[*conn]struct{}
}

// listener hands in connections that are known to guests.
type listener struct {
	net.Listener
	guests *guests
}

// Accept implements net.Listener.
func (l listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return l.guests.welcome(c), nil
}

func (g *guests) welcome(c net.Conn) *conn {
	g.total.Add(1)
	guest := &conn{Conn: c, guests: g}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.conns[guest] = struct{}{}
	return guest
}

// cut closes every connection at once.
func (g *guests) cut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for c := range g.conns {
		c.Conn.Close()
	}
}

func (g *guests) open() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.conns)
}

// track is the http.Server's ConnState. An upgraded connection is waited for
// through the handler that took it.
func (g *guests) track(_ net.Conn, s http.ConnState) {
	switch s {
	case http.StateNew:
		g.serve.Add(1)
	case http.StateClosed, http.StateHijacked:
		g.serve.Done()
	}
}

// conn is one client's connection. Each write has a limit, so that a client
// who stops reading does not hold an origin's answer for ever.
type conn struct {
	net.Conn
	guests *guests

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
	delete(c.guests.conns, c)
	c.guests.mu.Unlock()
	return c.Conn.Close()
}
