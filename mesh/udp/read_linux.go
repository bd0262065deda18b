package udp

import (
	"bytes"
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// bigBuffers is how many messages are read at once while the kernel joins.
	bigBuffers = 8
	// patience is how many times the big buffers may be full of single
	// datagrams before they are given up.
	patience = 8
)

// reader is the reading half of a socket. Single datagrams are read into the
// caller's buffers, 128 at a time. Once the kernel has joined some, there are
// many in a message, and messages are read into big buffers and dealt out from
// there, until they are single again.
type reader struct {
	*socket
	messages [Batch]message
	vectors  [Batch]unix.Iovec
	names    [Batch]name
	controls [Batch]control

	big     [][]byte // nil until needed
	joining bool     // messages go to big
	single  int      // full reads of single datagrams since there were joined ones
	kept    [Batch]joined
	rest    []joined // of kept, what is not yet dealt out

	ask   int // messages asked for
	got   int
	errno syscall.Errno
	wait  func() error // receives, once there is something

	scope uint32 // the last interface, while one batch is looked at
	zone  string
}

// joined is a message: one datagram, or several of one size but the last.
type joined struct {
	data []byte
	size int
	from netip.AddrPort
	tos  uint8
}

func newReader(s *socket) *reader {
	r := &reader{socket: s}
	try := r.receive
	r.wait = func() error { return r.raw.Read(try) }
	for i := range r.messages {
		h := &r.messages[i].Msghdr
		h.Name = (*byte)(unsafe.Pointer(&r.names[i]))
		h.Control = &r.controls[i].bytes()[0]
		h.Iov = &r.vectors[i]
		h.SetIovlen(1)
	}
	return r
}

func (s *socket) Read(bufs [][]byte, sizes []int, from []netip.AddrPort, tos []uint8) (int, error) {
	return s.in.read(batch{bufs, sizes, from, tos})
}

// batch is what a caller wants filled.
type batch struct {
	bufs  [][]byte
	sizes []int
	from  []netip.AddrPort
	tos   []uint8
}

func (r *reader) read(b batch) (n int, err error) {
	for n == 0 && len(b.bufs) > 0 {
		if len(r.rest) > 0 {
			n = r.deal(b, 0)
			continue
		}
		big := r.joining || !roomy(b.bufs)
		if big {
			r.into(r.buffers())
		} else {
			r.into(b.bufs)
		}
		if err := r.await(); err != nil {
			return 0, err
		}
		if big {
			r.keep()
		} else {
			n = r.hand(b)
		}
	}
	r.received.Add(uint64(n))
	return n, nil
}

// roomy reports whether buffers hold whatever comes.
func roomy(bufs [][]byte) bool {
	for _, b := range bufs {
		if len(b) < bigBuffer {
			return false
		}
	}
	return true
}

func (r *reader) buffers() [][]byte {
	if r.big == nil {
		all := make([]byte, bigBuffers*bigBuffer)
		for i := range bigBuffers {
			r.big = append(r.big, all[i*bigBuffer:(i+1)*bigBuffer])
		}
	}
	return r.big
}

func (r *reader) into(bufs [][]byte) {
	r.ask = min(len(bufs), Batch)
	for i := range r.ask {
		r.vectors[i].Base = &bufs[i][0]
		r.vectors[i].SetLen(len(bufs[i]))
		h := &r.messages[i].Msghdr
		h.Namelen = unix.SizeofSockaddrInet6
		h.SetControllen(len(control{}) * 8)
	}
}

// await waits for messages.
func (r *reader) await() error {
	for {
		r.errno = 0
		if err := r.wait(); err != nil {
			return closedOr("receive", err)
		}
		switch {
		case r.errno == 0:
			r.scope = 0
			return nil
		case !aboutEarlier(r.errno):
			return closedOr("receive", r.errno)
		}
		r.refused.Add(1)
	}
}

func (r *reader) receive(fd uintptr) bool {
	for {
		r.reads.Add(1)
		n, _, errno := syscall.Syscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&r.messages[0])), uintptr(r.ask), unix.MSG_DONTWAIT, 0, 0)
		if errno != unix.EINTR {
			r.got, r.errno = int(n), errno
			return errno != unix.EAGAIN
		}
	}
}

// message is what is to be known of message i, whose data is in b.
func (r *reader) message(i int, b []byte) joined {
	h := &r.messages[i]
	m := parse(r.controls[i].bytes()[:min(uint64(h.Controllen), 96)])
	if m.lost > 0 {
		r.overflowed.Store(uint64(m.lost))
	}
	j := joined{data: b[:h.n], size: int(h.n), from: r.names[i].addrPort(), tos: m.tos}
	if m.segment > 0 && m.segment < j.size {
		r.coalesced.Add(uint64((j.size + m.segment - 1) / m.segment))
		j.size = m.segment
	}
	if scope := r.names[i].Scope_id; r.names[i].Family == unix.AF_INET6 && scope != 0 && j.from.Addr().Is6() {
		if scope != r.scope {
			r.scope, r.zone = scope, r.socket.zone(scope)
		}
		j.from = netip.AddrPortFrom(j.from.Addr().WithZone(r.zone), j.from.Port())
	}
	return j
}

// hand leaves messages where they are, in the caller's buffers, up to the first
// that is more than one datagram: from there on they are kept elsewhere.
func (r *reader) hand(b batch) int {
	r.rest = r.kept[:0]
	for i := range r.got {
		m := r.message(i, b.bufs[i])
		if len(r.rest) > 0 || m.size < len(m.data) {
			m.data = bytes.Clone(m.data)
			r.rest = append(r.rest, m)
			continue
		}
		b.sizes[i], b.from[i], b.tos[i] = m.size, m.from, m.tos
	}
	n := r.got - len(r.rest)
	if len(r.rest) > 0 {
		r.joining, r.single = true, 0
	}
	return r.deal(b, n)
}

// keep has messages in the big buffers dealt out.
func (r *reader) keep() {
	r.rest = r.kept[:0]
	joined := false
	for i := range r.got {
		m := r.message(i, r.big[i])
		joined = joined || m.size < len(m.data)
		r.rest = append(r.rest, m)
	}
	switch {
	case joined:
		r.joining, r.single = true, 0
	case r.got == bigBuffers:
		r.single++
		r.joining = r.joining && r.single < patience
	}
}

// deal copies datagrams to the caller's buffers from n on, and tells up to
// where.
func (r *reader) deal(b batch, n int) int {
	for len(r.rest) > 0 && n < len(b.bufs) {
		m := &r.rest[0]
		d := m.data[:min(m.size, len(m.data))]
		if m.data = m.data[len(d):]; len(m.data) == 0 {
			r.rest = r.rest[1:]
		}
		if len(d) > len(b.bufs[n]) {
			r.cut.Add(1)
			continue
		}
		b.sizes[n], b.from[n], b.tos[n] = copy(b.bufs[n], d), m.from, m.tos
		n++
	}
	return n
}
