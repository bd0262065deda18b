package path

import (
	"time"

	"landfall"
)

// granule is the least time between two looks at one peer.
const granule = time.Millisecond

// idleReconsider is the time between two looks for relays, the pair idle.
const idleReconsider = time.Minute

// Due are the peers that Tick would look at now: it wants to know their
// Traffic first.
func (t *Table) Due(at time.Time) []landfall.NodeID {
	now := t.clock.at(at)
	var list []landfall.NodeID
	for _, p := range t.queue {
		if p.due <= now {
			list = append(list, p.id)
		}
	}
	return list
}

// Tick moves the table on to now: it tells what has changed and which probes
// to send.
func (t *Table) Tick(at time.Time) (probes []Probe, events []Event) {
	now := t.clock.at(at)
	for len(t.queue) > 0 && t.queue[0].due <= now {
		p := t.queue[0]
		t.reset(p, now.add(idleReconsider))
		t.step(p, now)
		events = append(events, t.update(p, now)...)
		probes = t.fire(p, at, probes)
		t.reset(p, max(t.ripe(p, now), now.add(granule)))
	}
	return probes, events
}

// Next is when Tick wants to be called again; zero if there is nothing to do.
func (t *Table) Next() time.Time {
	if len(t.queue) == 0 {
		return time.Time{}
	}
	return t.clock.time(t.queue[0].due)
}

// step notices what has happened by itself.
func (t *Table) step(p *peer, now instant) {
	for _, c := range p.ways {
		if !c.sweep(now) || c != p.primary {
			continue
		}
		p.begin("a probe is late", true, now)
		if p.backup != nil {
			p.backup.next = min(p.backup.next, now)
		}
	}
	if p.primary != nil && p.active(now) && now >= p.look {
		p.watch(now)
	}
	if now < p.ponder {
		return
	}
	t.propose(p, now)
	switch {
	case now < p.free:
		p.ponder = now.add(Hurry)
	case p.active(now):
		p.ponder = now.add(reconsider)
	default:
		p.ponder = now.add(idleReconsider)
	}
}

// update settles a peer, and those that depend on it.
func (t *Table) update(p *peer, now instant) []Event {
	events := p.settle(now)
	if t.publish(p, now) {
		t.severed(p.id, now)
	}
	return events
}

// fire makes the probes that are due.
func (t *Table) fire(p *peer, at time.Time, probes []Probe) []Probe {
	now := t.clock.at(at)
	for _, c := range p.ways {
		used := c == p.primary || c == p.backup
		if c.next <= now {
			probes = append(probes, t.probe(p, c, 0, now))
			c.launched = now
			c.next = now.add(p.pace(c, now))
		}
		if used && p.active(now) {
			for _, size := range c.sizes(at) {
				probes = append(probes, t.probe(p, c, size, now))
			}
		}
	}
	return probes
}

// probe makes one.
func (t *Table) probe(p *peer, c *candidate, size int, now instant) Probe {
	t.stamp = max(t.stamp+1, t.clock.time(now).UnixNano())
	used := c == p.primary || c == p.backup
	c.launch(flight{
		stamp: t.stamp, at: now, sent: c.sent, lone: c.lone, size: uint16(size),
		large: uint16(c.largestSent), hot: used && (p.hot(now) || p.doubt.asked != 0),
	})
	if size == 0 {
		c.largestSent = 0
	}
	return Probe{
		Peer: p.id, Way: c.way, Stamp: t.stamp, Size: size, Sent: c.sent,
		Doubt: p.doubt.since != 0 && p.doubt.own,
	}
}

// plan sets the next probe after the pace has changed.
func (p *peer) plan(c *candidate, now instant) {
	c.next = max(now, c.launched.add(p.pace(c, now)))
}

// ripe is when Tick has something to do for the peer.
func (t *Table) ripe(p *peer, now instant) instant {
	due := p.ponder
	active := p.active(now)
	if active {
		due = min(due, p.look)
	}
	for _, c := range p.ways {
		due = min(due, c.ripe())
		if active && (c == p.primary || c == p.backup) {
			due = min(due, c.sizesAt(&t.clock))
		}
	}
	return due
}
