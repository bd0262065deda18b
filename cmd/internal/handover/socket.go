package handover

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Socket is an open file with a name, which says what it is for.
type Socket struct {
	Name string
	File *os.File
}

// Hold is a Socket that stays open when conn is closed.
func Hold(name string, conn syscall.Conn) (Socket, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return Socket{}, fmt.Errorf("hold %s: %w", name, err)
	}
	fd, fault := -1, error(nil)
	if err := raw.Control(func(from uintptr) { fd, fault = unix.FcntlInt(from, unix.F_DUPFD_CLOEXEC, 3) }); err != nil {
		return Socket{}, fmt.Errorf("hold %s: %w", name, err)
	}
	if fault != nil {
		return Socket{}, fmt.Errorf("hold %s: %w", name, os.NewSyscallError("fcntl", fault))
	}
	return held(name, fd)
}

// held makes a Socket of a descriptor of ours. What is shared with another
// process stays as it is: in particular it does not begin to block.
func held(name string, fd int) (Socket, error) {
	// Package os has Go's poller watch what does not block. Nobody waits for
	// datagrams in that way (geodns/packet), nor does anybody mind who reads
	// them as one who does not wait.
	kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	unwatched := err == nil && kind == unix.SOCK_DGRAM
	if err := unix.SetNonblock(fd, !unwatched); err != nil {
		unix.Close(fd)
		return Socket{}, fmt.Errorf("hold %s: %w", name, err)
	}
	s := Socket{name, os.NewFile(uintptr(fd), name)}
	if unwatched {
		if err := unix.SetNonblock(fd, true); err != nil {
			return Socket{}, errors.Join(fmt.Errorf("hold %s: %w", name, err), s.File.Close())
		}
	}
	return s, nil
}

// Sockets are those that a process holds.
type Sockets []Socket

// Close closes all of them.
func (s Sockets) Close() error {
	var errs []error
	for _, one := range s {
		errs = append(errs, one.File.Close())
	}
	return errors.Join(errs...)
}

// Packets opens the sockets of a name for datagrams.
func (s Sockets) Packets(name string) (out []*net.UDPConn, err error) {
	for _, one := range s {
		if one.Name != name {
			continue
		}
		c, err := net.FilePacketConn(one.File)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("socket %s: %w", name, err), closeAll(out))
		}
		udp, ok := c.(*net.UDPConn)
		if !ok {
			return nil, errors.Join(fmt.Errorf("socket %s: is not for UDP", name), c.Close(), closeAll(out))
		}
		out = append(out, udp)
	}
	return out, nil
}

// Listeners opens the sockets of a name for connections.
func (s Sockets) Listeners(name string) (out []net.Listener, err error) {
	for _, one := range s {
		if one.Name != name {
			continue
		}
		l, err := net.FileListener(one.File)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("socket %s: %w", name, err), closeAll(out))
		}
		out = append(out, l)
	}
	return out, nil
}

func closeAll[T interface{ Close() error }](all []T) error {
	var errs []error
	for _, one := range all {
		errs = append(errs, one.Close())
	}
	return errors.Join(errs...)
}
