package tunnel

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// How long a stream may be silent both ways. Pools of database clients rest
// for hours, and TCP's keepalive finds out who is gone long before: eight
// hours are what MySQL itself gives its clients. Who has said all is answered
// sooner.
const (
	Idle     = 8 * time.Hour
	HalfIdle = 15 * time.Minute // once one half has ended
)

// ErrIdle ends a stream on which nothing has moved for Idle, or HalfIdle.
var ErrIdle = errors.New("nothing has moved on the stream for too long")

// Broken says which side of a splice did not end in order.
type Broken struct {
	Near bool // the client's side; false: the upstream's
	Err  error
}

// Error implements error.
func (b *Broken) Error() string {
	if b.Near {
		return fmt.Sprintf("client's side: %v", b.Err)
	}
	return fmt.Sprintf("upstream's side: %v", b.Err)
}

// Unwrap gives the cause.
func (b *Broken) Unwrap() error { return b.Err }

// Traffic counts octets as they pass.
type Traffic struct{ Up, Down atomic.Uint64 }

// splice is two connections whose bytes cross over.
type splice struct {
	near, far net.Conn
	moved     func(up bool)
	idle      *time.Timer

	mu    sync.Mutex // guards what follows
	err   error      // the first
	ended int        // halves that have, in order; after the second nothing can fail
}

// Splice carries what near sends to far and what far sends to near until both
// have ended in order, which returns nil, or one has broken, or ctx ends,
// whose cause is then returned. It closes both; unless all ended in order, by
// a reset where the connection has SetLinger, and without TLS's close_notify.
// moved, unless it is nil, is called for whatever arrives, up from near or
// down from far; it may be called twice at once.
func Splice(ctx context.Context, near, far net.Conn, traffic *Traffic, moved func(up bool)) error {
	if moved == nil {
		moved = func(bool) {}
	}
	s := &splice{near: near, far: far, moved: moved}
	s.idle = time.AfterFunc(Idle, func() { s.fail(ErrIdle) })
	defer s.idle.Stop()
	stop := context.AfterFunc(ctx, func() { s.fail(context.Cause(ctx)) })
	defer stop()
	var up sync.WaitGroup
	up.Go(func() { s.carry(far, near, &traffic.Up) })
	s.carry(near, far, &traffic.Down)
	up.Wait()
	near.Close()
	far.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// carry takes bytes one way until their source ends.
func (s *splice) carry(to, from net.Conn, count *atomic.Uint64) {
	buf := make([]byte, 16<<10) // a record of TLS
	for {
		n, err := from.Read(buf)
		if n > 0 {
			s.stir()
			s.moved(from == s.near)
			if _, err := to.Write(buf[:n]); err != nil {
				s.fail(&Broken{to == s.near, err})
				return
			}
			s.stir()
			count.Add(uint64(n))
		}
		if err == io.EOF {
			if err := s.shut(to); err != nil {
				s.fail(&Broken{to == s.near, err})
			}
			return
		}
		if err != nil {
			s.fail(&Broken{from == s.near, err})
			return
		}
	}
}

// stir begins the idle time anew.
func (s *splice) stir() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.idle.Reset(s.patience())
	}
}

func (s *splice) patience() time.Duration {
	if s.ended > 0 {
		return HalfIdle
	}
	return Idle
}

// shut passes on that one half has ended. A connection that cannot end its
// halves apart ends as a whole.
func (s *splice) shut(to net.Conn) error {
	h, apart := to.(interface{ CloseWrite() error })
	s.mu.Lock()
	s.ended++
	if !apart {
		s.ended = 2
	}
	s.mu.Unlock()
	s.stir()
	if apart {
		return h.CloseWrite()
	}
	s.near.Close()
	s.far.Close()
	return nil
}

// fail ends both connections for a reason; the first counts.
func (s *splice) fail(why error) {
	s.mu.Lock()
	first := s.err == nil && s.ended < 2
	if first {
		s.err = why
	}
	s.mu.Unlock()
	if first {
		Abort(s.near)
		Abort(s.far)
	}
}

// Abort closes a connection so that its peer cannot take that for an end in
// order: with a reset, where there is SetLinger (net.TCPConn), and without the
// close_notify of TLS (RFC 8446, 6.1).
func Abort(c net.Conn) {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	if l, ok := c.(interface{ SetLinger(sec int) error }); ok {
		_ = l.SetLinger(0) // of a connection that is closed already: all is well
	}
	c.Close()
}
