package netstack

import (
	"bytes"
	"io"
	"sync/atomic"
	"syscall"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/waiter"

	"landfall"
	"landfall/mesh/class"
	"landfall/mesh/front"
)

// endpoint is a connection of the stack. It implements front.Endpoint.
type endpoint struct {
	tcpip.Endpoint
	front  *Front
	wq     *waiter.Queue
	entry  waiter.Entry
	full   atomic.Bool // a Write was cut short, and there was no room since
	before buffers     // it was squeezed; keepBudget's own
}

// newEndpoint wraps a connected endpoint of the stack.
func (f *Front) newEndpoint(ep tcpip.Endpoint, wq *waiter.Queue) *endpoint {
	e := &endpoint{Endpoint: ep, front: f, wq: wq, before: buffers{startBuffer, startBuffer}}
	tune(ep, f.timeout)
	if !f.spent.Load() {
		e.release()
	}
	return e
}

// Notify implements front.Endpoint.
func (e *endpoint) Notify(f front.Waker) {
	e.entry = waiter.NewFunctionEntry(waiter.AllEvents, func(waiter.EventMask) { f.Wake() })
	e.wq.EventRegister(&e.entry)
}

// Write implements front.Endpoint.
func (e *endpoint) Write(b []byte) (n int, err error) {
	for n < len(b) {
		k, err := e.Endpoint.Write(bytes.NewReader(b[n:]), tcpip.WriteOptions{})
		n += int(k)
		if _, full := err.(*tcpip.ErrWouldBlock); full {
			e.full.Store(true)
			return n, nil
		}
		if err != nil {
			return n, goError(err)
		}
	}
	return n, nil
}

// Room implements front.Endpoint.
func (e *endpoint) Room() bool {
	if e.Readiness(waiter.WritableEvents)&waiter.WritableEvents == 0 {
		return false
	}
	e.full.Store(false)
	return true
}

// Peek implements front.Endpoint.
func (e *endpoint) Peek(b []byte) (n int, more bool, err error) {
	w := tcpip.SliceWriter(b)
	res, fault := e.Read(&w, tcpip.ReadOptions{Peek: true})
	switch fault.(type) {
	case nil:
		return res.Count, true, nil
	case *tcpip.ErrClosedForReceive:
		return 0, false, io.EOF
	case *tcpip.ErrWouldBlock:
		return 0, false, nil
	}
	return 0, false, goError(fault)
}

// Take implements front.Endpoint.
func (e *endpoint) Take(n int) {
	skip := discard(n)
	if res, err := e.Read(&skip, tcpip.ReadOptions{}); err == nil && !e.front.spent.Load() {
		e.ModerateRecvBuf(res.Count)
	}
}

// CloseWrite implements front.Endpoint.
func (e *endpoint) CloseWrite() error {
	err := e.Shutdown(tcpip.ShutdownWrite)
	if _, gone := err.(*tcpip.ErrNotConnected); gone {
		return nil
	}
	return goError(err)
}

// Failure implements front.Endpoint.
func (e *endpoint) Failure() error {
	if tcp.EndpointState(e.State()) != tcp.StateError || e.unread() > 0 {
		return nil
	}
	if err := goError(e.LastError()); err != nil {
		return err
	}
	return syscall.ECONNRESET
}

// Mark implements front.Endpoint.
func (e *endpoint) Mark(c landfall.Class) { mark(e.Endpoint, c) }

// mark sets the traffic class of an endpoint's packets (RFC 2474, 3).
func mark(ep tcpip.Endpoint, c landfall.Class) {
	// The option exists for every TCP endpoint; setting it cannot fail.
	_ = ep.SetSockOptInt(tcpip.IPv6TrafficClassOption, int(class.DSCP(c))<<2)
}

// Close implements front.Endpoint.
func (e *endpoint) Close(reset bool) {
	e.wq.EventUnregister(&e.entry)
	if reset {
		e.Abort()
	}
	e.Endpoint.Close()
}

func (e *endpoint) unread() int64 {
	n, _ := e.GetSockOptInt(tcpip.ReceiveQueueSizeOption)
	return int64(n)
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
