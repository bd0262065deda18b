package mesh

import (
	"fmt"
	"net"
	"net/netip"
	"sync"

	"landfall"
	"landfall/mesh/front"
	"landfall/mesh/warm"
)

// acceptQueue is how many streams of one service wait for Accept; more are
// reset.
const acceptQueue = 256

// listener is a net.Listener for one service.
type listener struct {
	mesh    *Mesh
	service landfall.MeshService
	port    uint16
	queue   chan net.Conn
	done    chan struct{}
	once    sync.Once
}

// Listen accepts the streams that nodes open to a service of this one. It
// may be called before Run; the listener ends with Run at the latest.
func (m *Mesh) Listen(s landfall.MeshService) (net.Listener, error) {
	port, err := portOf(s)
	if err != nil {
		return nil, err
	}
	l := &listener{mesh: m, service: s, port: port, queue: make(chan net.Conn, acceptQueue), done: make(chan struct{})}
	m.mu.Lock()
	defer m.mu.Unlock()
	select {
	case <-m.ended:
		return nil, fmt.Errorf("mesh service %s: %w", s, net.ErrClosed)
	default:
	}
	if m.listeners[s] != nil {
		return nil, fmt.Errorf("mesh service %s: somebody listens already", s)
	}
	if m.up != nil {
		if err := m.listen(m.up, l); err != nil {
			return nil, err
		}
	}
	m.listeners[s] = l
	return l, nil
}

// listen has the front accept.
func (m *Mesh) listen(up *running, l *listener) error {
	err := errNoStreams
	if up.streams != nil {
		err = up.streams.Listen(l.port, m.newGuard(up.door.Answer(l.take)).accept)
	}
	if err != nil {
		return fmt.Errorf("mesh service %s: %w", l.service, err)
	}
	return nil
}

// take queues an accepted stream.
func (l *listener) take(s front.Stream) {
	c, err := wrap(func(sink landfall.Sink) (warm.Stream, error) {
		s.Start(sink)
		return s, nil
	})
	if err != nil {
		return // wrap has no reason of its own to fail
	}
	select {
	case l.queue <- c:
		select {
		case <-l.done:
			l.drain()
		default:
		}
	default:
		c.Close()
	}
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case <-l.done:
		return nil, &net.OpError{Op: "accept", Net: "mesh", Addr: l.Addr(), Err: net.ErrClosed}
	case c := <-l.queue:
		return c, nil
	}
}

// Close implements net.Listener.
func (l *listener) Close() error {
	l.once.Do(func() {
		close(l.done)
		l.mesh.mu.Lock()
		up := l.mesh.up
		if l.mesh.listeners[l.service] == l {
			delete(l.mesh.listeners, l.service)
		}
		l.mesh.mu.Unlock()
		if up != nil && up.streams != nil {
			up.streams.Unlisten(l.port)
		}
		l.drain()
	})
	return nil
}

// drain closes what nobody will accept any more.
func (l *listener) drain() {
	for {
		select {
		case c := <-l.queue:
			c.Close()
		default:
			return
		}
	}
}

// Addr implements net.Listener.
func (l *listener) Addr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(l.mesh.addr, l.port))
}
