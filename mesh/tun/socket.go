//go:build linux

package tun

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"landfall"
	"landfall/mesh/front"
)

// socket is a connection of the kernel's. It implements front.Endpoint.
type socket struct {
	poll   *poller
	watch  *watch
	waker  atomic.Pointer[front.Waker]
	events atomic.Uint32 // that came; failures only until they were looked at
	failed atomic.Pointer[syscall.Errno]
	sent   atomic.Bool // bytes may wait to be acknowledged

	heard time.Time // when it was last sure that the peer lives; endSilent's own

	mu     sync.RWMutex // held while fd is in use, so that it is still ours
	fd     int
	closed bool
}

// ends are events that come once, perhaps together with data.
const ends = unix.EPOLLRDHUP | unix.EPOLLHUP | unix.EPOLLERR

// adopt begins to watch a socket, and closes it if that fails.
func (f *Front) adopt(fd int) (*socket, error) {
	s := &socket{poll: f.poll, fd: fd}
	var err error
	if s.watch, err = f.poll.add(fd, s.happened); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return s, nil
}

// happened has the poller wake the flow, if it has one yet.
func (s *socket) happened(events uint32) front.Waker {
	s.events.Or(events)
	if w := s.waker.Load(); w != nil {
		return *w
	}
	return nil
}

// Notify implements front.Endpoint. What has happened before is not lost: the
// flow looks for itself when it starts.
func (s *socket) Notify(w front.Waker) { s.waker.Store(&w) }

// call makes a system call on the socket, again if a signal came between.
func (s *socket) call(do func(fd int) (int, syscall.Errno)) (int, syscall.Errno) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return 0, syscall.EBADF
	}
	for {
		n, errno := do(s.fd)
		if errno != syscall.EINTR {
			return n, errno
		}
	}
}

// Write implements front.Endpoint.
func (s *socket) Write(b []byte) (n int, err error) {
	s.sent.Store(true)
	for n < len(b) {
		k, errno := s.call(func(fd int) (int, syscall.Errno) {
			return transfer(unix.SYS_SENDTO, fd, b[n:], unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT)
		})
		switch errno {
		case 0:
			n += k
		case syscall.EAGAIN:
			return n, nil
		default:
			return n, s.fail(errno)
		}
	}
	return n, nil
}

// Room implements front.Endpoint.
func (s *socket) Room() bool {
	n, errno := s.call(func(fd int) (int, syscall.Errno) {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, 0)
		errno, _ := err.(syscall.Errno)
		return n, errno
	})
	return errno == 0 && n > 0
}

// Peek implements front.Endpoint. Less than was asked for is all there is, and
// what comes then is news, but for an end that came together with it.
func (s *socket) Peek(b []byte) (n int, more bool, err error) {
	n, errno := s.call(func(fd int) (int, syscall.Errno) {
		return transfer(unix.SYS_RECVFROM, fd, b, unix.MSG_PEEK|unix.MSG_DONTWAIT)
	})
	switch {
	case errno == syscall.EAGAIN:
		return 0, false, nil
	case errno != 0:
		return 0, false, s.fail(errno)
	case n > 0:
		return n, n == len(b) || s.events.Load()&ends != 0, nil
	}
	if e := s.failed.Load(); e != nil { // a Write has taken the error
		return 0, false, meshError(*e)
	}
	return 0, false, io.EOF
}

// Take implements front.Endpoint. The kernel drops without copying.
func (s *socket) Take(n int) {
	for n > 0 {
		k, errno := s.call(func(fd int) (int, syscall.Errno) {
			k, _, errno := unix.Syscall6(unix.SYS_RECVFROM, uintptr(fd), 0, uintptr(n), unix.MSG_TRUNC|unix.MSG_DONTWAIT, 0, 0)
			return int(k), errno
		})
		if errno != 0 || k == 0 {
			return
		}
		n -= k
	}
}

// CloseWrite implements front.Endpoint.
func (s *socket) CloseWrite() error {
	s.sent.Store(true)
	_, errno := s.call(func(fd int) (int, syscall.Errno) {
		errno, _ := unix.Shutdown(fd, unix.SHUT_WR).(syscall.Errno)
		return 0, errno
	})
	if errno == syscall.ENOTCONN || errno == syscall.EBADF {
		return nil
	}
	return meshError(errno)
}

// Failure implements front.Endpoint.
func (s *socket) Failure() error {
	if s.failed.Load() == nil && s.events.Load()&(unix.EPOLLERR|unix.EPOLLHUP) != 0 {
		s.events.And(^uint32(unix.EPOLLERR | unix.EPOLLHUP)) // those to come are looked at when they do
		if errno := s.pending(); errno != 0 {
			_ = s.fail(errno)
		}
	}
	e := s.failed.Load()
	if e == nil || s.unread() > 0 {
		return nil
	}
	return meshError(*e)
}

// pending takes the error that the kernel keeps for the socket.
func (s *socket) pending() syscall.Errno {
	n, errno := s.call(func(fd int) (int, syscall.Errno) {
		n, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
		errno, _ := err.(syscall.Errno)
		return n, errno
	})
	if errno != 0 {
		return errno
	}
	return syscall.Errno(n)
}

func (s *socket) unread() int {
	n, _ := s.call(func(fd int) (int, syscall.Errno) {
		n, err := unix.IoctlGetInt(fd, unix.SIOCINQ)
		errno, _ := err.(syscall.Errno)
		return n, errno
	})
	return n
}

// fail keeps an error that the kernel tells once, and only the first.
func (s *socket) fail(errno syscall.Errno) error {
	s.failed.CompareAndSwap(nil, &errno)
	return meshError(*s.failed.Load())
}

// Mark implements front.Endpoint.
func (s *socket) Mark(c landfall.Class) {
	_, _ = s.call(func(fd int) (int, syscall.Errno) {
		mark(fd, c)
		return 0, 0
	})
}

// Close implements front.Endpoint.
func (s *socket) Close(reset bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.closed = true
	s.poll.remove(s.watch)
	if reset {
		_ = unix.SetsockoptLinger(s.fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	}
	unix.Close(s.fd)
}

// local and remote address.
func (s *socket) names() (local, remote unix.Sockaddr, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return nil, nil, net.ErrClosed
	}
	if local, err = unix.Getsockname(s.fd); err != nil {
		return nil, nil, err
	}
	remote, err = unix.Getpeername(s.fd)
	return local, remote, err
}

// transfer is send or recv without what package unix makes for addresses.
func transfer(trap uintptr, fd int, b []byte, flags uintptr) (int, syscall.Errno) {
	n, _, errno := unix.Syscall6(trap, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), flags, 0, 0)
	return int(n), errno
}
