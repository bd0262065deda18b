package path

import (
	"time"

	"landfall"
)

// Heard says that a fresh ping of the peer's came by a way, and whether it
// doubts its route to us. A way that was not known is one more to try; one
// that was thought dead is asked again at once.
func (t *Table) Heard(id landfall.NodeID, w Way, doubt bool, at time.Time) {
	p, now := t.byID[id], t.clock.at(at)
	if p == nil {
		return
	}
	c := t.way(p, w, now)
	if c != nil {
		c.pinged = now
	}
	if c != nil && c.life == Gone {
		p.recall(c, now)
	}
	if doubt {
		p.believe(now)
	}
	t.soon(p, now)
}

// way is the candidate for a way that the peer was heard on; nil if it is none
// that we would use.
func (t *Table) way(p *peer, w Way, now instant) *candidate {
	if c := p.at(w); c != nil {
		return c
	}
	if by := t.byID[w.Via]; w.Via == p.id || w.Relayed() && (by == nil || by.refuses) {
		return nil
	}
	c := p.learn(w, now)
	if c != nil && w.Relayed() {
		c.drained = t.byID[w.Via].drained
	}
	return c
}

// Proven reports whether a peer has answered by a way, so that what is sent
// there goes to nobody else. What is relayed to it does not.
func (t *Table) Proven(id landfall.NodeID, w Way) bool {
	p := t.byID[id]
	if p == nil {
		return false
	}
	c := p.at(w)
	return w.Relayed() || c != nil && c.delay.n > 0
}

// recall asks a way that was dead, unless it has just been asked.
func (p *peer) recall(c *candidate, now instant) {
	if now.since(c.launched) >= Hurry {
		c.next = now
	}
}

// Ask has the way in use probed by the next Tick, whatever its turn.
func (t *Table) Ask(id landfall.NodeID, at time.Time) {
	if p, now := t.byID[id], t.clock.at(at); p != nil && p.primary != nil {
		p.primary.next = now
		t.soon(p, now)
	}
}

// Active says that there is data to send to a peer. If the pair was idle it is
// in doubt until a way answers.
func (t *Table) Active(id landfall.NodeID, at time.Time) {
	if p, now := t.byID[id], t.clock.at(at); p != nil && p.rouse(now, now, true) {
		t.soon(p, now)
	}
}

// Answered says that the peer answered a probe. An answer to a probe never
// sent, answered before or sent long ago is not fresh and changes nothing.
func (t *Table) Answered(id landfall.NodeID, a Answer, at time.Time) (fresh bool, events []Event) {
	p, now := t.byID[id], t.clock.at(at)
	if p == nil {
		return false, nil
	}
	for _, c := range p.ways {
		f, ok := c.land(a.Stamp, now)
		if !ok {
			continue
		}
		p.account(c, &f, a, now)
		c.sized(f, a, at)
		p.plan(c, now)
		events = t.update(p, now)
		t.soon(p, max(t.ripe(p, now), now))
		return true, events
	}
	return false, nil
}

// account has the answer's count compared with ours.
func (p *peer) account(c *candidate, f *flight, a Answer, now instant) {
	if a.Bare {
		return
	}
	trust := p.copied < c.carry.at || c == p.primary && p.leads()
	if c.carry.account(f, a.Heard, trust, now) && !c.mute(now) {
		c.carry.mute(now)
	}
}

// Traffic says what the data plane saw on all ways to a peer. Times later than
// now are taken for now.
func (t *Table) Traffic(id landfall.NodeID, list []Traffic, at time.Time) {
	p, now := t.byID[id], t.clock.at(at)
	if p == nil {
		return
	}
	var sent, heard instant
	for _, r := range list {
		c := p.at(r.Way)
		if c == nil && t.clock.ago(r.LastHeard).within(alone, now) {
			c = t.way(p, r.Way, now)
		}
		if c == nil {
			continue
		}
		if more := r.Sent - c.sent; !p.mixed && int32(more) > 0 {
			c.lone += more
		}
		if more := r.Sent - c.sent + r.Heard - c.heard; int32(more) > 0 {
			p.weigh(more, now)
		}
		c.sent, c.heard, c.gap = r.Sent, r.Heard, r.Gap
		c.lastSent = min(t.clock.ago(r.LastSent), now)
		c.lastHeard = max(c.lastHeard, min(t.clock.ago(r.LastHeard), now))
		c.unanswered = min(t.clock.ago(r.Unanswered), now)
		c.largestSent = max(c.largestSent, r.LargestSent)
		sent, heard = max(sent, c.lastSent), max(heard, t.clock.ago(r.LastHeard))
	}
	p.mixed = p.route.Doubt
	if last := min(max(sent, heard), now); last.within(activeFor, now) && last != 0 {
		p.rouse(last, now, sent > p.busy)
	}
	t.soon(p, now)
}

// Reported says what a peer reports beside its answers.
func (t *Table) Reported(from landfall.NodeID, list []Report, at time.Time) {
	p, now := t.byID[from], t.clock.at(at)
	if p == nil {
		return
	}
	for _, r := range list {
		q := t.byID[r.Node]
		if q == nil || q == p || q.slot >= maxSlots || p.slot >= maxSlots || !p.report(q.slot, r, now) {
			continue
		}
		for _, end := range []*peer{p, q} { // either may want the other for a relay
			if now < end.free || end.active(now) || !end.insured(now) {
				end.ponder = min(end.ponder, now.add(newReports))
				t.soon(end, end.ponder)
			}
		}
	}
}

// Reports are what to tell a peer in a pong, n at most: first what has
// changed, then the rest in turn.
func (t *Table) Reports(to landfall.NodeID, n int, at time.Time) []Report {
	p, now := t.byID[to], t.clock.at(at)
	if p == nil || n <= 0 {
		return nil
	}
	most, turns := fewReports, turnReports
	if now < p.free || p.active(now) && p.primary != nil && !p.primary.way.Relayed() {
		most, turns = activeReports, activeReports
	}
	return t.reports(p, min(n, most), turns, now)
}

// TooBig says that this host itself could not send a datagram of this size on
// a way, since the first hop carries less.
func (t *Table) TooBig(id landfall.NodeID, w Way, size int, at time.Time) {
	p := t.byID[id]
	if p == nil {
		return
	}
	if c := p.at(w); c != nil && c.search != nil {
		c.search.Refused(size, at)
		t.soon(p, t.clock.at(at))
	}
}
