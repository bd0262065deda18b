package fronttest

import (
	"context"
	"io"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"landfall"
	"landfall/mesh/front"
)

// memoryWindow is how much a stream in memory holds that nobody has taken.
const memoryWindow = 256 << 10

// Memory joins fronts in memory, for tests in bubbles. They carry streams,
// and no packets; everything takes the same time to arrive.
type Memory struct {
	delay time.Duration

	mu    sync.Mutex
	sides map[netip.Addr]*MemoryFront
	ports uint16 // last one given to an opener
}

// NewMemory makes a network in which everything takes delay, one way.
func NewMemory(delay time.Duration) *Memory {
	return &Memory{delay: delay, sides: map[netip.Addr]*MemoryFront{}, ports: 32768}
}

// Front makes the front of an address. Its owner must Close it.
func (m *Memory) Front(addr netip.Addr) *MemoryFront {
	f := &MemoryFront{Flows: front.NewFlows(), memory: m, addr: addr, accept: map[uint16]func(front.Stream){}}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sides[addr] = f
	return f
}

// MemoryFront is one address in memory. It implements front.Streams.
type MemoryFront struct {
	*front.Flows
	memory *Memory
	addr   netip.Addr
	accept map[uint16]func(front.Stream) // guarded by memory.mu
}

// Open implements front.Streams.
func (f *MemoryFront) Open(ctx context.Context, to netip.AddrPort, c landfall.Class, first []byte, sink landfall.Sink) (front.Stream, error) {
	if !f.Enter() {
		return nil, net.ErrClosed
	}
	defer f.Leave()
	for range 2 { // there and back
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-f.Closing():
			return nil, net.ErrClosed
		case <-time.After(f.memory.delay):
		}
	}
	s, err := f.meet(to, c)
	if err != nil {
		return nil, err
	}
	if _, err := s.Write(first); err != nil {
		return nil, err
	}
	s.Start(sink)
	return s, nil
}

// meet makes both ends of a stream.
func (f *MemoryFront) meet(to netip.AddrPort, c landfall.Class) (front.Stream, error) {
	m := f.memory
	m.mu.Lock()
	there := m.sides[to.Addr()]
	var accept func(front.Stream)
	if there != nil {
		accept = there.accept[to.Port()]
	}
	m.ports++
	from := netip.AddrPortFrom(f.addr, m.ports)
	m.mu.Unlock()
	if accept == nil {
		return nil, syscall.ECONNREFUSED
	}
	near, far := &memoryEnd{memory: m, class: c}, &memoryEnd{memory: m}
	near.peer, far.peer = far, near
	s, err := f.Add(near, from, to)
	if err != nil {
		return nil, err
	}
	if s, err := there.Add(far, to, from); err == nil {
		accept(s)
	}
	return s, nil
}

// Listen implements front.Streams.
func (f *MemoryFront) Listen(port uint16, accept func(front.Stream)) error {
	if !f.Enter() {
		return net.ErrClosed
	}
	defer f.Leave()
	f.memory.mu.Lock()
	defer f.memory.mu.Unlock()
	if f.accept[port] != nil {
		return syscall.EADDRINUSE
	}
	f.accept[port] = accept
	return nil
}

// Unlisten implements front.Streams.
func (f *MemoryFront) Unlisten(port uint16) {
	f.memory.mu.Lock()
	defer f.memory.mu.Unlock()
	delete(f.accept, port)
}

// Close implements front.Streams.
func (f *MemoryFront) Close() error {
	f.Flows.Close(func() {
		f.memory.mu.Lock()
		defer f.memory.mu.Unlock()
		clear(f.accept)
	})
	return nil
}

// memoryEnd is one side of a stream. It implements front.Endpoint; Memory.mu
// guards it.
type memoryEnd struct {
	memory *Memory
	peer   *memoryEnd
	waker  front.Waker

	class   landfall.Class
	coming  []parcel // by due
	in      []byte   // arrived and not taken
	unheard int      // of what was written, the peer has not taken so many bytes
	full    bool     // a Write was cut short
	eof     bool
	failed  error
	shut    bool
	closed  bool
}

// parcel is what is under way: bytes, the end of them, or a reset.
type parcel struct {
	due        time.Time
	body       []byte
	eof, reset bool
}

// send lets something arrive at the peer when it is due.
func (e *memoryEnd) send(p parcel) {
	p.due = time.Now().Add(e.memory.delay)
	e.peer.coming = append(e.peer.coming, p)
	if e.memory.delay == 0 {
		e.peer.arrive()
		return
	}
	time.AfterFunc(e.memory.delay, func() {
		e.memory.mu.Lock()
		defer e.memory.mu.Unlock()
		e.peer.arrive()
	})
}

// arrive takes in what is due.
func (e *memoryEnd) arrive() {
	now := time.Now()
	for len(e.coming) > 0 && !e.coming[0].due.After(now) {
		p := e.coming[0]
		e.coming = e.coming[1:]
		switch {
		case e.failed != nil:
		case p.reset:
			e.failed = syscall.ECONNRESET
		case e.closed && len(p.body) > 0:
			e.failed = syscall.ECONNRESET
			e.send(parcel{reset: true})
		default:
			// Never in place: somebody may be reading what is there.
			e.in = append(e.in[:len(e.in):len(e.in)], p.body...)
			e.eof = e.eof || p.eof
		}
	}
	e.tell()
}

func (e *memoryEnd) tell() {
	if e.waker != nil {
		e.waker.Wake()
	}
}

func (e *memoryEnd) lock() (unlock func()) {
	e.memory.mu.Lock()
	return e.memory.mu.Unlock
}

// Notify implements front.Endpoint.
func (e *memoryEnd) Notify(w front.Waker) {
	defer e.lock()()
	e.waker = w
}

// Write implements front.Endpoint.
func (e *memoryEnd) Write(b []byte) (int, error) {
	defer e.lock()()
	switch {
	case e.closed || e.shut:
		return 0, net.ErrClosed
	case e.failed != nil:
		return 0, e.failed
	}
	n := min(len(b), memoryWindow-e.unheard)
	e.full = n < len(b)
	if n > 0 {
		e.unheard += n
		e.send(parcel{body: append([]byte{}, b[:n]...)})
	}
	return n, nil
}

// Room implements front.Endpoint.
func (e *memoryEnd) Room() bool {
	defer e.lock()()
	return e.unheard < memoryWindow
}

// Peek implements front.Endpoint.
func (e *memoryEnd) Peek(b []byte) (n int, more bool, err error) {
	defer e.lock()()
	switch {
	case len(e.in) > 0:
		return copy(b, e.in), true, nil
	case e.failed != nil:
		return 0, false, e.failed
	case e.eof:
		return 0, false, io.EOF
	}
	return 0, false, nil
}

// Take implements front.Endpoint.
func (e *memoryEnd) Take(n int) {
	defer e.lock()()
	e.in = e.in[n:]
	e.peer.unheard -= n
	if e.peer.full {
		e.peer.full = false
		e.peer.tell()
	}
}

// CloseWrite implements front.Endpoint.
func (e *memoryEnd) CloseWrite() error {
	defer e.lock()()
	if !e.shut && !e.closed {
		e.shut = true
		e.send(parcel{eof: true})
	}
	return nil
}

// Failure implements front.Endpoint.
func (e *memoryEnd) Failure() error {
	defer e.lock()()
	if len(e.in) > 0 {
		return nil
	}
	return e.failed
}

// Mark implements front.Endpoint.
func (e *memoryEnd) Mark(c landfall.Class) {
	defer e.lock()()
	e.class = c
}

// Close implements front.Endpoint. Like TCP it resets the peer if there is
// something that nobody has taken.
func (e *memoryEnd) Close(reset bool) {
	defer e.lock()()
	if e.closed {
		return
	}
	e.closed, e.waker = true, nil
	switch {
	case e.failed != nil:
	case reset || len(e.in) > 0:
		e.send(parcel{reset: true})
	case !e.shut:
		e.send(parcel{eof: true})
	}
}

// ClassOf says what class a stream of a MemoryFront has on this side.
func ClassOf(s front.Stream) landfall.Class {
	f, ok := s.(*front.Flow)
	if !ok {
		return landfall.Normal
	}
	e, ok := f.Endpoint().(*memoryEnd)
	if !ok {
		return landfall.Normal
	}
	defer e.lock()()
	return e.class
}
