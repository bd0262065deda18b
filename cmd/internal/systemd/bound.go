package systemd

import (
	"errors"
	"fmt"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// bound is what a socket is bound to.
type bound struct {
	network string // "tcp" or "udp"
	addr    netip.AddrPort
	both    bool // an IPv6 socket that takes IPv4 as well
}

func (b bound) String() string { return b.network + " " + b.addr.String() }

// serves reports whether the socket does for a wanted address. A TCP socket
// may be bound to all addresses; see Packets for why a UDP socket may not.
func (b bound) serves(want netip.AddrPort) bool {
	switch {
	case b.addr.Port() != want.Port():
		return false
	case b.addr.Addr() == want.Addr().Unmap():
		return true
	case b.network == "udp" || !b.addr.Addr().IsUnspecified():
		return false
	}
	return b.addr.Addr().Is4() == want.Addr().Unmap().Is4() || b.both
}

// boundTo asks the kernel.
func boundTo(f *os.File) (bound, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return bound{}, err
	}
	var b bound
	var asked error
	if err := raw.Control(func(fd uintptr) { b, asked = socketBound(int(fd)) }); err != nil {
		return bound{}, err
	}
	return b, asked
}

func socketBound(fd int) (bound, error) {
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return bound{}, fmt.Errorf("getsockname: %w", err)
	}
	kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil {
		return bound{}, fmt.Errorf("its type: %w", err)
	}
	b := bound{network: map[int]string{unix.SOCK_STREAM: "tcp", unix.SOCK_DGRAM: "udp"}[kind]}
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		b.addr = netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *unix.SockaddrInet6:
		b.addr = netip.AddrPortFrom(netip.AddrFrom16(sa.Addr), uint16(sa.Port))
		only, err := unix.GetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY)
		if err != nil {
			return bound{}, fmt.Errorf("IPV6_V6ONLY: %w", err)
		}
		b.both = only == 0
	}
	if b.network == "" || !b.addr.IsValid() {
		return bound{}, errors.New("it is neither TCP nor UDP over IP: a node has no use for it")
	}
	return b, listens(fd, b.network)
}

// listens refuses a TCP socket that does not listen, as Accept=yes hands over.
func listens(fd int, network string) error {
	if network != "tcp" {
		return nil
	}
	on, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	if err == nil && on == 0 {
		err = errors.New("it does not listen: take Accept=yes out of the .socket unit")
	}
	return err
}
