package wg

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"syscall"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/waiter"

	"landfall"
)

// Stream is one TCP connection inside the mesh. It implements
// landfall.Stream; no goroutine belongs to it.
type Stream struct {
	task
	device        *Device
	ep            tcpip.Endpoint
	wq            *waiter.Queue
	entry         waiter.Entry
	local, remote netip.AddrPort

	mu        sync.Mutex
	sink      landfall.Sink // nil before Start
	stalled   bool          // the sink took less than it was given
	wantsRoom bool          // a Write was cut short
	shut      bool          // CloseWrite was called
	closed    bool          // Close was called
	abort     error

	before buffers // it was squeezed; keepBudget's own

	// Of the one run at a time:
	eof  bool
	over bool
}

// Local is our address and port.
func (s *Stream) Local() netip.AddrPort { return s.local }

// Remote is the peer's address and port; WireGuard vouches for the address.
func (s *Stream) Remote() netip.AddrPort { return s.remote }

// Open connects to a port of a peer. The sink hears of what arrives once Open
// has returned or first was written, whichever comes first.
func (d *Device) Open(ctx context.Context, to netip.AddrPort, first []byte, sink landfall.Sink) (*Stream, error) {
	if !d.enter() {
		return nil, net.ErrClosed
	}
	defer d.busy.Done()
	wq := new(waiter.Queue)
	ep, e := d.stack.NewEndpoint(tcp.ProtocolNumber, header.IPv6ProtocolNumber, wq)
	if e != nil {
		return nil, goError(e)
	}
	if err := d.connect(ctx, ep, wq, to); err != nil {
		ep.Close()
		return nil, err
	}
	s, err := d.newStream(ep, wq)
	if err != nil {
		return nil, err
	}
	if n, err := s.Write(first); err != nil || n < len(first) {
		d.forget(s)
		ep.Close()
		return nil, fmt.Errorf("first bytes: %d of %d fit: %w", n, len(first), cmp.Or(err, io.ErrShortWrite))
	}
	s.Start(sink)
	return s, nil
}

// connect waits until the peer has accepted.
func (d *Device) connect(ctx context.Context, ep tcpip.Endpoint, wq *waiter.Queue, to netip.AddrPort) error {
	entry, ready := waiter.NewChannelEntry(waiter.WritableEvents | waiter.EventErr | waiter.EventHUp)
	wq.EventRegister(&entry)
	defer wq.EventUnregister(&entry)
	e := ep.Connect(fullAddress(to))
	if _, started := e.(*tcpip.ErrConnectStarted); started {
		select {
		case <-ready:
			e = ep.LastError()
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-d.closing:
			return net.ErrClosed
		}
	}
	return goError(e)
}

// newStream wraps a connected endpoint.
func (d *Device) newStream(ep tcpip.Endpoint, wq *waiter.Queue) (*Stream, error) {
	local, e := ep.GetLocalAddress()
	if e != nil {
		ep.Close()
		return nil, goError(e)
	}
	remote, e := ep.GetRemoteAddress()
	if e != nil {
		ep.Close()
		return nil, goError(e)
	}
	s := &Stream{device: d, ep: ep, wq: wq, local: fromFull(local), remote: fromFull(remote)}
	s.task.loop, s.task.run = d.loop, s.step
	tune(ep, d.timeout)
	s.before = buffers{startBuffer, startBuffer}
	if !d.spent.Load() {
		s.release()
	}
	if !d.track(s) {
		ep.Close()
		return nil, net.ErrClosed
	}
	return s, nil
}

// Start begins to feed the sink, once.
func (s *Stream) Start(sink landfall.Sink) {
	s.entry = waiter.NewFunctionEntry(waiter.AllEvents, func(waiter.EventMask) { s.wake() })
	s.wq.EventRegister(&s.entry)
	s.mu.Lock()
	s.sink = sink
	s.mu.Unlock()
	s.wake()
}

// Write implements landfall.Stream.
func (s *Stream) Write(b []byte) (n int, err error) {
	if err := s.mayWrite(); err != nil {
		return 0, err
	}
	// A second attempt closes the gap between finding no room and saying that
	// one waits for it.
	for range 2 {
		var k int64
		var e tcpip.Error
		for n < len(b) && e == nil {
			k, e = s.ep.Write(bytes.NewReader(b[n:]), tcpip.WriteOptions{})
			n += int(k)
		}
		if _, full := e.(*tcpip.ErrWouldBlock); !full {
			return n, cmp.Or(s.mayWrite(), goError(e))
		}
		s.mu.Lock()
		s.wantsRoom = true
		s.mu.Unlock()
	}
	return n, nil
}

// mayWrite tells why nothing may be written any more.
func (s *Stream) mayWrite() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.shut {
		return net.ErrClosed
	}
	return s.abort
}

// Resume implements landfall.Stream.
func (s *Stream) Resume() {
	s.mu.Lock()
	s.stalled = false
	s.mu.Unlock()
	s.wake()
}

// CloseWrite implements landfall.Stream.
func (s *Stream) CloseWrite() error {
	s.mu.Lock()
	s.shut = true
	s.mu.Unlock()
	e := s.ep.Shutdown(tcpip.ShutdownWrite)
	s.wake()
	if _, gone := e.(*tcpip.ErrNotConnected); gone {
		return nil // it ended meanwhile: Closed says how
	}
	return goError(e)
}

// Close implements landfall.Stream.
func (s *Stream) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.wake()
	return nil
}

// Abort ends the stream for a reason that its sink is told.
func (s *Stream) Abort(why error) {
	s.mu.Lock()
	if s.abort == nil {
		s.abort = why
	}
	s.mu.Unlock()
	s.wake()
}

// step tells the sink what has happened since the last one. It runs on the
// loop, never twice at once.
func (s *Stream) step(scratch []byte) (again bool) {
	s.mu.Lock()
	started, closed, abort, stalled := s.sink != nil, s.closed, s.abort, s.stalled
	s.mu.Unlock()
	switch {
	case s.over || !started:
		return false
	case abort != nil:
		s.end(abort, true)
		return false
	case closed:
		s.end(nil, false)
		return false
	}
	s.tellRoom()
	if !stalled && !s.eof {
		again = s.feed(scratch)
	}
	s.checkEnd()
	return again && !s.over
}

// tellRoom says Writable to a sink that waits for it.
func (s *Stream) tellRoom() {
	if s.ep.Readiness(waiter.WritableEvents)&waiter.WritableEvents == 0 {
		return
	}
	s.mu.Lock()
	wants := s.wantsRoom
	s.wantsRoom = false
	s.mu.Unlock()
	if wants {
		s.sink.Writable()
	}
}

// feed gives the sink one piece of what arrived. Only what the sink takes is
// taken from the endpoint, whose window then holds the peer back.
func (s *Stream) feed(scratch []byte) (again bool) {
	w := tcpip.SliceWriter(scratch)
	res, e := s.ep.Read(&w, tcpip.ReadOptions{Peek: true})
	switch e.(type) {
	case nil:
	case *tcpip.ErrClosedForReceive:
		s.eof = true
		s.sink.EOF()
		return false
	case *tcpip.ErrWouldBlock:
		return false
	default:
		s.end(goError(e), true)
		return false
	}
	s.mu.Lock()
	s.stalled = true // before asking, so that no Resume is missed
	s.mu.Unlock()
	taken := s.sink.Data(scratch[:res.Count])
	if taken > 0 {
		skip := discard(taken)
		if res, e := s.ep.Read(&skip, tcpip.ReadOptions{}); e == nil && !s.device.spent.Load() {
			s.ep.ModerateRecvBuf(res.Count)
		}
	}
	if taken < res.Count {
		return false
	}
	s.mu.Lock()
	s.stalled = false
	s.mu.Unlock()
	return true
}

// checkEnd notices that both halves have ended, or that the endpoint has
// failed and all that it received was handed on.
func (s *Stream) checkEnd() {
	s.mu.Lock()
	shut := s.shut
	s.mu.Unlock()
	unread, _ := s.ep.GetSockOptInt(tcpip.ReceiveQueueSizeOption)
	switch state := tcp.EndpointState(s.ep.State()); {
	case s.over:
	case s.eof && shut:
		s.end(nil, false)
	case state == tcp.StateError && unread == 0:
		err := goError(s.ep.LastError())
		if err == nil {
			err = syscall.ECONNRESET
		}
		s.end(err, true)
	}
}

// end is the last thing that happens to a stream.
func (s *Stream) end(err error, reset bool) {
	s.over = true
	s.wq.EventUnregister(&s.entry)
	if reset {
		s.ep.Abort()
	}
	s.ep.Close()
	s.device.forget(s)
	s.sink.Closed(err)
}

// discard is a writer that takes so many bytes and no more.
type discard int

func (d *discard) Write(b []byte) (int, error) {
	n := min(len(b), int(*d))
	*d -= discard(n)
	if n < len(b) {
		return n, io.ErrShortWrite
	}
	return n, nil
}
