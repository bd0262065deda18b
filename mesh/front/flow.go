package front

import (
	"cmp"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"

	"landfall"
)

// Endpoint is one TCP connection that never blocks. Write and CloseWrite may
// be called at any time until Close has been; the rest is called by one
// goroutine at a time.
type Endpoint interface {
	// Notify has the flow woken from now on whenever bytes, the end or a
	// failure have arrived, or there is room again after a short Write.
	Notify(f Waker)
	// Write takes what there is room for.
	Write(b []byte) (n int, err error)
	// Room reports whether it is worth while to go on after a short Write.
	Room() bool
	// Peek copies what has arrived and was not taken: 0 and nil when there is
	// nothing, io.EOF at the end of the peer's half. more is false if nothing
	// can be behind it of which the flow will not be woken.
	Peek(b []byte) (n int, more bool, err error)
	// Take drops so many of the bytes that Peek showed.
	Take(n int)
	// CloseWrite ends our half behind what was written. It is no error that
	// the connection has failed: Failure says so.
	CloseWrite() error
	// Failure is why the connection has failed, once everything that arrived
	// before has been taken; nil while it lives.
	Failure() error
	// Mark sets the class of our packets.
	Mark(landfall.Class)
	// Close ends notifications and the connection: in order, or by a reset.
	Close(reset bool)
}

// Waker is woken: by Wake, which never blocks and takes any lock being held,
// or by Run, which may do the work itself; see Task.
type Waker interface {
	Wake()
	Run(scratch []byte)
}

// Flow is a stream over an endpoint. It implements Stream; no goroutine
// belongs to it.
type Flow struct {
	Task
	flows         *Flows
	ep            Endpoint
	local, remote netip.AddrPort

	mu        sync.Mutex
	sink      landfall.Sink // nil before Start, and while held
	stalled   bool          // the sink took less than it was given
	wantsRoom bool          // a Write was cut short
	shut      bool          // CloseWrite was called
	closed    bool          // Close was called
	abort     error

	// Of the one run at a time:
	notified bool // the endpoint wakes us
	eof      bool
	over     bool
	why      error // it is over
	told     bool  // the sink knows that
}

// Endpoint is what the flow is over.
func (f *Flow) Endpoint() Endpoint { return f.ep }

// Local implements Stream.
func (f *Flow) Local() netip.AddrPort { return f.local }

// Remote implements Stream.
func (f *Flow) Remote() netip.AddrPort { return f.remote }

// Mark implements Stream.
func (f *Flow) Mark(c landfall.Class) { f.ep.Mark(c) }

// Begin writes the first bytes of a flow that was opened and starts it. First
// bytes that do not fit end it.
func (f *Flow) Begin(first []byte, sink landfall.Sink) (Stream, error) {
	if n, err := f.Write(first); err != nil || n < len(first) {
		err = fmt.Errorf("first bytes: %d of %d fit: %w", n, len(first), cmp.Or(err, io.ErrShortWrite))
		f.Abort(err)
		return nil, err
	}
	f.Start(sink)
	return f, nil
}

// Start implements Stream.
func (f *Flow) Start(sink landfall.Sink) {
	f.mu.Lock()
	f.sink = sink
	f.stalled = false
	f.mu.Unlock()
	f.Wake()
}

// Write implements landfall.Stream.
func (f *Flow) Write(b []byte) (n int, err error) {
	if err := f.mayWrite(); err != nil {
		return 0, err
	}
	// A second attempt closes the gap between finding no room and saying that
	// one waits for it.
	for again := range 2 {
		k, err := f.ep.Write(b[n:])
		if n += k; err != nil || n == len(b) {
			if again > 0 {
				f.Wake() // somebody may have been told to wait for what is there
			}
			return n, cmp.Or(f.mayWrite(), err)
		}
		f.mu.Lock()
		f.wantsRoom = true
		f.mu.Unlock()
	}
	return n, nil
}

// mayWrite tells why nothing may be written any more.
func (f *Flow) mayWrite() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed || f.shut {
		return net.ErrClosed
	}
	return f.abort
}

// Resume implements landfall.Stream.
func (f *Flow) Resume() {
	f.mu.Lock()
	f.stalled = false
	f.mu.Unlock()
	f.Wake()
}

// CloseWrite implements landfall.Stream.
func (f *Flow) CloseWrite() error {
	f.mu.Lock()
	f.shut = true
	f.mu.Unlock()
	err := f.ep.CloseWrite()
	f.Wake()
	return err
}

// Close implements landfall.Stream.
func (f *Flow) Close() error {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	f.Wake()
	return nil
}

// Abort implements Stream.
func (f *Flow) Abort(why error) {
	f.mu.Lock()
	if f.abort == nil {
		f.abort = why
	}
	f.mu.Unlock()
	f.Wake()
}

// step tells the sink what has happened since the last one. It runs on the
// loop, never twice at once; the sink may be another after each call of it.
func (f *Flow) step(scratch []byte) (again bool) {
	f.mu.Lock()
	held, closed, abort := f.sink == nil, f.closed, f.abort
	f.mu.Unlock()
	switch {
	case f.over:
	case abort != nil:
		f.end(abort, true)
	case closed:
		f.end(nil, false)
	}
	if held {
		return false
	}
	if !f.over {
		if !f.notified {
			f.notified = true
			f.ep.Notify(f)
		}
		f.tellRoom()
		again = f.feed(scratch)
		f.checkEnd()
	}
	f.tellEnd()
	return again && !f.over
}

// tellRoom says Writable to a sink that waits for it.
func (f *Flow) tellRoom() {
	f.mu.Lock()
	sink, wants := f.sink, f.wantsRoom
	f.mu.Unlock()
	if sink == nil || !wants || !f.ep.Room() {
		return
	}
	f.mu.Lock()
	f.wantsRoom = false
	f.mu.Unlock()
	sink.Writable()
}

// feed gives the sink one piece of what arrived. Only what the sink takes is
// taken from the endpoint, whose window then holds the peer back.
func (f *Flow) feed(scratch []byte) (again bool) {
	sink := f.ready()
	if sink == nil || f.eof {
		return false
	}
	n, more, err := f.ep.Peek(scratch)
	switch {
	case err == io.EOF:
		f.eof = true
		sink.EOF()
		return false
	case err != nil:
		f.end(err, true)
		return false
	case n == 0:
		return false
	}
	f.stall(true) // before asking, so that no Resume is missed
	taken := sink.Data(scratch[:n])
	if taken > 0 {
		f.ep.Take(taken)
	}
	if taken < n {
		return false
	}
	f.stall(false)
	return more
}

// ready is the sink if it takes data.
func (f *Flow) ready() landfall.Sink {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stalled {
		return nil
	}
	return f.sink
}

func (f *Flow) stall(yes bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stalled = yes
}

// checkEnd notices that both halves have ended, or that the endpoint has
// failed and all that it received was handed on.
func (f *Flow) checkEnd() {
	if f.over {
		return
	}
	f.mu.Lock()
	shut := f.shut
	f.mu.Unlock()
	if f.eof && shut {
		f.end(nil, false)
		return
	}
	if err := f.ep.Failure(); err != nil {
		f.end(err, true)
	}
}

// end lets go of the endpoint.
func (f *Flow) end(err error, reset bool) {
	f.over, f.why = true, err
	f.ep.Close(reset)
	f.flows.forget(f)
}

// tellEnd is the last thing that happens to a flow that is over.
func (f *Flow) tellEnd() {
	f.mu.Lock()
	sink := f.sink
	f.mu.Unlock()
	if f.over && !f.told && sink != nil {
		f.told = true
		sink.Closed(f.why)
	}
}
