package packet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
)

// Listen opens n sockets at one address, at least one, between which the system
// divides what comes by where it comes from. On systems that cannot, it opens
// one. For port 0 all get the same free port; an address that anybody listens
// at is an error, even if the other would share it.
func Listen(ctx context.Context, addr netip.AddrPort, n int) ([]*net.UDPConn, error) {
	first, err := open(ctx, addr, nil)
	if err != nil {
		return nil, err
	}
	conns := []*net.UDPConn{first}
	if n <= 1 || !divides {
		return conns, nil
	}
	raw, err := first.SyscallConn()
	if err == nil {
		err = share("", "", raw) // only now: it is bound, and nobody shares it
	}
	addr = netip.AddrPortFrom(addr.Addr(), first.LocalAddr().(*net.UDPAddr).AddrPort().Port())
	for len(conns) < n && err == nil {
		var c *net.UDPConn
		if c, err = open(ctx, addr, share); err == nil {
			conns = append(conns, c)
		}
	}
	if err != nil {
		return nil, errors.Join(err, closeAll(conns))
	}
	return conns, nil
}

func open(ctx context.Context, addr netip.AddrPort, control func(_, _ string, _ syscall.RawConn) error) (*net.UDPConn, error) {
	where := addr.String()
	if addr.Addr().IsUnspecified() && addr.Addr().Is6() {
		where = fmt.Sprintf(":%d", addr.Port()) // without IPv6 in the kernel, IPv4 alone
	}
	lc := net.ListenConfig{Control: control}
	c, err := lc.ListenPacket(ctx, "udp", where)
	if err != nil {
		return nil, fmt.Errorf("listen on %v by UDP: %w", addr, err)
	}
	return c.(*net.UDPConn), nil // what network "udp" gives
}

func closeAll(conns []*net.UDPConn) error {
	var errs []error
	for _, c := range conns {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}
