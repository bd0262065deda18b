package wan

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"time"
)

// Dialer dials from a site as a client there would: the connection costs one
// round trip, and each chunk written later half of one. There is no slow
// start, no loss and no handshake but that one; Delay, Jitter, Rate and Down
// of both directions count.
type Dialer struct {
	Network *Network
	From    Site

	// Dial makes the inner connection; nil is a net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Window bounds the bytes under way in each direction; 0 is
	// DefaultWindow. A stream carries no more than this in one Delay.
	Window int
}

// DialContext dials an address. Its site is the one that SetSite gave it; a
// host that is no address is itself the name of the site.
func (d *Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	to := d.Network.siteOf(address)
	out, in := d.Network.path(d.From, to), d.Network.path(to, d.From)
	due, err := travel(ctx, out, time.Now())
	if err != nil {
		return nil, fmt.Errorf("dial %s from %s: link to %s: %w", address, d.From, to, err)
	}
	there := time.Now()
	inner, err := d.dial(ctx, network, address)
	// Back it goes from when it should have been there, not from when the
	// timer let us know.
	if _, back := travel(ctx, in, due.Add(time.Since(there))); back != nil {
		if inner != nil {
			inner.Close()
		}
		return nil, fmt.Errorf("dial %s from %s: link from %s: %w", address, d.From, to, back)
	}
	if err != nil {
		return nil, err
	}
	c, err := newConn(d.Network, inner, out, in, cmp.Or(d.Window, DefaultWindow))
	if err != nil {
		inner.Close()
		return nil, err
	}
	return c, nil
}

func (d *Dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if d.Dial != nil {
		return d.Dial(ctx, network, address)
	}
	return new(net.Dialer).DialContext(ctx, network, address)
}

// travel waits until something sent at the given time has arrived at the end
// of the path, over cuts too.
func travel(ctx context.Context, p *path, sent time.Time) (time.Time, error) {
	for {
		_, changed, change := p.state(time.Now())
		at, ok := p.chunk(0, sent)
		if !ok {
			if err := until(ctx, change, changed); err != nil {
				return at, err
			}
			continue
		}
		return at, until(ctx, at, nil)
	}
}

// until waits for a time, unless it is zero, or for a channel to close.
func until(ctx context.Context, at time.Time, c <-chan struct{}) error {
	var passed <-chan time.Time
	if !at.IsZero() {
		timer := time.NewTimer(time.Until(at))
		defer timer.Stop()
		passed = timer.C
	}
	select {
	case <-passed:
		return nil
	case <-c:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
