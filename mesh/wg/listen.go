package wg

import (
	"fmt"
	"net"
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/waiter"
)

// backlog is how many connections wait to be accepted.
const backlog = 1024

// listener accepts on one port.
type listener struct {
	task
	device *Device
	ep     tcpip.Endpoint
	wq     waiter.Queue
	entry  waiter.Entry
	accept func(*Stream)
}

// Listen calls accept for every stream that peers open to the port, until
// Unlisten. It must return soon, and call Start once.
func (d *Device) Listen(port uint16, accept func(*Stream)) error {
	if !d.enter() {
		return net.ErrClosed
	}
	defer d.busy.Done()
	l := &listener{device: d, accept: accept}
	l.task.loop, l.task.run = d.loop, l.step
	ep, e := d.stack.NewEndpoint(tcp.ProtocolNumber, header.IPv6ProtocolNumber, &l.wq)
	if e != nil {
		return goError(e)
	}
	l.ep = ep
	if e := ep.Bind(fullAddress(netip.AddrPortFrom(d.addr, port))); e != nil {
		ep.Close()
		return fmt.Errorf("mesh port %d: bind: %w", port, goError(e))
	}
	l.entry = waiter.NewFunctionEntry(waiter.ReadableEvents, func(waiter.EventMask) { l.wake() })
	l.wq.EventRegister(&l.entry)
	if e := ep.Listen(backlog); e != nil {
		ep.Close()
		return fmt.Errorf("mesh port %d: listen: %w", port, goError(e))
	}
	d.mu.Lock()
	d.listeners[port] = l
	d.mu.Unlock()
	return nil
}

// Unlisten refuses further streams to the port. Those accepted go on.
func (d *Device) Unlisten(port uint16) {
	d.mu.Lock()
	l := d.listeners[port]
	delete(d.listeners, port)
	d.mu.Unlock()
	if l != nil {
		l.close()
	}
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
	if s, err := l.device.newStream(ep, wq); err == nil {
		l.accept(s)
	}
	return true
}
