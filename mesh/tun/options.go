//go:build linux

package tun

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"landfall"
	"landfall/mesh/class"
)

// congestion is what sockets ask for. It is asked for by each, since what a
// kernel does by default forgets a path that was idle for a second.
const congestion = "bbr"

const (
	// unsent is how much a stream takes that cannot be sent yet: less slows
	// down nothing, and what waits to be acknowledged comes on top.
	unsent = 256 << 10

	keepAlives = 3 // unanswered, until an idle stream ends
	synRetries = 4 // 1 + 2 + 4 + 8 + 16 s; dialers give up before
)

// socket makes one that reaches the mesh only, and that only the mesh reaches.
func (f *Front) socket() (int, error) {
	var fd int
	err := f.inside(func() (err error) {
		fd, err = unix.Socket(unix.AF_INET6, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, unix.IPPROTO_TCP)
		return os.NewSyscallError("socket", err)
	})
	if err != nil {
		return -1, err
	}
	if err := f.tune(fd); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// tune sets what connections of listeners inherit, too.
func (f *Front) tune(fd int) error {
	if err := unix.SetsockoptString(fd, unix.SOL_SOCKET, unix.SO_BINDTODEVICE, f.name); err != nil {
		return fmt.Errorf("bind socket to device %s: %w", f.name, err)
	}
	if err := unix.SetsockoptString(fd, unix.IPPROTO_TCP, unix.TCP_CONGESTION, congestion); err != nil {
		f.plain.Do(func() { f.log.Warn("mesh without BBR", "device", f.name, "err", err) })
	}
	idle := max(1, int(f.timeout/time.Second))
	var errs []error
	for _, o := range []struct{ level, name, value int }{
		{unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1},
		{unix.SOL_SOCKET, unix.SO_REUSEADDR, 1},
		{unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
		{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, idle},
		{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, max(1, idle/keepAlives)},
		{unix.IPPROTO_TCP, unix.TCP_KEEPCNT, keepAlives},
		{unix.IPPROTO_TCP, unix.TCP_NODELAY, 1},
		{unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, unsent},
		{unix.IPPROTO_TCP, unix.TCP_SYNCNT, synRetries},
	} {
		if err := unix.SetsockoptInt(fd, o.level, o.name, o.value); err != nil {
			errs = append(errs, fmt.Errorf("socket option %d of %d: %w", o.name, o.level, err))
		}
	}
	return errors.Join(errs...)
}

// mark sets the traffic class of a socket's packets (RFC 3542, 6.5). The
// kernel keeps the bits of ECN to itself.
func mark(fd int, c landfall.Class) {
	// It cannot fail on a socket of TCP over IPv6.
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_TCLASS, int(class.TOS(c, 0)))
}

func sockaddr(a netip.AddrPort) *unix.SockaddrInet6 {
	return &unix.SockaddrInet6{Addr: a.Addr().As16(), Port: int(a.Port())}
}

func addrPort(sa unix.Sockaddr) netip.AddrPort {
	if a, ok := sa.(*unix.SockaddrInet6); ok {
		return netip.AddrPortFrom(netip.AddrFrom16(a.Addr), uint16(a.Port))
	}
	return netip.AddrPort{}
}

// meshError makes the kernel's errors those that the mesh documents.
func meshError(err error) error {
	errno, ok := err.(syscall.Errno)
	if !ok {
		return err
	}
	switch errno {
	case 0:
		return nil
	case syscall.EPIPE: // the peer, which had ended its half, has reset the other
		return syscall.ECONNRESET
	case syscall.ENETUNREACH, syscall.EHOSTDOWN, syscall.ENETDOWN, syscall.ENONET, syscall.EACCES, syscall.ENODEV:
		return syscall.EHOSTUNREACH
	case syscall.EBADF:
		return net.ErrClosed
	}
	return errno
}
