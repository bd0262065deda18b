package load

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	burst      = 32 // packets in a system call
	answerSize = 4096
	bufferRoom = 4 << 20
)

// slot is a question in flight; its ID is its number.
type slot struct {
	busy  bool
	query int32
	sent  time.Duration
}

// socket is a connected one.
type socket struct {
	fd    int
	slots []slot
	free  []uint16 // of slots
	next  int      // the query to ask
	ids   [burst]uint16

	messages [burst]message // to receive
	vectors  [burst]unix.Iovec
	answers  [burst][answerSize]byte

	out     []byte // packets of a burst, one behind the other
	control [24]byte
}

// message is the kernel's struct mmsghdr.
type message struct {
	header unix.Msghdr
	size   uint32
}

func dial(server netip.AddrPort, window int) (*socket, error) {
	to := &unix.SockaddrInet4{Port: int(server.Port()), Addr: server.Addr().As4()}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	s := &socket{fd: fd, slots: make([]slot, window)}
	for id := range s.slots {
		s.free = append(s.free, uint16(id))
	}
	for i := range s.messages {
		s.vectors[i] = unix.Iovec{Base: &s.answers[i][0], Len: answerSize}
		s.messages[i].header = unix.Msghdr{Iov: &s.vectors[i], Iovlen: 1}
	}
	// The kernel caps what is asked for, but for root.
	for _, option := range []int{unix.SO_RCVBUF, unix.SO_SNDBUF, unix.SO_RCVBUFFORCE, unix.SO_SNDBUFFORCE} {
		err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, option, bufferRoom)
		if err != nil && !errors.Is(err, unix.EPERM) {
			return nil, errors.Join(fmt.Errorf("buffers: %w", err), unix.Close(fd))
		}
	}
	if err := unix.Connect(fd, to); err != nil {
		return nil, errors.Join(fmt.Errorf("connect to %v: %w", server, err), unix.Close(fd))
	}
	return s, nil
}

func (s *socket) close() { unix.Close(s.fd) }

// read takes what is there, at most a burst.
func (s *socket) read() (n int, err error) {
	got, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(s.fd), uintptr(unsafe.Pointer(&s.messages[0])), burst, unix.MSG_DONTWAIT, 0, 0)
	if errno != 0 {
		return 0, passing(errno)
	}
	return int(got), nil
}

// write sends packets of one size as one burst (UDP_SEGMENT), and reports
// whether they were sent.
func (s *socket) write(packets []byte, size int) (sent bool, err error) {
	vector := unix.Iovec{Base: &packets[0], Len: uint64(len(packets))}
	header := unix.Msghdr{Iov: &vector, Iovlen: 1}
	if len(packets) > size {
		binary.NativeEndian.PutUint64(s.control[0:], 18) // of the header, and of 2 bytes
		binary.NativeEndian.PutUint32(s.control[8:], unix.SOL_UDP)
		binary.NativeEndian.PutUint32(s.control[12:], unix.UDP_SEGMENT)
		binary.NativeEndian.PutUint16(s.control[16:], uint16(size))
		header.Control, header.Controllen = &s.control[0], uint64(len(s.control))
	}
	_, _, errno := unix.RawSyscall(unix.SYS_SENDMSG, uintptr(s.fd), uintptr(unsafe.Pointer(&header)), unix.MSG_DONTWAIT)
	if errno != 0 {
		return false, passing(errno)
	}
	return true, nil
}

// passing is nil for errors that go by: nothing there, no room, or that the
// server's socket is closed at this moment.
func passing(errno unix.Errno) error {
	switch errno {
	case unix.EAGAIN, unix.EINTR, unix.ECONNREFUSED, unix.ENOBUFS:
		return nil
	}
	return fmt.Errorf("socket: %w", errno)
}
