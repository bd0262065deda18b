package packet

import (
	"context"
	"encoding/binary"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

func (l *Loop) run(ctx context.Context) error {
	fd, err := l.own()
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

// own is a descriptor of the loop's own for its socket, which stays good
// whatever others do with theirs.
func (l *Loop) own() (fd int, err error) {
	socket, err := l.Conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	if outer := socket.Control(func(theirs uintptr) {
		fd, err = unix.FcntlInt(theirs, unix.F_DUPFD_CLOEXEC, 0)
	}); outer != nil {
		return 0, outer
	}
	return fd, os.NewSyscallError("fcntl", err)
}

// worker is a Loop at work.
type worker struct {
	*Loop
	fd   int
	wake int // readable once there is no more work
	mail *mail
	busy bool // there was more than a little the last time
}

// little is how many messages come together while others hardly wait.
const little = 4

// round reads and answers once, and waits for messages first unless there are
// some for sure, or it has been told to stop.
func (w *worker) round() {
	if !w.busy && !w.await(unix.POLLIN, -1) {
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
		w.await(0, int(pause.Milliseconds()))
		return
	}
	w.busy = n > little
	w.Handler(&w.mail.Batch)
	w.send(w.mail.address())
}

// await waits until something can be done with the socket, so many
// milliseconds at most, and reports whether it can.
func (w *worker) await(events int16, milliseconds int) bool {
	at := [2]unix.PollFd{{Fd: int32(w.fd), Events: events}, {Fd: int32(w.wake), Events: unix.POLLIN}}
	if _, err := unix.Poll(at[:], milliseconds); err != nil {
		return false // a signal
	}
	return at[0].Revents&(events|unix.POLLERR) != 0 && at[1].Revents == 0
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
