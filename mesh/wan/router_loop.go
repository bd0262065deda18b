package wan

import (
	"container/heap"
	"net/netip"
	"os"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	maxBurst   = 64      // packets read before those that are due are sent
	maxPacket  = 1 << 16 // bytes; what IP allows
	usualBytes = 2048    // room that each packet has from the start
)

// loop is the router's thread's own: nobody else looks into it while the
// thread lives.
type loop struct {
	call  call
	room  int  // packets to have room for from the start
	first bool // whether to run before all others

	boxes  atomic.Pointer[boxes] // the one thing that others may change
	wan    *Network
	clock  clock
	timer  int
	armed  time.Time // what the timer waits for; zero is nothing
	spec   unix.ItimerSpec
	ticks  [8]byte
	polls  [3]unix.PollFd // the device, the timer, and what ends the loop
	buf    []byte
	notice []byte // what is made here
	queue  packets
	free   []*packet
	held   int // bytes in queue
	number uint64
}

// call asks the kernel.
type call func(trap, a1, a2, a3, a4, a5, a6 uintptr) (r1, r2 uintptr, err unix.Errno)

// raw keeps the thread's place in Go's scheduler while the kernel works, and
// shared gives it to whoever wants it.
func raw(trap, a1, a2, a3, a4, a5, a6 uintptr) (r1, r2 uintptr, err unix.Errno) {
	return unix.RawSyscall6(trap, a1, a2, a3, a4, a5, a6)
}

func shared(trap, a1, a2, a3, a4, a5, a6 uintptr) (r1, r2 uintptr, err unix.Errno) {
	return unix.Syscall6(trap, a1, a2, a3, a4, a5, a6)
}

// furnish gives the loop all that it will need. It lies on the heap, where
// nothing moves while the kernel looks at it.
func (l *loop) furnish(n *Network) {
	l.wan, l.clock = n, newClock()
	l.buf, l.notice = make([]byte, maxPacket), make([]byte, 0, maxPacket)
	slab := make([]byte, l.room*usualBytes)
	made := make([]packet, l.room)
	l.free, l.queue = make([]*packet, l.room), make(packets, 0, l.room)
	for i := range made {
		made[i].b = slab[i*usualBytes : i*usualBytes : (i+1)*usualBytes]
		l.free[i] = &made[i]
	}
	if l.first {
		for i := 0; i < len(slab); i += os.Getpagesize() {
			slab[i] = 0 // the kernel gives the page now, not when a packet waits for it
		}
	}
}

// run takes packets in and sends each when it is due, until woken to end.
func (l *loop) run(dev, wake int) error {
	l.polls = [3]unix.PollFd{{Fd: int32(dev), Events: unix.POLLIN}, {Fd: int32(l.timer), Events: unix.POLLIN}, {Fd: int32(wake), Events: unix.POLLIN}}
	for {
		l.flush(dev)
		if err := l.wait(); err != nil {
			return os.NewSyscallError("wait", err)
		}
		if l.polls[2].Revents != 0 {
			return nil
		}
		if l.polls[1].Revents != 0 {
			l.armed = time.Time{}
			l.call(unix.SYS_READ, uintptr(l.timer), uintptr(unsafe.Pointer(&l.ticks[0])), uintptr(len(l.ticks)), 0, 0, 0)
		}
		if l.polls[0].Revents != 0 {
			if err := l.read(dev); err != nil {
				return os.NewSyscallError("read", err)
			}
		}
	}
}

// wait returns when there is something to read, to send, or to end.
func (l *loop) wait() error {
	if err := l.arm(); err != nil {
		return err
	}
	_, _, err := l.call(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&l.polls[0])), uintptr(len(l.polls)), 0, 0, 0, 0)
	if err == unix.EINTR {
		for i := range l.polls {
			l.polls[i].Revents = 0
		}
		return nil
	}
	if err != 0 {
		return err
	}
	return nil
}

// arm sets the timer for the packet that is due first. The timer takes a
// time, not a span, so that nothing between here and the kernel adds to it.
func (l *loop) arm() error {
	var next time.Time
	if len(l.queue) > 0 {
		next = l.queue[0].at
	}
	if next.Equal(l.armed) {
		return nil
	}
	l.armed = next
	l.spec = unix.ItimerSpec{}
	if !next.IsZero() {
		l.spec.Value = unix.NsecToTimespec(max(1, l.clock.of(next))) // 0 would disarm it
	}
	_, _, err := l.call(unix.SYS_TIMERFD_SETTIME, uintptr(l.timer), unix.TFD_TIMER_ABSTIME, uintptr(unsafe.Pointer(&l.spec)), 0, 0, 0)
	if err != 0 {
		return err
	}
	return nil
}

// read takes in what has come, up to a burst.
func (l *loop) read(dev int) error {
	for range maxBurst {
		n, _, err := l.call(unix.SYS_READ, uintptr(dev), uintptr(unsafe.Pointer(&l.buf[0])), uintptr(len(l.buf)), 0, 0, 0)
		switch {
		case err == unix.EAGAIN, err == unix.EINTR:
			return nil
		case err != 0:
			return err
		case n == 0:
			return os.ErrClosed
		}
		l.take(dev, l.buf[:n], time.Now())
	}
	return nil
}

// take sends a packet on, holds it back or drops it, as the link decides.
func (l *loop) take(dev int, b []byte, now time.Time) {
	if _, _, ok := ends(b); ok && !l.leave(b, now) {
		l.wan.stats.filtered.Add(1)
		return
	}
	w, ok := l.way(b)
	if !ok {
		l.straight(dev, b)
		return
	}
	there := l.wan.path(w.from, w.to)
	v, straight := there.offer(len(b), tos(b), now)
	l.wan.stats.note(v)
	switch {
	case v.fate == tooBig:
		l.beyond(dev, b, v, there, l.wan.path(w.to, w.from), now)
		return
	case v.marked:
		markCE(b)
	}
	if straight {
		for range v.copies {
			l.straight(dev, b)
		}
		return
	}
	for range v.copies {
		l.hold(b, v.at, there)
	}
}

// way is from where to where a packet travels, if both is known.
func (l *loop) way(b []byte) (w way, ok bool) {
	src, dst, ok := ends(b)
	if !ok {
		return w, false
	}
	from, known := l.wan.site(netip.AddrPortFrom(src, 0))
	to, ok := l.wan.site(netip.AddrPortFrom(dst, 0))
	return way{from, to}, known && ok
}

func (l *loop) straight(dev int, b []byte) {
	if l.deliver(dev, b, time.Now()) {
		l.wan.stats.straight.Add(1)
	}
}

// hold keeps a copy of a packet until it is due.
func (l *loop) hold(b []byte, at time.Time, p *path) {
	if l.held+len(b) > maxHeld {
		p.gone()
		l.wan.stats.full.Add(1)
		return
	}
	var k *packet
	if last := len(l.free) - 1; last >= 0 {
		k, l.free = l.free[last], l.free[:last]
	} else {
		k = new(packet)
	}
	k.b = append(k.b[:0], b...)
	k.at, k.number, k.path = at, l.number, p
	l.number++
	l.held += len(b)
	heap.Push(&l.queue, k)
}

// flush sends what is due.
func (l *loop) flush(dev int) {
	for len(l.queue) > 0 {
		now := time.Now()
		if l.queue[0].at.After(now) {
			return
		}
		k := heap.Pop(&l.queue).(*packet)
		l.held -= len(k.b)
		l.wan.stats.late.add(now.Sub(k.at))
		if l.deliver(dev, k.b, now) {
			l.wan.stats.sent.Add(1)
		}
		k.path.gone()
		k.path = nil
		l.free = append(l.free, k)
	}
}

// deliver hands on what has arrived, if nothing keeps it out.
func (l *loop) deliver(dev int, b []byte, now time.Time) bool {
	if !l.enter(b, now) {
		l.wan.stats.filtered.Add(1)
		return false
	}
	return l.write(dev, b)
}

// write hands a packet, which is not empty, back to the kernel, which may
// refuse it.
func (l *loop) write(dev int, b []byte) bool {
	if _, _, err := l.call(unix.SYS_WRITE, uintptr(dev), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), 0, 0, 0); err != 0 {
		l.wan.stats.failed.Add(1)
		return false
	}
	l.wan.stats.bytes.Add(uint64(len(b)))
	return true
}

// gone is passed for packets that may be on no path.
func (p *path) gone() {
	if p != nil {
		p.passed()
	}
}
