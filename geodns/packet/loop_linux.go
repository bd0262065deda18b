package packet

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

func (l *Loop) run(ctx context.Context) error {
	fd, err := l.takeOver()
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return os.NewSyscallError("eventfd", err)
	}
	defer unix.Close(wake)
	told := make(chan struct{})
	forget := context.AfterFunc(ctx, func() {
		defer close(told)
		_, _ = unix.Write(wake, binary.NativeEndian.AppendUint64(nil, 1)) // cannot fail: it is 0
	})
	defer func() {
		if !forget() {
			<-told
		}
	}()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	prepare(fd)
	w := worker{Loop: l, fd: fd, wake: wake, mail: newMail(wildcard(fd))}
	for ctx.Err() == nil {
		w.round()
	}
	return nil
}

// takeOver is a descriptor of our own for the socket, which package net then
// closes its own of: as long as it has one, the kernel tells Go's poller of
// every message that comes and every answer that has left, at the cost of half
// as much again as the answer itself.
func (l *Loop) takeOver() (fd int, err error) {
	socket, err := l.Conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	if outer := socket.Control(func(theirs uintptr) {
		fd, err = unix.FcntlInt(theirs, unix.F_DUPFD_CLOEXEC, 0)
	}); outer != nil {
		return 0, outer
	}
	if err != nil {
		return 0, os.NewSyscallError("fcntl", err)
	}
	if err := l.Conn.Close(); err != nil {
		return 0, errors.Join(err, unix.Close(fd))
	}
	return fd, nil
}

// worker is a Loop at work.
type worker struct {
	*Loop
	fd   int
	wake int // readable once there is no more work
	mail *mail
	busy bool // there was more than a little the last time

	at    [2]unix.PollFd // for poll, which the compiler would make anew each time
	until unix.Timespec
}

// little is how many messages come together while others hardly wait.
const little = 4

// round reads and answers once, and waits for messages first unless there are
// some for sure.
func (w *worker) round() {
	if !w.busy && !w.await() {
		return
	}
	n, err := w.mail.receive(w.fd)
	switch err {
	case nil:
	case unix.EAGAIN, unix.EINTR:
		w.busy = false
		return
	default:
		w.busy = false
		w.Failed("receive", err)
		w.rest()
		return
	}
	w.busy = n > little
	w.Handler(&w.mail.Batch)
	w.send(w.mail.address())
}

// await waits until messages are there, and reports whether they are. The
// first while it waits without a word to Go's scheduler, see DESIGN.md; a signal
// of whoever has to stop this thread ends that.
func (w *worker) await() bool {
	return w.poll(patience) || w.poll(-1)
}

// patience is how long a thread waits for messages as one that runs.
const patience = 10 * time.Millisecond

// poll waits until messages are there, for so long at most; less than 0 waits
// for ever, and lets others run meanwhile.
func (w *worker) poll(wait time.Duration) bool {
	w.at = [2]unix.PollFd{{Fd: int32(w.fd), Events: unix.POLLIN}, {Fd: int32(w.wake), Events: unix.POLLIN}}
	if wait < 0 {
		_, _ = unix.Poll(w.at[:], -1)
	} else {
		w.until = unix.NsecToTimespec(int64(wait))
		_, _, _ = unix.RawSyscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&w.at)), 2, uintptr(unsafe.Pointer(&w.until)), 0, 0, 0)
	}
	return w.at[0].Revents != 0 || w.at[1].Revents != 0
}

// rest leaves a socket alone for a while that failed.
func (w *worker) rest() {
	at := [1]unix.PollFd{{Fd: int32(w.wake), Events: unix.POLLIN}}
	_, _ = unix.Poll(at[:], int(pause.Milliseconds()))
}

// send sends n answers. One that cannot be sent is left out: the route of that
// client is gone, or ours is, and it asks again.
func (w *worker) send(n int) {
	for begin := 0; begin < n; {
		sent, err := w.mail.send(w.fd, begin, n)
		switch {
		case err == nil:
			begin += sent
		case err == unix.EINTR:
		case err == unix.EAGAIN && w.drained():
		default:
			w.Failed("send", err)
			begin++
		}
	}
}

// drained waits for room in a full socket.
func (w *worker) drained() bool {
	at := [1]unix.PollFd{{Fd: int32(w.fd), Events: unix.POLLOUT}}
	n, err := unix.Poll(at[:], int(pause.Milliseconds()))
	return n > 0 || err == unix.EINTR
}
