package warm

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"

	"landfall"
	"landfall/mesh/front"
)

const (
	// maxFirst is what a connection without anything under way takes at once,
	// whatever its buffers.
	maxFirst = 16 << 10
	// maxKept is how much of what was written is kept until the stream is
	// taken: with more it cannot be begun again.
	maxKept = 64<<10 - 1
)

// Open opens a stream to a service on a node and sends the first bytes: at
// once if a connection stands ready, else when the node has accepted one.
// Errors are those of Config.Open. What the sink is told and what it may do is
// as with a front.
func (p *Pool) Open(ctx context.Context, t landfall.Target, first []byte, sink landfall.Sink) (Stream, error) {
	if len(first) < maxFirst {
		if o := p.openWarm(t, first, sink); o != nil {
			return o, nil
		}
	}
	s, err := p.cfg.Open(ctx, t, goBytes(t.Class, first), nil)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	p.count.Cold++
	p.mu.Unlock()
	s.Start(&cold{stream: s, user: sink})
	n := &noted{Stream: s, pool: p, use: Use{t.Node, t.Service, t.Class}}
	n.note(len(first))
	return n, nil
}

// noted is a stream on a connection of its own. Only what is sent counts as
// use: streams are opened in advance, too.
type noted struct {
	Stream
	pool *Pool
	use  Use
	sent atomic.Bool
}

func (n *noted) note(bytes int) {
	if bytes > 0 && !n.sent.Swap(true) {
		n.pool.sent(n.use)
	}
}

// Write implements landfall.Stream.
func (n *noted) Write(b []byte) (int, error) {
	n.note(len(b))
	return n.Stream.Write(b)
}

// openWarm uses a spare that takes the first bytes.
func (p *Pool) openWarm(t landfall.Target, first []byte, sink landfall.Sink) *opened {
	for {
		o := &opened{pool: p, target: t, user: sink, kept: goBytes(t.Class, first), sent: len(first) > 0}
		a := &attempt{opened: o}
		s := p.take(Use{t.Node, t.Service, t.Class}, a)
		if s == nil {
			return nil
		}
		if !o.begin(a) {
			continue
		}
		p.mu.Lock()
		p.count.Warm++
		p.mu.Unlock()
		s.stream.Start(a)
		if len(first) > 0 {
			p.sent(s.shelf.use)
		}
		return o
	}
}

// begin writes the first bytes. If it fails nobody has seen them, and the
// stream is on no connection.
func (o *opened) begin(a *attempt) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.now != a {
		return true // the spare has ended meanwhile, and the stream moved
	}
	n, err := a.stream.Write(o.kept)
	if n < len(o.kept) {
		a.stream.Abort(cmp.Or(err, io.ErrShortWrite))
	}
	if n == 0 {
		o.now, o.kept = nil, nil
	}
	return n > 0
}

// cold is the sink of a new connection until the stream is taken.
type cold struct {
	stream front.Stream
	user   landfall.Sink
}

// Data implements landfall.Sink.
func (c *cold) Data(b []byte) int {
	if b[0] != taken {
		c.stream.Abort(errPreamble)
		return len(b)
	}
	c.stream.Start(c.user)
	return 1
}

// EOF implements landfall.Sink: who has not taken it must not end it.
func (c *cold) EOF() { c.stream.Abort(syscall.ECONNRESET) }

// Writable implements landfall.Sink.
func (c *cold) Writable() { c.user.Writable() }

// Closed implements landfall.Sink.
func (c *cold) Closed(err error) { c.user.Closed(err) }

// opened is a stream on what was a spare. Until the peer has taken it, it can
// move to a new connection, once.
type opened struct {
	pool    *Pool
	target  landfall.Target
	user    landfall.Sink
	telling sync.Mutex // held while the user is told something; taken before mu

	mu    sync.Mutex
	now   *attempt // nil while it moves
	sent  bool     // something was written, which the pool knows
	kept  []byte   // what was written; nil once it is taken or cannot move
	wants bool     // a Write was cut short while it moved
	shut  bool
	close bool
	abort error
	last  [2]netip.AddrPort // addresses of the attempt before
}

// attempt is a connection that the stream is on, and the sink of that.
type attempt struct {
	opened *opened
	stream front.Stream
}

// Write implements landfall.Stream.
func (o *opened) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.sent && len(b) > 0 {
		o.sent = true
		o.pool.sent(Use{o.target.Node, o.target.Service, o.target.Class})
	}
	switch {
	case o.close || o.shut:
		return 0, net.ErrClosed
	case o.abort != nil:
		return 0, o.abort
	case o.now == nil:
		o.wants = true
		return 0, nil
	}
	n, err := o.now.stream.Write(b)
	if o.kept == nil {
		return n, err
	}
	if len(o.kept)+n > maxKept {
		o.kept = nil
		return n, err
	}
	o.kept = append(o.kept, b[:n]...)
	if err != nil { // it may be taken, and we have not heard yet: the end will tell
		o.wants, err = true, nil
	}
	return n, err
}

// move leaves a connection that the peer has ended for a new one, if the peer
// has not taken it. For other reasons none is left: the peer may have taken
// it, with nobody to tell us.
func (o *opened) move(err error) bool {
	if o.kept == nil || o.close || o.abort != nil || !errors.Is(err, syscall.ECONNRESET) {
		return false
	}
	old, t, first := o.now.stream, o.target, o.kept
	if !o.pool.spawn(func(ctx context.Context) { o.again(ctx, t, first) }) {
		return false
	}
	o.last = [2]netip.AddrPort{old.Local(), old.Remote()}
	o.now, o.kept = nil, nil
	old.Abort(syscall.ECONNRESET)
	return true
}

// again opens a new connection and goes on there.
func (o *opened) again(ctx context.Context, t landfall.Target, first []byte) {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	s, err := o.pool.cfg.Open(ctx, t, first, nil)
	o.pool.mu.Lock()
	o.pool.count.Retried++
	o.pool.mu.Unlock()
	if err != nil {
		o.fail(err)
		return
	}
	o.mu.Lock()
	a := &attempt{opened: o, stream: s}
	o.now = a
	shut, closed, abort := o.shut, o.close, o.abort
	o.mu.Unlock()
	s.Start(a)
	switch {
	case abort != nil:
		s.Abort(abort)
	case closed:
		s.Close()
	case shut:
		_ = s.CloseWrite() // if it fails, the sink is told
	}
}

// fail ends a stream that is on no connection.
func (o *opened) fail(err error) {
	o.mu.Lock()
	o.abort = cmp.Or(o.abort, err)
	if err = o.abort; o.close {
		err = nil
	}
	o.mu.Unlock()
	o.telling.Lock()
	defer o.telling.Unlock()
	o.user.Closed(err)
}

// Data implements landfall.Sink: the first byte says that the stream is
// taken, and the rest is the user's.
func (a *attempt) Data(b []byte) int {
	o := a.opened
	o.mu.Lock()
	ours, wants := o.now == a, o.wants
	if ours {
		o.kept, o.wants = nil, false
	}
	o.mu.Unlock()
	switch {
	case !ours:
		return len(b)
	case b[0] != taken:
		a.stream.Abort(errPreamble)
		return len(b)
	}
	a.stream.Start(o.user)
	if wants {
		o.telling.Lock()
		defer o.telling.Unlock()
		o.user.Writable()
	}
	return 1
}

// EOF implements landfall.Sink: who has not taken it has closed it.
func (a *attempt) EOF() {
	o := a.opened
	o.mu.Lock()
	moved := o.now != a || o.move(syscall.ECONNRESET)
	o.mu.Unlock()
	if !moved {
		a.stream.Abort(syscall.ECONNRESET)
	}
}

// Writable implements landfall.Sink.
func (a *attempt) Writable() {
	o := a.opened
	o.telling.Lock()
	defer o.telling.Unlock()
	o.mu.Lock()
	ours := o.now == a
	o.mu.Unlock()
	if ours {
		o.user.Writable()
	}
}

// Closed implements landfall.Sink.
func (a *attempt) Closed(err error) {
	o := a.opened
	o.mu.Lock()
	moved := o.now != a || o.move(err)
	o.mu.Unlock()
	if !moved {
		o.telling.Lock()
		defer o.telling.Unlock()
		o.user.Closed(err)
	}
}

// on does something to the stream where it is now; if it moves, what was noted
// is done there.
func (o *opened) on(note func(), do func(s front.Stream)) {
	o.mu.Lock()
	note()
	now := o.now
	o.mu.Unlock()
	if now != nil {
		do(now.stream)
	}
}

// Resume implements landfall.Stream.
func (o *opened) Resume() { o.on(func() {}, func(s front.Stream) { s.Resume() }) }

// CloseWrite implements landfall.Stream.
func (o *opened) CloseWrite() (err error) {
	o.on(func() { o.shut = true }, func(s front.Stream) { err = s.CloseWrite() })
	return err
}

// Close implements landfall.Stream.
func (o *opened) Close() (err error) {
	o.on(func() { o.close = true }, func(s front.Stream) { err = s.Close() })
	return err
}

// Abort implements Stream.
func (o *opened) Abort(why error) {
	o.on(func() { o.abort = cmp.Or(o.abort, why) }, func(s front.Stream) { s.Abort(why) })
}

// Mark implements Stream.
func (o *opened) Mark(c landfall.Class) {
	o.on(func() { o.target.Class = c }, func(s front.Stream) { s.Mark(c) })
}

// Local implements Stream.
func (o *opened) Local() netip.AddrPort { return o.addr(0, front.Stream.Local) }

// Remote implements Stream.
func (o *opened) Remote() netip.AddrPort { return o.addr(1, front.Stream.Remote) }

func (o *opened) addr(i int, of func(front.Stream) netip.AddrPort) (a netip.AddrPort) {
	o.on(func() { a = o.last[i] }, func(s front.Stream) { a = of(s) })
	return a
}
