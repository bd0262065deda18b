package mesh

import (
	"testing"
	"time"

	"landfall"
	"landfall/mesh/path"
	"landfall/mesh/peers"
	"landfall/mesh/wg"
)

// TestSessionsOutliveTheClock: how old a session is does not depend on what
// the clock is set to after it began.
func TestSessionsOutliveTheClock(t *testing.T) {
	now := time.Now()
	var s session
	s.tell(wg.Session{Handshake: now.Round(0).Add(time.Hour)}, now) // and then set back by an hour
	s.wished = now.Add(time.Second)
	if !s.sessionless(now.Add(2 * time.Second)) {
		t.Error("a wish is not heard until the clock has caught up")
	}
	s.tell(wg.Session{Handshake: now.Round(0).Add(3 * time.Second)}, now.Add(3*time.Second))
	if s.sessionless(now.Add(4 * time.Second)) {
		t.Error("the session after the wish is none")
	}
	if !s.sessionless(now.Add(4*time.Second + sessionLife)) {
		t.Error("a session without end")
	}
	s.tell(wg.Session{}, now)
	if !s.sessionless(now) {
		t.Error("a session without a handshake")
	}
}

// TestAskingEndsNoSessionThatCarries: a peer's wish for a handshake is heeded
// where nothing comes from it by the session that there is.
func TestAskingEndsNoSessionThatCarries(t *testing.T) {
	now := time.Now()
	for name, c := range map[string]struct {
		asked, data time.Duration // ago; 0: never
		want, kept  bool
	}{
		"never asked":         {0, time.Millisecond, false, false},
		"carries":             {time.Millisecond, time.Millisecond, false, true},
		"has just fallen":     {200 * time.Millisecond, 200 * time.Millisecond, true, false},
		"carried nothing":     {time.Millisecond, 0, true, false},
		"carries for long":    {2 * time.Second, time.Millisecond, false, false},
		"carried a while ago": {time.Millisecond, time.Minute, true, false},
	} {
		var p peer
		p.held = now.Add(-time.Second)
		s := path.Status{RTT: 20 * time.Millisecond}
		if c.asked > 0 {
			p.asked = now.Add(-c.asked)
		}
		if c.data > 0 {
			s.Data = now.Add(-c.data)
		}
		if got := p.heeded(s, now); got != c.want || p.asked.IsZero() == c.kept {
			t.Errorf("%s: heeded %v, asked %v", name, got, p.asked)
		}
	}
}

// TestNoSessionIsLookedForLessAndLess: a peer that answers probes and finishes
// no handshake costs little after a while, and a restarted one gets its chance
// soon.
func TestNoSessionIsLookedForLessAndLess(t *testing.T) {
	var m Mesh
	now := time.Now()
	var p peer
	if m.stuck(&p, now) != stuck || p.every() != hurry {
		t.Error("at first:", m.stuck(&p, now), p.every())
	}
	p.renewSoon = true
	if d := m.stuck(&p, now); d > stuck/4 {
		t.Error("after a restart:", d)
	}
	p.renewSoon, p.renewals = false, 3
	if m.stuck(&p, now) != 8*stuck || p.every() != time.Second {
		t.Error("later:", m.stuck(&p, now), p.every())
	}
	p.rested()
	if m.stuck(&p, now) != stuck || p.every() != hurry {
		t.Error("after a session:", m.stuck(&p, now), p.every())
	}
}

// TestSharedNamesMeanNobody: reports name nodes by 32 bits, and a node may have
// chosen its key so that it has those of another.
func TestSharedNamesMeanNobody(t *testing.T) {
	m := &Mesh{peers: map[landfall.NodeID]*peer{}}
	for id, short := range map[landfall.NodeID]uint32{"b": 1, "c": 1, "d": 2} {
		m.peers[id] = &peer{Peer: peers.Peer{Node: id}, short: short}
	}
	m.rename()
	if m.shorts[1] != nil || m.shorts[2] != m.peers["d"] {
		t.Error(m.shorts)
	}
	delete(m.peers, "c")
	m.rename()
	if m.shorts[1] != m.peers["b"] {
		t.Error("the name is not its owner's again")
	}
}

// TestQuotaOfPings: 200 pings a second are answered, no more.
func TestQuotaOfPings(t *testing.T) {
	var q quota
	now := time.Now()
	answered := 0
	for i := range 20_000 {
		if q.take(now.Add(time.Duration(i) * 100 * time.Microsecond)) {
			answered++
		}
	}
	if answered < 590 || answered > 610 {
		t.Errorf("%d of 20000 answered in two seconds", answered)
	}
}
