//go:build linux

package tun

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// mendTries is how often what cannot be put back is tried again, and
	// mendRetry after how long.
	mendTries = 5
	mendRetry = time.Second
	// mendSettle is how long whoever changes the device has to be done.
	mendSettle = 50 * time.Millisecond
	// mendPause is how long a device is left alone that was just put back,
	// twice as long each time, up to mendRest: somebody may take it as often.
	mendPause = 100 * time.Millisecond
	mendRest  = 10 * time.Second
)

// Health is how the device fares.
type Health struct {
	Mended uint64    // how often it was put back what others had taken
	What   string    // was put back last, such as "address, route"; empty for never
	When   time.Time // that was
	Err    error     // why it cannot be put back just now; nil if nothing is wanting
}

// keeper puts back what others take from the device: that it is up, its MTU,
// address and route. The kernel tells what changes (rtnetlink(7)).
type keeper struct {
	name   string
	index  int
	mtu    int
	addr   netip.Addr
	prefix netip.Prefix
	log    *slog.Logger
	news   *os.File  // what the kernel tells
	ask    int       // what it is asked by
	mended time.Time // run's own: when it last was put back

	mu     sync.Mutex
	health Health
}

// newKeeper begins to listen to the kernel.
func newKeeper(name string, mtu int, addr netip.Addr, prefix netip.Prefix, log *slog.Logger) (*keeper, error) {
	news, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("netlink: %w", err)
	}
	const groups = unix.RTMGRP_LINK | unix.RTMGRP_IPV6_IFADDR | unix.RTMGRP_IPV6_ROUTE
	if err := unix.Bind(news, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: groups}); err != nil {
		unix.Close(news)
		return nil, fmt.Errorf("netlink: listen: %w", err)
	}
	ask, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		unix.Close(news)
		return nil, fmt.Errorf("netlink: %w", err)
	}
	k := &keeper{name: name, mtu: mtu, addr: addr, prefix: prefix, log: log, news: os.NewFile(uintptr(news), "netlink"), ask: ask}
	index, err := k.number(unix.SIOCGIFINDEX)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("look up: %w", err), k.news.Close(), unix.Close(ask))
	}
	k.index = int(index)
	return k, nil
}

// run keeps the device until news is closed. Its error is that there is
// nothing left to keep.
func (k *keeper) run(closing <-chan struct{}) (lost error) {
	defer unix.Close(k.ask)
	failures, pause := 0, mendPause
	for k.wait(failures > 0) {
		pauseFor(mendSettle, closing)
		if err := k.exists(); err != nil {
			return err
		}
		what, err := k.mend()
		k.note(what, err, failures == 0)
		if err != nil {
			if failures++; failures > mendTries {
				return fmt.Errorf("device %s: somebody took what the mesh needs of it, and it cannot be put back: %w", k.name, err)
			}
			continue
		}
		if failures = 0; len(what) > 0 {
			pause = k.rest(pause, closing)
		}
	}
	return nil
}

// rest leaves the device alone that was just put back, and says for how long
// to do so the next time.
func (k *keeper) rest(pause time.Duration, closing <-chan struct{}) time.Duration {
	if now := time.Now(); now.Sub(k.mended) > 2*mendRest {
		pause = mendPause
	}
	pauseFor(pause, closing)
	k.mended = time.Now()
	return min(2*pause, mendRest)
}

// pauseFor waits for a while, or the end.
func pauseFor(d time.Duration, closing <-chan struct{}) {
	select {
	case <-time.After(d):
	case <-closing:
	}
}

// wait waits for news of the device, or until it is time to try again; false
// if there will be none.
func (k *keeper) wait(again bool) bool {
	until := time.Time{}
	if again {
		until = time.Now().Add(mendRetry)
	}
	if err := k.news.SetReadDeadline(until); err != nil {
		return false
	}
	b := make([]byte, 1<<16)
	for {
		n, err := k.news.Read(b)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, unix.ENOBUFS): // the latter: news was lost
			return true
		case err != nil:
			return false
		case concerns(b[:n], k.index, k.prefix.Bits()):
			return true
		}
	}
}

// concerns reports whether among messages of the kernel there may be one of a
// device: of itself, of the loss of an address, or of a route of so many bits.
func concerns(b []byte, index, bits int) bool {
	for len(b) >= unix.SizeofNlMsghdr {
		size := int(binary.NativeEndian.Uint32(b))
		if size < unix.SizeofNlMsghdr || size > len(b) {
			return false
		}
		body := b[unix.SizeofNlMsghdr:size]
		switch binary.NativeEndian.Uint16(b[4:]) {
		case unix.RTM_NEWLINK, unix.RTM_DELLINK, unix.RTM_DELADDR: // struct ifinfomsg, struct ifaddrmsg
			if len(body) >= 8 && int(binary.NativeEndian.Uint32(body[4:])) == index {
				return true
			}
		case unix.RTM_NEWROUTE, unix.RTM_DELROUTE: // struct rtmsg
			if len(body) >= 2 && body[0] == unix.AF_INET6 && int(body[1]) == bits {
				return true
			}
		}
		b = b[min((size+3)&^3, len(b)):]
	}
	return false
}

// exists makes sure that the device is still there, by its name.
func (k *keeper) exists() error {
	if index, err := k.number(unix.SIOCGIFINDEX); err != nil || int(index) != k.index {
		return errGone(k.name)
	}
	return nil
}

// errGone is that a device was taken away under us.
func errGone(name string) error {
	return fmt.Errorf("device %s is gone: somebody removed or renamed it (ip link, ifdown, networkctl?); it is made again at the next start", name)
}

// number asks for one number of the device (netdevice(7)).
func (k *keeper) number(request uint) (uint32, error) {
	ifr, err := unix.NewIfreq(k.name)
	if err != nil {
		return 0, err
	}
	if err := unix.IoctlIfreq(k.ask, request, ifr); err != nil {
		return 0, err
	}
	if request == unix.SIOCGIFFLAGS {
		return uint32(ifr.Uint16()), nil
	}
	return ifr.Uint32(), nil
}

// mend puts back what is wanting, and says what that was.
func (k *keeper) mend() (what []string, err error) {
	mtu, err := k.number(unix.SIOCGIFMTU)
	if err != nil {
		return nil, fmt.Errorf("look at the MTU: %w", err)
	}
	flags, err := k.number(unix.SIOCGIFFLAGS)
	if err != nil {
		return nil, fmt.Errorf("look whether it is up: %w", err)
	}
	m := mending{fd: k.ask}
	if mtu < minMTU {
		// The kernel has dropped all of IPv6, and would give the device addresses
		// of its own when that comes back, if it were up.
		m.ask("", takeDown(k.index))
		flags = 0
	}
	if int(mtu) != k.mtu {
		m.ask("MTU", setMTU(k.index, k.mtu))
		m.ask("", setLink(k.index, k.mtu))
	}
	if flags&unix.IFF_UP == 0 {
		m.ask("up", bringUp(k.index))
	}
	if m.ask("address", addAddress(k.index, k.addr)) {
		m.ask("", removeRoute(k.index, k.prefix)) // it has lost its source with the address
	}
	m.ask("route", addRoute(k.index, k.addr, k.prefix))
	return m.what, m.err
}

// mending is a row of requests, up to the first that fails.
type mending struct {
	fd   int
	sent uint32
	what []string // was put back
	err  error
}

// ask makes a request, and reports whether it changed anything.
func (m *mending) ask(what string, request []byte) bool {
	if m.err != nil {
		return false
	}
	m.sent++
	err := ask(m.fd, m.sent, request)
	if errors.Is(err, unix.EEXIST) || errors.Is(err, unix.ESRCH) {
		return false
	}
	if err != nil {
		m.err = fmt.Errorf("put back %s: %w%s", cmp.Or(what, "the device"), err, configureCure(err))
		return false
	}
	if what != "" {
		m.what = append(m.what, what)
	}
	return true
}

// note keeps what was done for status, and tells operators.
func (k *keeper) note(what []string, err error, first bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.health.Err = err
	if len(what) > 0 {
		k.health.Mended, k.health.What, k.health.When = k.health.Mended+1, strings.Join(what, ", "), time.Now()
		k.log.Warn("somebody changed the mesh's device: put back", "device", k.name, "what", k.health.What)
	}
	if err != nil && first {
		k.log.Warn("somebody changed the mesh's device, and it cannot be put back yet", "device", k.name, "err", err)
	}
}

// close ends run, or frees what it would have used.
func (k *keeper) close() error { return k.news.Close() }

// keep has the device kept, and ends the front when it is lost: what Read
// returns then says why.
func (f *Front) keep() {
	if err := f.keeper.run(f.Closing()); err != nil {
		f.lost.Store(&err)
		_ = f.device.Close() // what it could not do, its end does
	}
}

// unkeep ends that with the front.
func (f *Front) unkeep() {
	<-f.Closing()
	_ = f.keeper.close() // there is nothing to lose in it
}

// ending is what Read and Write return for an error of the device: who closes
// the front need not be told why it ends.
func (f *Front) ending(err error) error {
	if err = closedError(err); err != errClosed {
		return err
	}
	select {
	case <-f.Closing():
		return errClosed
	default:
	}
	if lost := f.lost.Load(); lost != nil {
		return *lost
	}
	return errGone(f.name)
}

// Health tells how the device fares.
func (f *Front) Health() Health {
	f.keeper.mu.Lock()
	defer f.keeper.mu.Unlock()
	return f.keeper.health
}
