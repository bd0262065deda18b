package udp

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
)

// plain is any net.PacketConn, one datagram at a time.
type plain struct {
	counters
	net.PacketConn
	marked MarkedConn // the same; nil if it has no marks
}

func newPlain(c net.PacketConn) *plain {
	m, _ := c.(MarkedConn)
	return &plain{PacketConn: c, marked: m}
}

func (p *plain) LocalAddr() netip.AddrPort { return addrPort(p.PacketConn.LocalAddr()) }

func (p *plain) Read(bufs [][]byte, sizes []int, from []netip.AddrPort, ecn []uint8) (int, error) {
	if len(bufs) == 0 {
		return 0, nil
	}
	for {
		var err error
		p.reads.Add(1)
		if sizes[0], from[0], ecn[0], err = p.read(bufs[0]); err == nil {
			p.received.Add(1)
			return 1, nil
		}
		if !aboutEarlier(err) {
			return 0, closedOr("read", err)
		}
		p.refused.Add(1)
	}
}

func (p *plain) read(b []byte) (n int, from netip.AddrPort, ecn uint8, err error) {
	if p.marked != nil {
		n, from, ecn, err = p.marked.ReadMarked(b)
		return n, unmap(from), ecn & 3, err
	}
	n, addr, err := p.ReadFrom(b)
	return n, addrPort(addr), 0, err
}

func (p *plain) Write(bufs [][]byte, to netip.AddrPort, tos uint8) error {
	var f faults
	for _, b := range bufs {
		if f.closed {
			break
		}
		p.writes.Add(1)
		err := p.write(b, to, tos)
		f.add(&p.counters, err, 1)
		if err == nil {
			p.sent.Add(1)
			p.messages.Add(1)
		}
	}
	return f.error(to)
}

func (p *plain) write(b []byte, to netip.AddrPort, tos uint8) (err error) {
	if p.marked != nil {
		_, err = p.marked.WriteMarked(b, to, tos)
	} else {
		_, err = p.WriteTo(b, net.UDPAddrFromAddrPort(to))
	}
	return err
}

func (p *plain) Urgent(b []byte, to netip.AddrPort, tos uint8) error {
	return p.Write([][]byte{b}, to, tos)
}

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

// addrPort is the zero value for what is not an address of UDP.
func addrPort(a net.Addr) netip.AddrPort {
	if u, ok := a.(*net.UDPAddr); ok {
		return unmap(u.AddrPort())
	}
	if a == nil {
		return netip.AddrPort{}
	}
	ap, _ := netip.ParseAddrPort(a.String())
	return unmap(ap)
}

func unmap(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }
