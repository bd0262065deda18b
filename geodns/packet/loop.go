package packet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"
)

// pause is how long a socket that failed is left alone: whatever is short
// (memory, buffers) is not there again at once.
const pause = 20 * time.Millisecond

// Config is what a Loop is made of.
type Config struct {
	// Conn is the socket. Run takes it over and closes it: while Run runs,
	// nobody else reads from it, and other descriptors for the same socket
	// should not be in the hands of package net or os, see DESIGN.md.
	Conn *net.UDPConn
	// Handler answers messages. It is called by one thread.
	Handler func(*Batch)
	// Failed hears of calls that failed: the deed, and why. Nil hears nothing.
	Failed func(deed string, err error)
}

// Loop answers what comes to one socket.
type Loop struct{ Config }

// New checks the configuration.
func New(c Config) (*Loop, error) {
	if c.Conn == nil || c.Handler == nil {
		return nil, errors.New("packet loop: no socket, or nobody to answer")
	}
	if c.Failed == nil {
		c.Failed = func(string, error) {}
	}
	return &Loop{c}, nil
}

// Run answers until ctx ends, and then no longer reads: what it has read is
// answered, what is left in the socket stays there, for whoever has another
// descriptor for it.
func (l *Loop) Run(ctx context.Context) error {
	if err := l.run(ctx); err != nil {
		return fmt.Errorf("packet loop on %v: %w", l.Conn.LocalAddr(), err)
	}
	return nil
}
