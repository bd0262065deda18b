package mesh

import (
	"time"

	"landfall"
	"landfall/mesh/path"
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
	// it is made known to WireGuard anew, for the first time. It doubles.
	stuck = 4 * time.Second
	// asking is how long a peer's wish for a handshake is kept in mind while
	// data still comes from it.
	asking = time.Second
)

// session is where the handshakes with a peer stand, guarded by Mesh.mu.
type session struct {
	wg.Session
	began  time.Time // our last initiation
	tries  int       // of them since the last session
	held   time.Time // when the session began, as far as the clock that only goes on can tell; zero: there is none
	asked  time.Time // when the peer asked us for an initiation; zero: it does not
	wished time.Time // when WireGuard last wanted one that is not ours
	none   time.Time // since when there is no session though the peer is alive, or it was made known anew; zero: there is one

	renewals  int  // since the last session
	renewSoon bool // it has restarted: see renew
}

// sessionless reports whether there is no session that both sides confirmed.
func (s *session) sessionless(now time.Time) bool {
	return s.held.IsZero() || now.Sub(s.held) > sessionLife || s.wished.After(s.held)
}

// tell takes what WireGuard says. Its times are those of a clock that may be
// set; how long ago a handshake was, counts when it is first heard of.
func (s *session) tell(told wg.Session, now time.Time) {
	if told.Handshake.IsZero() {
		s.held = time.Time{}
	} else if !told.Handshake.Equal(s.Handshake) {
		s.held = now.Add(-max(now.Round(0).Sub(told.Handshake), 0))
		s.tries = 0
	}
	s.Session = told
}

// every is how often to look for a session that is missing: soon no longer
// hurriedly, if none comes about.
func (s *session) every() time.Duration {
	if s.renewals < 2 {
		return hurry
	}
	return time.Second
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
		if p.asked.IsZero() && !p.sessionless(now) {
			p.rested()
			continue
		}
		s, _ := m.table.Status(p.Node, now)
		missing := p.sessionless(now) && (s.Alive || !s.Known)
		if (p.heeded(s, now) || missing) && m.mayBegin(p, now) {
			begin = append(begin, p.Node)
		}
		switch {
		case !s.Alive || !p.sessionless(now):
			p.rested()
		case p.none.IsZero():
			p.none = now
		case now.Sub(p.none) > m.stuck(p, now):
			p.none, p.renewSoon = now, false
			p.renewals++
			anew = append(anew, p)
		}
	}
	return begin, anew
}

// rested notes that no session is missing.
func (s *session) rested() {
	s.none, s.renewals, s.renewSoon = time.Time{}, 0, false
}

// heeded reports whether the peer asks for a handshake now, and the session
// does not carry its data all the same: then it was a ping from long ago.
func (p *peer) heeded(s path.Status, now time.Time) bool {
	switch {
	case p.asked.IsZero():
		return false
	case p.sessionless(now) || now.Sub(s.Data) > s.RTT+slack:
		p.asked = time.Time{}
		return true
	case now.Sub(p.asked) > asking:
		p.asked = time.Time{}
	}
	return false
}

// stuck is how long a peer that answers probes may have no session before it
// is made known to WireGuard anew. See renew.
func (m *Mesh) stuck(p *peer, now time.Time) time.Duration {
	if p.renewSoon && !p.Initiate {
		return 2 * m.patience(p, false, now)
	}
	return stuck << min(p.renewals, 6)
}

// mayBegin reports whether to start a handshake now, and notes that it is.
// One that has not been answered is given a round trip and a little: a peer
// that was not there yet when the initiation came is soon asked again. One
// that has been answered is given three, for restarting it sooner would only
// undo it: the peer has confirmed a session one and a half round trips after
// the initiation, notices it a moment later, and stops asking for one.
func (m *Mesh) mayBegin(p *peer, now time.Time) bool {
	if !p.Initiate || now.Sub(p.began) < m.patience(p, p.sessionless(now), now) {
		return false
	}
	p.began = now
	p.tries++
	m.count.handshakes++
	return true
}

// patience is how long the handshake under way is given, to be answered or to
// be confirmed as well. It may have begun on any of the ways, and the peer's
// wish for it come by any.
func (m *Mesh) patience(p *peer, unanswered bool, now time.Time) time.Duration {
	var rtt time.Duration
	for _, w := range m.table.Ways(p.Node, now) {
		rtt = max(rtt, w.RTT)
	}
	switch {
	case rtt > 0 && unanswered:
		return rtt + rtt/4 + slack
	case rtt > 0:
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
		curious = curious || p.sessionless(now) && (p.every() == hurry || now.Sub(m.refreshed) >= p.every())
	}
	m.mu.Unlock()
	if !curious {
		return
	}
	sessions := dev.Sessions()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.refreshed = time.Now()
	for id, p := range m.peers {
		p.tell(sessions[id], m.refreshed)
	}
}

// renew gives WireGuard a peer once more. It remembers the time of the last
// initiation it heard from a peer and hears none that is older, for ever: one
// whose clock was set back could not come back before that time. Where it is
// known to have restarted, that is done as soon as its first handshakes have
// come to nothing.
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
