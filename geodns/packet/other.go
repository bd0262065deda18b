//go:build !linux

package packet

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"
)

// divides says whether the system divides datagrams between sockets.
const divides = false

func share(_, _ string, _ syscall.RawConn) error { return nil }

// run answers one message after the other.
func (l *Loop) run(ctx context.Context) error {
	defer l.Conn.Close()
	forget := context.AfterFunc(ctx, func() { _ = l.Conn.SetReadDeadline(time.Unix(1, 0)) })
	defer forget()
	b := new(Batch)
	for ctx.Err() == nil {
		n, from, err := l.Conn.ReadFromUDPAddrPort(b.in[0][:])
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			continue
		case errors.Is(err, net.ErrClosed):
			return err
		case err != nil:
			l.Failed("receive", err)
			wait(ctx)
			continue
		}
		b.n, b.lengths[0], b.answers[0] = 1, n, nil
		b.from[0] = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
		l.Handler(b)
		if len(b.answers[0]) > 0 {
			if _, err := l.Conn.WriteToUDPAddrPort(b.answers[0], from); err != nil {
				l.Failed("send", err)
			}
		}
	}
	return nil
}

func wait(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(pause):
	}
}
