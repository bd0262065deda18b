//go:build linux

package tun

import (
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"landfall/mesh/front"
)

// acceptAgain is when to try again after there was nothing to accept with.
const acceptAgain = 100 * time.Millisecond

// looks is how often within the timeout streams are looked at.
const looks = 8

// endSilent ends streams whose peer has acknowledged nothing for the timeout,
// though something was sent. The usual option for it, TCP_USER_TIMEOUT, would
// also end a stream whose reader is slow: it counts the time for which the
// peer's window is shut. Streams with nothing under way are the keep-alives'.
func (f *Front) endSilent() {
	tick := time.NewTicker(f.timeout / looks)
	defer tick.Stop()
	for {
		select {
		case <-f.Closing():
			return
		case now := <-tick.C:
			for _, flow := range f.All() {
				if s := flow.Endpoint().(*socket); s.sent.Load() && s.silent(now, f.timeout) {
					flow.Abort(syscall.ETIMEDOUT)
				}
			}
		}
	}
}

// silent reports whether the peer ought to have acknowledged something, and
// has not for so long. With its window shut it is probed, ever less often: an
// unanswered probe or two say nothing.
func (s *socket) silent(now time.Time, timeout time.Duration) bool {
	const probes = 3
	var info *unix.TCPInfo
	s.sent.Store(false) // a Write from here on sets it again
	_, errno := s.call(func(fd int) (int, syscall.Errno) {
		i, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		info = i
		errno, _ := err.(syscall.Errno)
		return 0, errno
	})
	if errno != 0 || info.Unacked == 0 && info.Notsent_bytes == 0 {
		s.heard = time.Time{}
		return false
	}
	s.sent.Store(true)
	ago := time.Duration(info.Last_ack_recv) * time.Millisecond
	if s.heard.IsZero() || info.Unacked == 0 && info.Probes < probes {
		s.heard = now // something has just got under way, or waits for a slow reader
	}
	return now.Sub(s.heard) >= timeout && ago >= timeout
}

// later wakes a task in a while.
func (f *Front) later(t *front.Task) {
	f.Go(func() {
		select {
		case <-time.After(acceptAgain):
			t.Wake()
		case <-f.Closing():
		}
	})
}
