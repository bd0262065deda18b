package udp

import (
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	// A burst of a long fat pipe fits while nobody reads.
	receiveBuffer = 4 << 20
	// What waits to be sent is what an urgent datagram waits for: 20 ms of
	// 100 Mbit/s.
	sendBuffer = 256 << 10
	// writers is how many writes go on at once.
	writers = 4
)

// message is the kernel's struct mmsghdr.
type message struct {
	unix.Msghdr
	n uint32
}

// socket moves datagrams in batches, by recvmmsg and sendmmsg.
type socket struct {
	counters
	udp   *net.UDPConn
	raw   syscall.RawConn
	six   bool // IPv6, and IPv4 beside it or not
	local netip.AddrPort
	in    *reader
	out   chan *writer // for Write
	aside chan *writer // for Urgent
}

// open moves datagrams in batches.
func open(c *net.UDPConn) (Conn, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("socket of the mesh: %w", err)
	}
	s := &socket{udp: c, raw: raw, local: addrPort(c.LocalAddr()), out: make(chan *writer, writers), aside: make(chan *writer, writers)}
	if outer := raw.Control(func(fd uintptr) { err = s.prepare(int(fd)) }); outer != nil {
		err = outer
	}
	if err != nil {
		return nil, fmt.Errorf("socket of the mesh on %v: %w", s.local, err)
	}
	s.in = newReader(s)
	for range writers {
		s.out <- newWriter(s, Batch)
		s.aside <- newUrgent(s)
	}
	return s, nil
}

// prepare makes the socket what a mesh needs. Don't-fragment has to be, and
// the rest is a wish: a kernel without it serves all the same.
func (s *socket) prepare(fd int) error {
	at, err := unix.Getsockname(fd)
	if err != nil {
		return fmt.Errorf("getsockname: %w", err)
	}
	_, s.six = at.(*unix.SockaddrInet6)
	four := whole(fd, unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_PROBE, unix.IP_RECVTOS)
	if s.six {
		err = whole(fd, unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER, unix.IPV6_PMTUDISC_PROBE, unix.IPV6_RECVTCLASS)
	} else {
		err = four
	}
	if err != nil {
		return err
	}
	grow(fd, unix.SO_RCVBUFFORCE, unix.SO_RCVBUF, receiveBuffer)
	grow(fd, unix.SO_SNDBUFFORCE, unix.SO_SNDBUF, sendBuffer)
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RXQ_OVFL, 1)
	join(fd)
	s.segmenting.Store(splits(fd))
	return nil
}

// whole has datagrams sent whole or not at all, whatever has been heard of
// path MTUs, and those received bear their mark.
func whole(fd, level, discover, probe, marked int) error {
	if err := unix.SetsockoptInt(fd, level, discover, probe); err != nil {
		return fmt.Errorf("set don't-fragment: %w", err)
	}
	_ = unix.SetsockoptInt(fd, level, marked, 1)
	return nil
}

// grow sets the length of a buffer, by force where that is allowed (it takes
// CAP_NET_ADMIN), else as far as the system allows.
func grow(fd, force, option, size int) {
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, force, size) != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, option, size)
	}
}

// join lets the kernel join datagrams. Kernels whose word on that cannot be
// read back, those before 5.12, do it badly.
func join(fd int) {
	if unix.SetsockoptInt(fd, unix.IPPROTO_UDP, unix.UDP_GRO, 1) != nil {
		return
	}
	if _, err := unix.GetsockoptInt(fd, unix.IPPROTO_UDP, unix.UDP_GRO); err != nil {
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_UDP, unix.UDP_GRO, 0)
	}
}

// splits reports whether the kernel can be asked to split datagrams, and does
// it well. One that cannot would send the whole as one.
func splits(fd int) bool {
	if _, err := unix.GetsockoptInt(fd, unix.IPPROTO_UDP, unix.UDP_SEGMENT); err != nil {
		return false
	}
	var u unix.Utsname
	return unix.Uname(&u) == nil && !mangles(unix.ByteSliceToString(u.Release[:]))
}

func (s *socket) LocalAddr() netip.AddrPort { return s.local }

func (s *socket) Close() error { return s.udp.Close() }
