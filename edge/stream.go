package edge

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"log/slog"
	"net/netip"
	"sync/atomic"
	"syscall"
	"time"

	"landfall/edge/forward"
	"landfall/edge/tunnel"
)

// stream carries a connection of a service of kind tcp. What ends in order
// ends so for the client: with close_notify. All else ends in a reset, an
// origin that cannot be reached among it.
func (d *door) stream(t *tls.Conn, c *conn) {
	if !d.gate.enter() {
		return
	}
	defer d.gate.leave()
	to := c.wish.stream
	h := tunnel.Header{Client: addrPort(c.RemoteAddr().String()), Edge: d.view.Load().public(addrPort(c.LocalAddr().String())), Host: to.Service.Host, ID: rand.Text()}
	h.Describe(t.ConnectionState())
	log := d.log.With("service", h.Host, "request", h.ID)
	if err := d.guests.admit(c, time.Now()); err != nil {
		tunnel.Abort(t)
		log.Debug("stream refused", "remote", c.RemoteAddr(), "err", err)
		return
	}
	defer func() { d.guests.release(c, false, time.Now()) }()
	lull := d.guests.follow(c)
	defer lull.End()
	c.endure(tunnel.Idle) // a database's client may think for longer than one that loads a page
	d.streams.total.Add(1)
	d.streams.open.Add(1)
	defer d.streams.open.Add(-1)
	if err := d.carry(t, h, c, lull.Stir); err != nil {
		f := d.streamFault(err)
		d.streams.fault(f)
		level, times := slog.LevelDebug, uint64(1)
		if f != forward.Client {
			if n := d.broken.Count(time.Now()); n > 0 {
				level, times = slog.LevelWarn, n
			}
		}
		log.Log(context.Background(), level, "stream failed", "remote", c.RemoteAddr(), "fault", f, "times", times, "err", err)
	}
}

// carry opens the way home and lets the bytes cross over.
func (d *door) carry(t *tls.Conn, h tunnel.Header, c *conn, moved func(up bool)) error {
	far, heard, err := d.forward.Open(d.requests, c.wish.stream.Targets)
	if err == nil {
		far, err = tunnel.Open(far, h, heard)
	}
	if err != nil {
		tunnel.Abort(t)
		return err
	}
	return tunnel.Splice(d.requests, t, far, &d.streams.traffic, moved)
}

func addrPort(s string) netip.AddrPort {
	a, _ := netip.ParseAddrPort(s) // what is no address is not said
	return a
}

// streamFault finds out whose fault it is that a stream did not end in order.
func (s *Server) streamFault(err error) forward.Fault {
	b, broken := errors.AsType[*tunnel.Broken](err)
	switch {
	case errors.Is(err, forward.ErrStopping), errors.Is(err, tunnel.ErrUnknown):
		return forward.Ours
	case broken && b.Near, errors.Is(err, tunnel.ErrIdle):
		return forward.Client
	case errors.Is(err, tunnel.ErrUnreachable), errors.Is(err, syscall.ECONNRESET):
		return forward.Origin
	}
	return s.cfg.Between
}

// streams counts those of all services of kind tcp.
type streams struct {
	total                      atomic.Uint64
	open                       atomic.Int64
	traffic                    tunnel.Traffic
	client, mesh, origin, ours atomic.Uint64
}

func (s *streams) fault(f forward.Fault) {
	switch f {
	case forward.Client:
		s.client.Add(1)
	case forward.Mesh:
		s.mesh.Add(1)
	case forward.Origin:
		s.origin.Add(1)
	case forward.Ours:
		s.ours.Add(1)
	}
}

func (s *streams) faults() map[string]uint64 {
	return map[string]uint64{
		string(forward.Client): s.client.Load(),
		string(forward.Mesh):   s.mesh.Load(),
		string(forward.Origin): s.origin.Load(),
		string(forward.Ours):   s.ours.Load(),
	}
}
