//go:build linux

package tun

import (
	"fmt"
	"net"
	"net/netip"
	"sync"

	"golang.org/x/sys/unix"

	"landfall/mesh/front"
)

// backlog is how many connections wait to be accepted; the kernel caps it by
// net.core.somaxconn.
const backlog = 1024

// listener accepts on one port.
type listener struct {
	front.Task
	front  *Front
	watch  *watch
	accept func(front.Stream)

	mu     sync.Mutex
	fd     int
	closed bool
}

// Listen implements front.Streams.
func (f *Front) Listen(port uint16, accept func(front.Stream)) error {
	if !f.Enter() {
		return net.ErrClosed
	}
	defer f.Leave()
	fd, err := f.socket()
	if err != nil {
		return fmt.Errorf("mesh port %d: %w", port, err)
	}
	if err := unix.Bind(fd, sockaddr(netip.AddrPortFrom(f.local, port))); err != nil {
		unix.Close(fd)
		return fmt.Errorf("mesh port %d: bind: %w", port, err)
	}
	if err := unix.Listen(fd, backlog); err != nil {
		unix.Close(fd)
		return fmt.Errorf("mesh port %d: listen: %w", port, err)
	}
	l := &listener{front: f, fd: fd, accept: accept}
	l.Init(f.Loop(), l.step)
	if l.watch, err = f.poll.add(fd, func(uint32) front.Waker { return l }); err != nil {
		unix.Close(fd)
		return fmt.Errorf("mesh port %d: %w", port, err)
	}
	f.mu.Lock()
	f.listeners[port] = l
	f.mu.Unlock()
	l.Wake() // who came before it was watched
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

// close resets those that nobody has accepted.
func (l *listener) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	l.front.poll.remove(l.watch)
	unix.Close(l.fd)
}

func (l *listener) step([]byte) (again bool) {
	fd, err := l.take()
	switch err {
	case nil:
	case unix.ECONNABORTED, unix.EINTR, unix.EPROTO:
		return true // one less
	case unix.EMFILE, unix.ENFILE, unix.ENOBUFS, unix.ENOMEM:
		l.front.log.Warn("mesh accepts nobody", "device", l.front.name, "err", err)
		l.front.later(&l.Task)
		return false
	default:
		return false // nobody waits, or we are closed
	}
	s, err := l.front.adopt(fd)
	if err != nil {
		return true
	}
	if flow, err := l.front.add(s); err == nil {
		l.accept(flow)
	}
	return true
}

func (l *listener) take() (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return -1, net.ErrClosed
	}
	fd, _, err := unix.Accept4(l.fd, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
	return fd, err
}
