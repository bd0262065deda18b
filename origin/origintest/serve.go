package origintest

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
)

// Host is a server that is reached over pipes, so that it can live in a
// bubble where time is the test's.
type Host struct {
	conns  chan net.Conn
	done   chan struct{}
	once   sync.Once
	writes atomic.Int64
}

// Writes counts what the host has begun to write to its connections.
func (h *Host) Writes() int { return int(h.writes.Load()) }

// countedConn counts its writes.
type countedConn struct {
	net.Conn
	writes *atomic.Int64
}

// Write implements net.Conn.
func (c countedConn) Write(p []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(p)
}

// Serve serves h until the test ends; contexts of requests end with ctx.
func Serve(ctx context.Context, t testing.TB, h http.Handler) *Host {
	host := &Host{conns: make(chan net.Conn), done: make(chan struct{})}
	server := &http.Server{Handler: h, BaseContext: func(net.Listener) context.Context { return ctx }}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(host) })
	t.Cleanup(func() {
		_ = server.Close()
		serving.Wait()
	})
	return host
}

// Dial opens a connection to the host.
func (h *Host) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case h.conns <- countedConn{server, &h.writes}:
		return client, nil
	case <-h.done:
		return nil, errors.New("host is closed")
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// Client is a client of the host alone.
func (h *Host) Client(t testing.TB) *http.Client {
	transport := &http.Transport{DialContext: h.Dial}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// Accept implements net.Listener.
func (h *Host) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (h *Host) Close() error {
	h.once.Do(func() { close(h.done) })
	return nil
}

// Addr implements net.Listener.
func (h *Host) Addr() net.Addr { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "pipe" }
