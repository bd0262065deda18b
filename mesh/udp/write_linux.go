package udp

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// writer is one Write under way: messages to one address, each of one datagram
// or of a run of them that the kernel splits.
type writer struct {
	*socket
	messages []message
	vectors  []unix.Iovec
	controls []control
	one      [1][]byte // of Urgent

	to     name
	length uint32 // of to
	level  int32  // of the control message with the TOS byte, as is kind
	kind   int32
	tos    uint8
	split  bool // runs are sent as one

	next, end int // messages not sent yet
	n         int // sent by the last call
	errno     syscall.Errno
	now       func(fd uintptr)      // tries
	try       func(fd uintptr) bool // tries, and tells whether that is it
	wait      func() error          // tries until the socket is not full

	faults
	again   bool          // the next message has failed once
	lost    int           // messages in a row that could not be sent
	suspect syscall.Errno // of the last run that was not sent as one
}

func newWriter(s *socket, size int) *writer {
	w := &writer{socket: s, messages: make([]message, size), vectors: make([]unix.Iovec, size), controls: make([]control, size)}
	for i := range w.messages {
		h := &w.messages[i].Msghdr
		h.Name = (*byte)(unsafe.Pointer(&w.to))
		h.Control = &w.controls[i].bytes()[0]
	}
	w.try = w.send
	w.now = func(fd uintptr) { w.send(fd) }
	w.wait = func() error { return w.raw.Write(w.try) }
	return w
}

// newUrgent is a writer of one message that does not stand in the line of those
// who wait for Go's poller, one behind the other.
func newUrgent(s *socket) *writer {
	w := newWriter(s, 1)
	poll := func(fd uintptr) {
		at := [1]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
		_, _ = unix.Poll(at[:], int(glance.Milliseconds()))
		w.send(fd)
	}
	w.wait = func() error {
		for w.errno == unix.EAGAIN {
			if err := w.raw.Control(poll); err != nil {
				return err
			}
		}
		return nil
	}
	return w
}

// glance is how long an urgent datagram waits before it tries again. The kernel
// calls a socket writable when half of it is empty; there is room for one
// datagram long before.
const glance = time.Millisecond

func (s *socket) Write(bufs [][]byte, to netip.AddrPort, tos uint8) error {
	w := <-s.out
	defer func() { s.out <- w }()
	return w.write(bufs, to, tos)
}

func (s *socket) Urgent(b []byte, to netip.AddrPort, tos uint8) error {
	w := <-s.aside
	defer func() { s.aside <- w }()
	w.one[0] = b
	return w.write(w.one[:], to, tos)
}

func (w *writer) write(bufs [][]byte, to netip.AddrPort, tos uint8) error {
	if !w.address(to, tos) {
		w.unsent.Add(uint64(len(bufs)))
		return fmt.Errorf("send to %v from %v: %w", to, w.local, syscall.EAFNOSUPPORT)
	}
	w.faults, w.again, w.lost, w.suspect = faults{}, false, 0, 0
	w.split = w.segmenting.Load()
	used := min(len(bufs), len(w.vectors))
	for len(bufs) > 0 && !w.closed {
		w.plan(bufs)
		n, err := w.flush()
		if bufs = bufs[n:]; err != nil {
			bufs = bufs[w.fault(bufs, err):]
		}
	}
	clear(w.vectors[:used])
	w.one[0] = nil
	if w.suspect == unix.EIO || w.suspect == unix.EINVAL && w.error(to) == nil {
		w.segmenting.Store(false) // the pieces passed where the whole did not
	}
	return w.error(to)
}

// address sets where messages go and how they are marked, and reports whether
// the socket has such addresses.
func (w *writer) address(to netip.AddrPort, tos uint8) bool {
	if w.length = w.to.set(to, w.six); w.length == 0 {
		return false
	}
	if zone := to.Addr().Zone(); zone != "" && w.six {
		w.to.Scope_id = w.index(zone)
	}
	w.level, w.kind, w.tos = unix.IPPROTO_IPV6, unix.IPV6_TCLASS, tos
	if to.Addr().Unmap().Is4() { // of an IPv6 socket, too
		w.level, w.kind = unix.IPPROTO_IP, unix.IP_TOS
	}
	return true
}

// plan makes messages of as many datagrams as fit into one call.
func (w *writer) plan(bufs [][]byte) {
	w.next, w.end = 0, 0
	bufs = bufs[:min(len(bufs), len(w.vectors))]
	for vectors := w.vectors; len(bufs) > 0; w.end++ {
		n := 1
		if w.split {
			n = run(bufs)
		}
		w.fill(w.end, vectors[:n], bufs[:n])
		vectors, bufs = vectors[n:], bufs[n:]
	}
}

func (w *writer) fill(i int, vectors []unix.Iovec, bufs [][]byte) {
	for k, b := range bufs {
		vectors[k].Base = unsafe.SliceData(b)
		vectors[k].SetLen(len(b))
	}
	h, c := &w.messages[i].Msghdr, &w.controls[i]
	h.Namelen = w.length
	h.Iov = &vectors[0]
	h.SetIovlen(len(bufs))
	n := c.put(0, w.level, w.kind, 4, uint32(w.tos))
	if len(bufs) > 1 {
		n = c.put(n, unix.IPPROTO_UDP, unix.UDP_SEGMENT, 2, uint32(len(bufs[0])))
	}
	h.SetControllen(n)
}

// flush sends the messages, waiting when the socket is full, until all are
// sent or the next one fails. It tells how many datagrams are sent.
func (w *writer) flush() (sent int, err error) {
	for w.next < w.end {
		w.errno = 0
		err := w.raw.Control(w.now)
		if err == nil && w.errno == unix.EAGAIN {
			w.waits.Add(1)
			err = w.wait()
		}
		if err != nil {
			return sent, err
		}
		if w.errno != 0 {
			return sent, w.errno
		}
		sent += w.count()
	}
	return sent, nil
}

func (w *writer) send(fd uintptr) bool {
	for {
		w.writes.Add(1)
		n, _, errno := syscall.Syscall6(unix.SYS_SENDMMSG, fd, uintptr(unsafe.Pointer(&w.messages[w.next])), uintptr(w.end-w.next), unix.MSG_DONTWAIT, 0, 0)
		if errno != unix.EINTR {
			w.n, w.errno = int(n), errno
			return errno != unix.EAGAIN
		}
	}
}

// count counts what one call has sent, and tells how many datagrams it is.
func (w *writer) count() (sent int) {
	w.passed()
	w.socket.messages.Add(uint64(w.n))
	for range w.n {
		k := int(w.messages[w.next].Iovlen)
		if k > 1 {
			w.segmented.Add(uint64(k))
		}
		sent += k
		w.next++
	}
	w.sent.Add(uint64(sent))
	return sent
}

// fault decides what becomes of the first of bufs, of which the next message
// could not be sent, and tells how many are done with. A run is tried in
// pieces if splitting may be the fault. Everything that is not about a size is
// tried once more: the error may be about a datagram sent earlier. After two
// messages in a row that failed twice, the address is to blame, and the rest is
// left out.
func (w *writer) fault(bufs [][]byte, err error) int {
	errno, _ := err.(syscall.Errno)
	n := int(w.messages[w.next].Iovlen)
	switch {
	case errors.Is(err, net.ErrClosed):
		w.closed = true
		return 0
	case n > 1 && (errno == unix.EIO || errno == unix.EINVAL || errno == unix.EMSGSIZE):
		w.split, w.suspect = false, errno
		return 0
	case errno == unix.EMSGSIZE:
		w.passed()
	case !w.again:
		w.again = true
		return 0
	default:
		w.again = false
		if w.lost++; w.lost == 2 {
			n = len(bufs)
		}
	}
	w.add(&w.counters, err, n)
	return n
}

// passed notes that the way is open after all: what failed before was about
// a datagram sent earlier.
func (w *writer) passed() {
	if w.again {
		w.refused.Add(1)
	}
	w.again, w.lost = false, 0
}
