package netlab

import (
	"context"
	"net"
	"net/netip"
)

// Do runs f in the host's network, to make sockets there. They work from
// everywhere afterwards. f must not leave the making to other goroutines.
func (h *Host) Do(f func() error) error { return h.room.enter(f) }

// Dial connects from the host to an address.
func (h *Host) Dial(ctx context.Context, network string, to netip.AddrPort) (c net.Conn, err error) {
	err = h.Do(func() error {
		c, err = new(net.Dialer).DialContext(ctx, network, to.String())
		return err
	})
	return c, err
}

// Listen listens on the host.
func (h *Host) Listen(network string, on netip.AddrPort) (l net.Listener, err error) {
	err = h.Do(func() error {
		l, err = net.Listen(network, on.String())
		return err
	})
	return l, err
}
