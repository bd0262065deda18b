//go:build linux

package tun

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"landfall/mesh/front"
)

// poller tells watches of what happens on their sockets: one epoll instance
// for all of them, itself watched by the runtime's, and one goroutine.
type poller struct {
	file *os.File
	fd   int
	done chan struct{}

	mu      sync.Mutex
	closed  bool
	watches []*watch // by number; nil where free
	free    []int32
	lives   int32
}

// watch is one socket's part. It is told what happened, EPOLLIN and the like,
// and says who is to be woken, if anybody.
type watch struct {
	fd       int
	number   int32
	life     int32 // differs from that of others that had the number
	happened func(events uint32) front.Waker
}

// interest is what sockets are watched for: changes, not states.
const interest = unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET&0xffffffff

func newPoller() (*poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil { // or the runtime would not watch it
		unix.Close(fd)
		return nil, fmt.Errorf("epoll: %w", err)
	}
	p := &poller{file: os.NewFile(uintptr(fd), "epoll"), fd: fd, done: make(chan struct{})}
	raw, err := p.file.SyscallConn()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("epoll: %w", err), p.file.Close())
	}
	go func() {
		defer close(p.done)
		events, scratch := make([]unix.EpollEvent, 256), make([]byte, front.ScratchSize)
		// It ends when the file is closed.
		_ = raw.Read(func(fd uintptr) bool {
			for p.collect(int(fd), events, scratch) {
				continue
			}
			return false
		})
	}()
	return p, nil
}

// collect wakes those with news, and reports whether there may be more. The
// last it runs itself, which saves the way to another goroutine where there is
// but one.
func (p *poller) collect(fd int, events []unix.EpollEvent, scratch []byte) (more bool) {
	n, err := unix.EpollWait(fd, events, 0)
	if err == unix.EINTR {
		return true
	}
	var last front.Waker
	for _, e := range events[:max(n, 0)] {
		if last != nil {
			last.Wake()
		}
		last = p.waker(e)
	}
	if last != nil {
		last.Run(scratch)
	}
	return n == len(events)
}

func (p *poller) waker(e unix.EpollEvent) front.Waker {
	p.mu.Lock()
	w := p.watches[e.Fd]
	p.mu.Unlock()
	if w == nil || w.life != e.Pad {
		return nil
	}
	return w.happened(e.Events)
}

// add begins to watch a socket.
func (p *poller) add(fd int, happened func(events uint32) front.Waker) (*watch, error) {
	w := &watch{fd: fd, happened: happened}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, net.ErrClosed
	}
	if n := len(p.free); n > 0 {
		w.number, p.free = p.free[n-1], p.free[:n-1]
	} else {
		w.number, p.watches = int32(len(p.watches)), append(p.watches, nil)
	}
	p.lives++
	w.life = p.lives
	p.watches[w.number] = w
	if err := unix.EpollCtl(p.fd, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: interest, Fd: w.number, Pad: w.life}); err != nil {
		p.release(w)
		return nil, fmt.Errorf("epoll: %w", err)
	}
	return w, nil
}

// remove ends that, before the socket is closed.
func (p *poller) remove(w *watch) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.watches[w.number] != w {
		return
	}
	_ = unix.EpollCtl(p.fd, unix.EPOLL_CTL_DEL, w.fd, nil) // it is there
	p.release(w)
}

func (p *poller) release(w *watch) {
	p.watches[w.number] = nil
	p.free = append(p.free, w.number)
}

func (p *poller) close() error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	err := p.file.Close()
	<-p.done
	return err
}
