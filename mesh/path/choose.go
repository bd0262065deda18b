package path

import (
	"net/netip"
	"slices"
	"time"

	"landfall"
)

// choose picks the candidate in use and tells what changed by it.
func (p *peer) choose(now time.Time) []Event {
	var events []Event
	if best := p.pick(now); best != p.chosen {
		p.chosen = best
		for _, c := range p.candidates {
			c.better = time.Time{}
		}
		if best != nil {
			events = append(events, Event{p.id, Routed, best.addr})
		}
	}
	works := p.chosen != nil && p.chosen.life.works() || p.alive && now.Sub(p.spoke) < silence
	settled := works || p.chosen == nil || p.chosen.life == dead
	if settled && (works != p.alive || !p.known) {
		p.alive, p.known = works, true
		kind := Dead
		if works {
			kind = Alive
		}
		events = append(events, Event{p.id, kind, p.addr()})
	}
	return events
}

// pick is the candidate to use now. One that works is left only for one that
// has been clearly better for a while; one that does not, for any that does.
func (p *peer) pick(now time.Time) *candidate {
	cur := p.chosen
	if !slices.Contains(p.candidates, cur) {
		cur = nil
	}
	best := p.cheapest()
	switch {
	case best == nil && cur != nil:
		return cur
	case best == nil:
		return p.first()
	case cur == nil || best == cur || cur.failing() && best.life == alive:
		return best
	}
	if best.life != alive || best.cost() >= cur.cost()*9/10 || best.cost() >= cur.cost()-margin {
		best.better = time.Time{}
		return cur
	}
	if best.better.IsZero() {
		best.better = now
	}
	if now.Sub(best.better) < patience {
		return cur
	}
	return best
}

// cheapest is the candidate of least cost among those that work, failing ones
// last; the map's order breaks ties.
func (p *peer) cheapest() *candidate {
	var best *candidate
	for _, c := range p.candidates {
		switch {
		case !c.life.works():
		case best == nil, best.failing() && !c.failing():
			best = c
		case best.failing() == c.failing() && c.cost() < best.cost():
			best = c
		}
	}
	return best
}

// first is where to send while nothing is known to work. A learned address
// is not used before it has answered.
func (p *peer) first() *candidate {
	for _, c := range p.candidates {
		if !c.learned {
			return c
		}
	}
	return nil
}

func (p *peer) addr() netip.AddrPort {
	if p.chosen == nil {
		return netip.AddrPort{}
	}
	return p.chosen.addr
}

// Status is what is known about the way to a peer.
type Status struct {
	Peer  landfall.NodeID
	Addr  netip.AddrPort // the endpoint in use; invalid if there is none
	RTT   time.Duration  // smoothed; 0 is unknown
	Loss  float64        // smoothed, from 0 to 1
	Alive bool
	Late  bool      // the endpoint in use owes an answer: see Spoke
	Known bool      // false until a probe was answered or the peer given up
	Heard time.Time // last answer on the endpoint in use, or since when we ask there
}

// Status tells about one peer; false if it is not in the table.
func (t *Table) Status(id landfall.NodeID) (Status, bool) {
	p := t.peer(id)
	if p == nil {
		return Status{}, false
	}
	s := Status{Peer: p.id, Alive: p.alive, Known: p.known, Addr: p.addr()}
	if c := p.chosen; c != nil {
		s.RTT, s.Loss, s.Heard = c.rtt, c.loss, c.heard
		s.Late = c.life == suspect || c.life == dead
	}
	return s, true
}
