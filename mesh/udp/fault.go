package udp

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
)

// faults are the errors of one Write.
type faults struct {
	closed bool
	first  error // of those that are not about a size
	tooBig bool
}

// add counts what became of n datagrams; nil is no fault.
func (f *faults) add(c *counters, err error, n int) {
	switch {
	case err == nil:
		return
	case errors.Is(err, net.ErrClosed):
		f.closed = true
		return
	case errors.Is(err, syscall.EMSGSIZE):
		f.tooBig = true
		c.tooBig.Add(uint64(n))
		return
	}
	c.unsent.Add(uint64(n))
	if f.first == nil {
		f.first = err
	}
}

func (f *faults) error(to netip.AddrPort) error {
	switch {
	case f.closed:
		return net.ErrClosed
	case f.tooBig && f.first != nil:
		return fmt.Errorf("send to %v: %w; %w", to, ErrTooBig, f.first)
	case f.tooBig:
		return fmt.Errorf("send to %v: %w", to, ErrTooBig)
	case f.first != nil:
		return fmt.Errorf("send to %v: %w", to, f.first)
	}
	return nil
}

// aboutEarlier reports whether an error of a read is what ICMP has said about
// a datagram sent before.
func aboutEarlier(err error) bool {
	errno, ok := errors.AsType[syscall.Errno](err)
	if !ok {
		return false
	}
	switch errno {
	case syscall.ECONNREFUSED, syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.EHOSTDOWN, syscall.ENETDOWN,
		syscall.ENOPROTOOPT, syscall.EPROTO, syscall.EOPNOTSUPP, syscall.EACCES, syscall.EMSGSIZE, syscall.ECONNRESET:
		return true
	}
	return false
}

// closedOr is net.ErrClosed itself, or another error with its deed.
func closedOr(deed string, err error) error {
	if errors.Is(err, net.ErrClosed) {
		return net.ErrClosed
	}
	return fmt.Errorf("%s: %w", deed, err)
}
