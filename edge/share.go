package edge

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"landfall/edge/forward"
)

// How often requests may be cancelled before their answer. Each costs the
// connection to the origin that carried it, and a dial across the ocean for
// the next. A page with hundreds of pictures may be left at once; nobody
// does that all day.
const (
	hasty = 10 * time.Second // who waited longer than that is not hasty: connections are few

	connBurst, connEvery   = 200, 100 * time.Millisecond // over that, the connection is closed
	partyBurst, partyEvery = 1000, 20 * time.Millisecond // over that, the address has to wait

	penalty = 10 * time.Second // and not longer than that: its neighbours behind the address wait with it
)

// calm limits how often something happens: a burst of times at once, and
// then once every interval. Its zero value is ready.
type calm struct {
	due time.Time // when all that has happened is forgotten
}

// disturb counts one; a burst and the penalty later all is forgotten.
func (c *calm) disturb(now time.Time, burst int, every time.Duration) {
	if c.due.Before(now) {
		c.due = now
	}
	c.due = c.due.Add(every)
	if last := now.Add(time.Duration(burst)*every + penalty); c.due.After(last) {
		c.due = last
	}
}

func (c *calm) lost(now time.Time, burst int, every time.Duration) bool {
	return c.due.Sub(now) > time.Duration(burst)*every
}

// Why a request has to wait.
var (
	errShare   = errors.New("too many requests from this address are under way")
	errCancels = errors.New("too many requests from this address were cancelled")
)

// admit takes on a request of a guest, under the rule for connections: no
// address may have more under way than is still free.
func (g *guests) admit(c *conn, now time.Time) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch p := c.party; {
	case p.cancels.lost(now, partyBurst, partyEvery):
		g.hasty.Add(1)
		return errCancels
	case p.inside >= g.limit-g.inside:
		g.greedy.Add(1)
		return errShare
	}
	g.inside++
	c.party.inside++
	return nil
}

// release ends a request that admit took on.
func (g *guests) release(c *conn, cancelled bool, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inside--
	c.party.inside--
	if cancelled {
		c.party.cancels.disturb(now, partyBurst, partyEvery)
		c.cancels.disturb(now, connBurst, connEvery)
		if _, open := g.conns[c]; open && c.cancels.lost(now, connBurst, connEvery) {
			g.remove(c)
			c.Conn.Close()
			g.cancelled.Add(1)
		}
	}
	g.forget(c.party)
}

// guestKey is where the context of a connection has its guest.
type guestKey struct{}

// withGuest is the http.Server's ConnContext.
func withGuest(ctx context.Context, nc net.Conn) context.Context {
	if c, ok := guestBelow(nc); ok {
		return context.WithValue(ctx, guestKey{}, c)
	}
	return ctx
}

// share runs a request within the share of the address it came from.
func (s *Server) share(w http.ResponseWriter, r *http.Request, serve func()) {
	c, ok := r.Context().Value(guestKey{}).(*conn)
	if !ok { // not from Run's server
		serve()
		return
	}
	began := time.Now()
	if err := s.guests.admit(c, began); err != nil {
		w.Header().Set("Retry-After", "1")
		s.refuse(w, r, http.StatusServiceUnavailable, "Too many requests from this address.")
		s.log.Debug("request refused", "remote", r.RemoteAddr, "err", err)
		return
	}
	defer func() {
		now, ctx := time.Now(), r.Context()
		gaveUp := ctx.Err() != nil && context.Cause(ctx) != forward.ErrStopping
		s.guests.release(c, gaveUp && now.Sub(began) < hasty, now)
	}()
	serve()
}
