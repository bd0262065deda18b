package edge

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime/debug"
	"sync"
	"time"
)

// door is how clients come in during one Run.
//
//	accept -> greet: TLS, hello -> lobby -> http.Server
//	             |
//	             +-> stream (kind tcp), hand (Config.Protocols)
type door struct {
	*Server
	requests context.Context // ends when what is under way has to
	config   *tls.Config     // one for all listeners, so that they share their tickets
	lobby    *lobby
}

// accept lets connections in until ctx ends, which closes l. port is of its
// own, or 0 for that of HTTPS.
func (d *door) accept(ctx context.Context, l net.Listener, port uint16) error {
	defer l.Close()
	defer context.AfterFunc(ctx, func() { l.Close() })()
	in := &listener{Listener: l, guests: &d.guests, errors: &d.tally.unaccepted, log: d.log}
	var pause time.Duration
	for {
		c, err := in.welcome()
		switch {
		case err == nil:
			pause = 0
			c.port = port
			d.guests.serve.Add(1)
			go d.greet(c)
		case ctx.Err() != nil:
			return nil
		case !passing(err):
			return fmt.Errorf("edge: accept on %s: %w", l.Addr(), err)
		default:
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			wait(ctx, pause)
		}
	}
}

// passing reports whether an error of Accept may be over in a moment.
func passing(err error) bool {
	e, ok := errors.AsType[interface {
		error
		Temporary() bool
	}](err)
	return ok && e.Temporary()
}

func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// greet shakes hands and leads a connection to where its hello wants to go.
// It owns the connection, unless that goes to the http.Server.
func (d *door) greet(c *conn) {
	led := false
	defer func() {
		if !led {
			c.Close()
			d.guests.serve.Done() // else guests.track does
		}
	}()
	defer d.recover(c.RemoteAddr())
	t := tls.Server(c, d.config)
	if err := c.SetDeadline(time.Now().Add(headerTimeout)); err != nil {
		return
	}
	if err := t.HandshakeContext(d.requests); err != nil {
		d.unfinished(c, err)
		return
	}
	if err := c.SetDeadline(time.Time{}); err != nil {
		return
	}
	switch {
	case c.wish.handover != nil:
		d.hand(t, c)
	case c.wish.stream != nil:
		d.stream(t, c)
	default:
		led = d.lobby.take(t)
	}
}

// unfinished ends a handshake that failed. Who speaks plain HTTP is told, as
// net/http would.
func (d *door) unfinished(c *conn, err error) {
	if r, ok := errors.AsType[tls.RecordHeaderError](err); ok && r.Conn != nil && plainHTTP(r.RecordHeader) {
		io.WriteString(r.Conn, "HTTP/1.0 400 Bad Request\r\nConnection: close\r\n\r\nThis port is for HTTPS.\n")
	}
	d.log.Debug("handshake not finished", "remote", c.RemoteAddr(), "err", err)
}

// plainHTTP knows requests by their first five octets.
func plainHTTP(b [5]byte) bool {
	switch string(b[:]) {
	case "GET /", "HEAD ", "POST ", "PUT /", "OPTIO":
		return true
	}
	return false
}

// recover keeps a bug in the handling of one connection from being more than
// that.
func (d *door) recover(remote net.Addr) {
	if p := recover(); p != nil {
		d.tally.panics.Add(1)
		d.log.Error("connection panicked", "remote", remote, "err", p, "stack", string(debug.Stack()))
	}
}

// hand gives a connection to the handler of its protocol.
func (d *door) hand(t *tls.Conn, c *conn) {
	if !d.gate.enter() {
		return
	}
	defer d.gate.leave()
	h := c.wish.handover
	h.taken.Add(1)
	d.guests.engage(c)
	defer t.Close()
	defer context.AfterFunc(d.requests, func() { c.Close() })()
	h.Serve(d.requests, t)
}

// lobby is a net.Listener of connections whose handshake is over.
type lobby struct {
	addr net.Addr
	in   chan net.Conn
	done chan struct{}
	once sync.Once
}

func newLobby(listeners []net.Listener) *lobby {
	l := &lobby{addr: new(net.TCPAddr), in: make(chan net.Conn), done: make(chan struct{})}
	if len(listeners) > 0 {
		l.addr = listeners[0].Addr()
	}
	return l
}

// take reports whether Accept has got the connection.
func (l *lobby) take(c net.Conn) bool {
	select {
	case l.in <- c:
		return true
	case <-l.done:
		return false
	}
}

// Accept implements net.Listener.
func (l *lobby) Accept() (net.Conn, error) {
	select {
	case c := <-l.in:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *lobby) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

// Addr implements net.Listener.
func (l *lobby) Addr() net.Addr { return l.addr }
