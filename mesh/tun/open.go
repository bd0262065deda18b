//go:build linux

package tun

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"

	"landfall"
	"landfall/mesh/front"
)

// Open implements front.Streams.
func (f *Front) Open(ctx context.Context, to netip.AddrPort, c landfall.Class, first []byte, sink landfall.Sink) (front.Stream, error) {
	if !f.Enter() {
		return nil, net.ErrClosed
	}
	defer f.Leave()
	s, err := f.connect(ctx, to, c)
	if err != nil {
		return nil, err
	}
	flow, err := f.add(s)
	if err != nil {
		return nil, err
	}
	return flow.Begin(first, sink)
}

// connect waits until the peer has accepted.
func (f *Front) connect(ctx context.Context, to netip.AddrPort, c landfall.Class) (*socket, error) {
	fd, err := f.socket()
	if err != nil {
		return nil, err
	}
	mark(fd, c)
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1) // else ports are fewer
	if err := unix.Bind(fd, sockaddr(netip.AddrPortFrom(f.local, 0))); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("bind to %v: %w", f.local, meshError(err))
	}
	// Watched from now on: what was not yet connecting has hung up.
	err = unix.Connect(fd, sockaddr(to))
	s, failed := f.adopt(fd)
	if failed != nil {
		return nil, failed
	}
	if err == unix.EINPROGRESS || err == unix.EINTR {
		err = f.await(ctx, s)
	}
	if err != nil {
		s.Close(true)
		return nil, meshError(err)
	}
	return s, nil
}

// bell is a front.Waker for those who wait in a channel.
type bell chan struct{}

func (b bell) Wake() {
	select {
	case b <- struct{}{}:
	default:
	}
}

func (b bell) Run([]byte) { b.Wake() }

// await waits until a connection that was begun is there.
func (f *Front) await(ctx context.Context, s *socket) error {
	news := make(bell, 1)
	s.Notify(news)
	for s.events.Load()&(unix.EPOLLOUT|unix.EPOLLERR|unix.EPOLLHUP) == 0 {
		select {
		case <-news:
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-f.Closing():
			return net.ErrClosed
		}
	}
	if errno := s.pending(); errno != 0 {
		return errno
	}
	return nil
}

// add makes a flow of a connected socket.
func (f *Front) add(s *socket) (*front.Flow, error) {
	local, remote, err := s.names()
	if err == syscall.ENOTCONN { // it is over already; the reason is with the socket
		err = cmp.Or[error](meshError(s.pending()), syscall.ECONNRESET)
	}
	if err != nil {
		s.Close(true)
		return nil, err
	}
	return f.Add(s, addrPort(local), addrPort(remote))
}
