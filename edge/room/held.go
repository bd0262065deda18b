package room

import (
	"net"
	"sync"
)

// Held is a connection that gives its place back when it is closed.
type Held struct {
	net.Conn
	give func()
}

// Hold makes a connection call give when it is closed, once.
func Hold(c net.Conn, give func()) *Held { return &Held{c, sync.OnceFunc(give)} }

// Close implements net.Conn.
func (h *Held) Close() error {
	defer h.give()
	return h.Conn.Close()
}

// CloseWrite is that of the connection below; one that has none is closed.
func (h *Held) CloseWrite() error {
	if below, ok := h.Conn.(interface{ CloseWrite() error }); ok {
		return below.CloseWrite()
	}
	return h.Close()
}

// SetLinger is that of the connection below, if it has one.
func (h *Held) SetLinger(sec int) error {
	if below, ok := h.Conn.(interface{ SetLinger(int) error }); ok {
		return below.SetLinger(sec)
	}
	return nil
}
