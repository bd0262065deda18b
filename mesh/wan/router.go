package wan

import (
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"
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
// nothing waits for a scheduler but that thread. It allocates nothing for a
// packet, as long as those under way fit into what it began with.
type Router struct {
	name string
	dev  *os.File
	wake int // an eventfd that ends the loop

	ended    chan struct{}
	err      error // why the loop ended, if not by Close; set before ended closes
	once     sync.Once
	mu       sync.Mutex // of who changes boxes
	priority string     // what the thread was granted; set before Router returns

	loop
}

// Router starts one on a device such as OpenTUN makes: each read and each
// write is one IP packet. Closing the router closes the device. It shares the
// process with others, and takes turns with them.
func (n *Network) Router(dev *os.File) (*Router, error) {
	return n.router(dev, shared, 256, false)
}

// ExactRouter is Router for a process that does nothing else: its thread
// keeps the processor for itself while it waits, never enters Go's scheduler
// by its own will, and runs before all others if the kernel allows it. The
// process should run without garbage collection and with GOMAXPROCS of two at
// least.
func (n *Network) ExactRouter(dev *os.File) (*Router, error) {
	return n.router(dev, raw, 16<<10, true)
}

// router starts one that has room for so many packets from the start.
func (n *Network) router(dev *os.File, call call, room int, first bool) (*Router, error) {
	conn, err := dev.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("router on %s: %w", dev.Name(), err)
	}
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("router on %s: eventfd: %w", dev.Name(), err)
	}
	timer, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK)
	if err != nil {
		unix.Close(wake)
		return nil, fmt.Errorf("router on %s: timer: %w", dev.Name(), err)
	}
	r := &Router{name: dev.Name(), dev: dev, wake: wake, ended: make(chan struct{})}
	r.call, r.room, r.first, r.timer = call, room, first, timer
	r.furnish(n)
	if err := n.adopt(r); err != nil {
		unix.Close(wake)
		unix.Close(timer)
		return nil, err
	}
	granted := make(chan string)
	go func() {
		defer close(r.ended)
		runtime.LockOSThread() // and never unlock: the thread ends with its priority
		granted <- promote(first)
		if err := conn.Control(func(fd uintptr) { r.err = r.run(int(fd), wake) }); err != nil {
			r.err = err
		}
		if r.err != nil {
			r.err = fmt.Errorf("router on %s: %w", r.name, r.err)
		}
	}()
	r.priority = <-granted
	return r, nil
}

// Priority says what the kernel granted the router's thread: "fifo", "nice"
// or "normal". The further down, the later packets are while others work.
func (r *Router) Priority() string { return r.priority }

// Ended is closed when the router has ended, by Close or by itself.
func (r *Router) Ended() <-chan struct{} { return r.ended }

// Close drops what is under way and returns when the device is closed. The
// error says why the router ended earlier, if it did.
func (r *Router) Close() error {
	r.once.Do(func() {
		unix.Write(r.wake, binary.NativeEndian.AppendUint64(nil, 1)) // an eventfd with room takes it
		<-r.ended
		for _, k := range r.queue {
			k.path.gone()
		}
		r.queue = nil
		unix.Close(r.wake)
		unix.Close(r.timer)
		r.dev.Close()
		r.wan.release(r)
	})
	return r.err
}

func (r *Router) abort() { r.Close() }

// promote gives the calling thread, which must be locked, what the kernel
// grants it, and says what that was: before all that is ordinary if first,
// else the best place among it.
func promote(first bool) string {
	// Timers may be late by this many nanoseconds, 50,000 if nothing is said.
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0)
	const resetOnFork = 0x1 // SCHED_FLAG_RESET_ON_FORK
	if first {
		attr := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Priority: fifoRouter, Flags: resetOnFork}
		if unix.SchedSetAttr(0, &attr, 0) == nil {
			return "fifo"
		}
	}
	if unix.Setpriority(unix.PRIO_PROCESS, 0, -20) == nil {
		return "nice"
	}
	return "normal"
}

// The real-time priorities of a process that is a router and nothing else.
// What Go's runtime does in other threads, the router's thread may wait for:
// were they ordinary, it would wait for all ordinary work of the machine.
const (
	fifoRouter  = 20
	fifoRuntime = 10
)

// PromoteProcess gives the threads that the process has, and those that they
// start, precedence over ordinary ones, for a process that is a router and
// nothing else. It reports whether the kernel allowed it.
func PromoteProcess() bool {
	done := map[string]bool{}
	for more := true; more; {
		more = false
		tasks, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return false
		}
		for _, t := range tasks {
			if done[t.Name()] {
				continue
			}
			done[t.Name()], more = true, true
			var tid int
			if _, err := fmt.Sscan(t.Name(), &tid); err != nil {
				return false
			}
			attr := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Priority: fifoRuntime}
			if err := unix.SchedSetAttr(tid, &attr, 0); err != nil && err != unix.ESRCH {
				return false
			}
		}
	}
	return true
}

// clock turns times of Go into those of CLOCK_MONOTONIC, which Go's own
// monotonic times are counted by.
type clock struct {
	base time.Time
	mono int64 // nanoseconds, at base
}

func newClock() clock {
	var ts unix.Timespec
	before := time.Now()
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		return clock{base: before} // a kernel without this clock runs no Go
	}
	return clock{base: before.Add(time.Since(before) / 2), mono: ts.Nano()}
}

func (c clock) of(t time.Time) int64 { return c.mono + int64(t.Sub(c.base)) }
