package join

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
)

// Sizes of TCP segments, in bytes. What a server says with its first packet
// binds both sides (RFC 9293, 3.7.1), so that the control need not know.
const (
	Segment       = 1280 - 40 - 20 // passes wherever IPv6 does (RFC 8200, 5)
	NarrowSegment = 576 - 20 - 20  // passes wherever IPv4 may be relied upon (RFC 9293, 3.7.1)
)

// Dialer makes connections whose segments, in both directions, are no larger
// than so many bytes. They pass where packets of the usual size vanish and
// nobody says so.
func Dialer(segment int) func(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{Control: func(_, _ string, c syscall.RawConn) error {
		var set error
		err := c.Control(func(fd uintptr) {
			set = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_MAXSEG, segment)
		})
		if err = errors.Join(err, set); err != nil {
			return fmt.Errorf("segments of %d bytes: %w", segment, err)
		}
		return nil
	}}
	return d.DialContext
}
