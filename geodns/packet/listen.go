package packet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
)

// Listen opens n sockets at one address, at least one, between which the system
// divides what comes by where it comes from. On systems that cannot, it opens
// one. For port 0 all get the same free port.
func Listen(ctx context.Context, addr netip.AddrPort, n int) ([]*net.UDPConn, error) {
	var conns []*net.UDPConn
	lc := net.ListenConfig{Control: share}
	if n = max(n, 1); n == 1 || !divides {
		n, lc.Control = 1, nil
	}
	for range n {
		c, err := lc.ListenPacket(ctx, "udp", addr.String())
		if err != nil {
			return nil, errors.Join(fmt.Errorf("listen on %v by UDP: %w", addr, err), closeAll(conns))
		}
		conn := c.(*net.UDPConn) // what network "udp" gives
		addr = netip.AddrPortFrom(addr.Addr(), conn.LocalAddr().(*net.UDPAddr).AddrPort().Port())
		conns = append(conns, conn)
	}
	return conns, nil
}

func closeAll(conns []*net.UDPConn) error {
	var errs []error
	for _, c := range conns {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}
