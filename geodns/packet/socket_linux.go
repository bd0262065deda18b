package packet

import (
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// receiveBuffer is how many bytes may wait in a socket: with what the kernel
// needs beside each message, about twenty thousand queries: those of a tenth of a
// second, in which a successor on the same processor may hold us up.
const receiveBuffer = 16 << 20

// prepare makes a socket fit for many datagrams. All of it is a wish: a kernel
// that does not know an option serves all the same.
func prepare(fd int) {
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer) != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer) // as far as the system allows
	}
	// Nobody can make us cut answers into fragments by telling us of narrow
	// paths (RFC 9715, 3).
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_OMIT)
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER, unix.IPV6_PMTUDISC_OMIT)
}

// wildcard has messages of a socket that is bound to no address tell which one
// they were sent to, and reports whether they will: answers come from there.
func wildcard(fd int) bool {
	at, err := unix.Getsockname(fd)
	if err != nil {
		return false
	}
	switch at := at.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrFrom4(at.Addr).IsUnspecified() && unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_PKTINFO, 1) == nil
	case *unix.SockaddrInet6:
		return netip.AddrFrom16(at.Addr).IsUnspecified() && unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1) == nil
	}
	return false
}

// divides says whether the system divides datagrams between sockets.
const divides = true

// share lets several sockets be bound to one address.
func share(_, _ string, socket syscall.RawConn) error {
	var fault error
	if err := socket.Control(func(fd uintptr) {
		fault = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
	}); err != nil {
		return err
	}
	return fault
}
