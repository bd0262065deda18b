package mesh

import (
	"time"

	"landfall"
	"landfall/mesh/wg"
)

const (
	// sessionLife is how long a session lasts that is not renewed (WireGuard's
	// Reject-After-Time).
	sessionLife = 180 * time.Second
	// retryUnknown is how long an initiation may take where no round trip is
	// known: a restarted peer may not have been there to hear it.
	retryUnknown = 200 * time.Millisecond
	// slack is what both sides need beside the round trips of a handshake.
	slack = 50 * time.Millisecond
	// stuck is how long a peer that answers probes may have no session before
	// it is made known to WireGuard anew; see renew.
	stuck = 4 * time.Second
)

// session is where the handshakes with a peer stand, guarded by Mesh.mu.
type session struct {
	wg.Session
	began  time.Time // our last initiation
	tries  int       // of them since the last session
	asked  bool      // the peer asked us for an initiation
	wished time.Time // when WireGuard last wanted one that is not ours
	none   time.Time // since when there is no session though the peer is alive; zero: there is one
}

// sessionless reports whether there is no session that both sides confirmed.
func (s *session) sessionless(now time.Time) bool {
	h := s.Handshake
	return h.IsZero() || now.Sub(h) > sessionLife || s.wished.After(h)
}

// asks reports whether our probes shall ask the peer for a handshake.
func (p *peer) asks(now time.Time) bool { return !p.Initiate && p.sessionless(now) }

// beginnings are the peers to start a handshake with now, and anew those that
// WireGuard has to be given once more.
func (m *Mesh) beginnings(now time.Time) (begin []landfall.NodeID, anew []*peer) {
	for _, known := range m.list {
		p := m.peers[known.Node]
		if p == nil {
			continue
		}
		if !p.asked && !p.sessionless(now) {
			p.none = time.Time{}
			continue
		}
		s, _ := m.table.Status(p.Node, now)
		missing := p.sessionless(now) && (s.Alive || !s.Known)
		if (p.asked || missing) && m.mayBegin(p, now) {
			begin = append(begin, p.Node)
		}
		p.asked = false
		switch {
		case !s.Alive || !p.sessionless(now):
			p.none = time.Time{}
		case p.none.IsZero():
			p.none = now
		case now.Sub(p.none) > stuck:
			p.none = now
			anew = append(anew, p)
		}
	}
	return begin, anew
}

// mayBegin reports whether to start a handshake now, and notes that it is.
// One under way is given three round trips and a little, for restarting it
// sooner would only undo it: the peer has confirmed a session one and a half
// round trips after the initiation, notices it a moment later, and stops
// asking for one.
func (m *Mesh) mayBegin(p *peer, now time.Time) bool {
	if !p.Initiate || now.Sub(p.began) < m.patience(p, now) {
		return false
	}
	p.began = now
	p.tries++
	m.count.handshakes++
	return true
}

// patience is how long the handshake under way is given. It may have begun on
// any of the ways, and the peer's wish for it come by any.
func (m *Mesh) patience(p *peer, now time.Time) time.Duration {
	var rtt time.Duration
	for _, w := range m.table.Ways(p.Node, now) {
		rtt = max(rtt, w.RTT)
	}
	if rtt > 0 {
		return 3*rtt + slack
	}
	return min(retryUnknown<<min(p.tries, 3), time.Second)
}

// refresh asks WireGuard about its sessions, if one is missing: else nothing
// is to be learned from them. It must not be called with mu held, for
// WireGuard may wait for us meanwhile in wish, nor where WireGuard receives,
// for it waits for that when it closes.
func (m *Mesh) refresh(dev *wg.Device) {
	now := time.Now()
	m.mu.Lock()
	curious := false
	for _, p := range m.peers {
		curious = curious || p.sessionless(now)
	}
	m.mu.Unlock()
	if !curious {
		return
	}
	sessions := dev.Sessions()
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, p := range m.peers {
		s := sessions[id]
		if s.Handshake.After(p.Handshake) {
			p.tries = 0
		}
		p.Session = s
	}
}

// renew gives WireGuard a peer once more. It remembers the time of the last
// initiation it heard from a peer and hears none that is older, for ever: one
// whose clock was set back could not come back before that time.
func (m *Mesh) renew(dev *wg.Device, p *peer) {
	m.applying.Lock()
	defer m.applying.Unlock()
	m.mu.Lock()
	still := m.peers[p.Node] == p
	m.count.renewed++
	m.mu.Unlock()
	if !still {
		return
	}
	m.log.Warn("peer answers, but no session comes about: it is made known to WireGuard anew (was a clock set back?)", "peer", p.Node)
	dev.RemovePeer(p.Node)
	m.connect(dev, p)
}

// wish is told that WireGuard wants a handshake which the peer has to start.
func (m *Mesh) wish(id landfall.NodeID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.peers[id]
	if p == nil {
		return
	}
	p.wished = time.Now()
	m.table.Ask(id, p.wished)
	m.look()
}
