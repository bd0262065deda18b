package netstack

import (
	"fmt"
	"net"
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/waiter"

	"landfall/mesh/front"
)

// backlog is how many connections wait to be accepted.
const backlog = 1024

// listener accepts on one port.
type listener struct {
	front.Task
	front  *Front
	ep     tcpip.Endpoint
	wq     waiter.Queue
	entry  waiter.Entry
	accept func(front.Stream)
}

// Listen implements front.Streams.
func (f *Front) Listen(port uint16, accept func(front.Stream)) error {
	if !f.Enter() {
		return net.ErrClosed
	}
	defer f.Leave()
	l := &listener{front: f, accept: accept}
	l.Init(f.Loop(), l.step)
	ep, e := f.stack.NewEndpoint(tcp.ProtocolNumber, header.IPv6ProtocolNumber, &l.wq)
	if e != nil {
		return goError(e)
	}
	l.ep = ep
	ep.SocketOptions().SetReuseAddress(true) // else streams that go on keep the port
	if e := ep.Bind(fullAddress(netip.AddrPortFrom(f.addr, port))); e != nil {
		ep.Close()
		return fmt.Errorf("mesh port %d: bind: %w", port, goError(e))
	}
	l.entry = waiter.NewFunctionEntry(waiter.ReadableEvents, func(waiter.EventMask) { l.Wake() })
	l.wq.EventRegister(&l.entry)
	if e := ep.Listen(backlog); e != nil {
		ep.Close()
		return fmt.Errorf("mesh port %d: listen: %w", port, goError(e))
	}
	f.mu.Lock()
	f.listeners[port] = l
	f.mu.Unlock()
	return nil
}

// Unlisten implements front.Streams.
func (f *Front) Unlisten(port uint16) {
	f.mu.Lock()
	l := f.listeners[port]
	delete(f.listeners, port)
	f.mu.Unlock()
	if l != nil {
		l.close()
	}
}

func (f *Front) closeListeners() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, l := range f.listeners {
		l.close()
	}
	clear(f.listeners)
}

func (l *listener) close() {
	l.wq.EventUnregister(&l.entry)
	l.ep.Close()
}

func (l *listener) step([]byte) (again bool) {
	ep, wq, e := l.ep.Accept(nil)
	if e != nil {
		return false // nobody waits, or we are closed
	}
	if s, err := l.front.add(ep, wq); err == nil {
		l.accept(s)
	}
	return true
}
