package wan

import (
	"container/heap"
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	maxBurst  = 64      // packets read before those that are due are sent
	maxPacket = 1 << 16 // bytes; what IP allows
)

// Router is the front for whole machines. All their packets come out of one
// device, travel the link from the site of their source address to the site of
// their destination, and go back into the device:
//
//	host A -- veth --.                      .-- veth -- host B
//	                 |   router namespace   |
//	                 '--> rule: to tun      '<-- routes by host
//	                          |                     ^
//	                          '---> Router -- tun --'
//
// One thread does all of it, so that packets of one link keep their order and
// nothing waits for a scheduler but that thread.
type Router struct {
	wan  *Network
	dev  *os.File
	wake int // an eventfd that ends the loop

	ended chan struct{}
	err   error // why the loop ended, if not by Close; set before ended closes
	once  sync.Once

	queue  packets // belongs to the loop, as do the next two
	held   int     // bytes in queue
	number uint64
}

// Router starts one on a device such as OpenTUN makes: each read and each
// write is one IP packet. Closing the router closes the device.
func (n *Network) Router(dev *os.File) (*Router, error) {
	raw, err := dev.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("router on %s: %w", dev.Name(), err)
	}
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("router on %s: eventfd: %w", dev.Name(), err)
	}
	r := &Router{wan: n, dev: dev, wake: wake, ended: make(chan struct{})}
	if err := n.adopt(r); err != nil {
		unix.Close(wake)
		return nil, err
	}
	go func() {
		defer close(r.ended)
		runtime.LockOSThread() // and never unlock: the thread ends with its priority
		// Busy neighbours make packets late; without the right to more, the
		// thread takes turns like any other.
		_ = unix.Setpriority(unix.PRIO_PROCESS, 0, -20)
		if err := raw.Control(func(fd uintptr) { r.err = r.run(int(fd)) }); err != nil {
			r.err = err
		}
	}()
	return r, nil
}

// Close drops what is under way and returns when the device is closed. The
// error says why the router ended earlier, if it did.
func (r *Router) Close() error {
	r.once.Do(func() {
		unix.Write(r.wake, binary.NativeEndian.AppendUint64(nil, 1)) // an eventfd with room takes it
		<-r.ended
		for _, k := range r.queue {
			k.path.passed()
		}
		r.queue = nil
		unix.Close(r.wake)
		r.dev.Close()
		r.wan.release(r)
	})
	return r.err
}

func (r *Router) abort() { r.Close() }

// run takes packets in and sends each when it is due, until woken to end.
func (r *Router) run(fd int) error {
	buf := make([]byte, maxPacket)
	polls := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}, {Fd: int32(r.wake), Events: unix.POLLIN}}
	for {
		if err := r.wait(polls); err != nil {
			return fmt.Errorf("router on %s: wait: %w", r.dev.Name(), err)
		}
		if polls[1].Revents != 0 {
			return nil
		}
		if polls[0].Revents != 0 {
			if err := r.read(fd, buf); err != nil {
				return fmt.Errorf("router on %s: read: %w", r.dev.Name(), err)
			}
		}
		r.flush(fd)
	}
}

// wait returns when there is something to read, to send, or to end. The
// kernel allows itself a thousandth of the time in lateness.
func (r *Router) wait(polls []unix.PollFd) error {
	var timeout *unix.Timespec
	if len(r.queue) > 0 {
		timeout = new(unix.NsecToTimespec(max(0, int64(time.Until(r.queue[0].at)))))
	}
	_, err := unix.Ppoll(polls, timeout, nil)
	if err == unix.EINTR {
		polls[0].Revents, polls[1].Revents = 0, 0
		return nil
	}
	return err
}

// read takes in what has come, up to a burst.
func (r *Router) read(fd int, buf []byte) error {
	for range maxBurst {
		n, err := unix.Read(fd, buf)
		switch {
		case err == unix.EAGAIN, err == unix.EINTR:
			return nil
		case err != nil:
			return err
		case n == 0:
			return os.ErrClosed
		}
		r.take(fd, buf[:n], time.Now())
	}
	return nil
}

// take sends a packet on, holds it back or drops it, as the link decides.
func (r *Router) take(fd int, b []byte, now time.Time) {
	p, ok := r.path(b)
	if !ok {
		r.straight(fd, b)
		return
	}
	at, fate, straight := p.packet(len(b), now)
	switch {
	case straight:
		r.straight(fd, b)
	case fate == arrives:
		r.hold(b, at, p)
	default:
		r.wan.stats.drop(fate)
	}
}

// path is the link that a packet travels, if both its ends are known.
func (r *Router) path(b []byte) (*path, bool) {
	src, dst, ok := ends(b)
	if !ok {
		return nil, false
	}
	from, known := r.wan.site(netip.AddrPortFrom(src, 0))
	to, ok := r.wan.site(netip.AddrPortFrom(dst, 0))
	if !known || !ok {
		return nil, false
	}
	return r.wan.path(from, to), true
}

func (r *Router) straight(fd int, b []byte) {
	if r.write(fd, b) {
		r.wan.stats.straight.Add(1)
	}
}

// hold keeps a copy of a packet until it is due.
func (r *Router) hold(b []byte, at time.Time, p *path) {
	if r.held+len(b) > maxHeld {
		p.passed()
		r.wan.stats.full.Add(1)
		return
	}
	k := packetPool.Get().(*packet)
	k.b = append(k.b[:0], b...)
	k.at, k.number, k.path = at, r.number, p
	r.number++
	r.held += len(b)
	heap.Push(&r.queue, k)
}

// flush sends what is due.
func (r *Router) flush(fd int) {
	for len(r.queue) > 0 {
		now := time.Now()
		if r.queue[0].at.After(now) {
			return
		}
		k := heap.Pop(&r.queue).(*packet)
		r.held -= len(k.b)
		r.wan.stats.late.add(now.Sub(k.at))
		if r.write(fd, k.b) {
			r.wan.stats.sent.Add(1)
		}
		k.path.passed()
		k.path = nil
		packetPool.Put(k)
	}
}

// write hands a packet back to the kernel, which may refuse it.
func (r *Router) write(fd int, b []byte) bool {
	if _, err := unix.Write(fd, b); err != nil {
		r.wan.stats.failed.Add(1)
		return false
	}
	r.wan.stats.bytes.Add(uint64(len(b)))
	return true
}

// ends are the addresses of an IP packet (RFC 791, 3.1; RFC 8200, 3).
func ends(b []byte) (src, dst netip.Addr, ok bool) {
	switch {
	case len(b) >= 20 && b[0]>>4 == 4:
		return netip.AddrFrom4([4]byte(b[12:])), netip.AddrFrom4([4]byte(b[16:])), true
	case len(b) >= 40 && b[0]>>4 == 6:
		return netip.AddrFrom16([16]byte(b[8:])), netip.AddrFrom16([16]byte(b[24:])), true
	}
	return netip.Addr{}, netip.Addr{}, false
}
