package path

import (
	"net/netip"
	"slices"
	"time"

	"landfall"
)

// Patience of the choice: a challenger must cost less by margin, and by a
// tenth, for as long as patience before it replaces a candidate that works.
const (
	margin   = 5 * time.Millisecond
	patience = 5 * time.Second

	maxLearned = 4 // endpoints of one peer that the map does not name
)

// Table holds every peer's candidates. The zero Table has no peers. It is not
// safe for concurrent use.
type Table struct {
	peers []*peer
	stamp int64
}

type peer struct {
	id         landfall.NodeID
	candidates []*candidate // in the map's order, then as learned
	chosen     *candidate   // nil only while there are no candidates
	alive      bool         // as last told by an Event
	known      bool         // it has been told whether the peer is alive
	spoke      time.Time    // see Spoke
}

// Probe is a ping to send.
type Probe struct {
	Peer  landfall.NodeID
	Addr  netip.AddrPort
	Stamp int64
}

// Event is a change that others act on.
type Event struct {
	Peer landfall.NodeID
	Kind EventKind
	Addr netip.AddrPort // the endpoint now in use
}

// EventKind says what changed.
type EventKind uint8

// The kinds of events.
const (
	Alive  EventKind = iota + 1 // the peer answers
	Dead                        // the peer answers on no endpoint, and is silent
	Routed                      // another endpoint is in use
)

// String is a word for logs.
func (k EventKind) String() string {
	switch k {
	case Alive:
		return "alive"
	case Dead:
		return "dead"
	case Routed:
		return "routed"
	}
	return "unknown"
}

// SetPeer adds a peer or replaces its endpoints, best first. What is known
// about endpoints that stay is kept.
func (t *Table) SetPeer(id landfall.NodeID, endpoints []netip.AddrPort, now time.Time) []Event {
	p := t.peer(id)
	if p == nil {
		p = &peer{id: id}
		t.peers = append(t.peers, p)
	}
	var list []*candidate
	for _, a := range endpoints {
		c := p.at(a)
		if c == nil {
			c = &candidate{addr: a, next: now, heard: now}
		}
		c.learned = false
		if !slices.Contains(list, c) {
			list = append(list, c)
		}
	}
	for _, c := range p.candidates {
		if c.learned {
			list = append(list, c)
		}
	}
	p.candidates = list
	return p.choose(now)
}

// RemovePeer forgets a peer.
func (t *Table) RemovePeer(id landfall.NodeID) {
	t.peers = slices.DeleteFunc(t.peers, func(p *peer) bool { return p.id == id })
}

// Heard says that the peer itself sent a ping from addr. An address that was
// not known becomes a candidate, to be used once it has answered; one that
// was thought dead is asked again at once.
func (t *Table) Heard(id landfall.NodeID, addr netip.AddrPort, now time.Time) {
	p := t.peer(id)
	if p == nil {
		return
	}
	c := p.at(addr)
	if c == nil {
		if p.learned() >= maxLearned {
			return
		}
		c = &candidate{addr: addr, learned: true, next: now, heard: now}
		p.candidates = append(p.candidates, c)
	}
	if c.life == dead && now.Sub(c.next.Add(-Interval)) >= Hurry {
		c.next = now
	}
}

// Ask makes the next Tick probe the endpoint in use, whatever its turn.
func (t *Table) Ask(id landfall.NodeID, now time.Time) {
	if p := t.peer(id); p != nil && p.chosen != nil {
		p.chosen.next = now
	}
}

// Spoke says that the peer has sent something that nobody else can have sent.
// That keeps a peer alive whose answers are late, for they may have to wait
// behind data; it says nothing about which endpoint works.
func (t *Table) Spoke(id landfall.NodeID, now time.Time) {
	if p := t.peer(id); p != nil {
		p.spoke = now
	}
}

// Answered says that the peer answered the probe with this stamp. An answer
// to a probe never sent, answered before or sent long ago is not fresh and
// changes nothing.
func (t *Table) Answered(id landfall.NodeID, stamp int64, now time.Time) (fresh bool, events []Event) {
	p := t.peer(id)
	if p == nil {
		return false, nil
	}
	for _, c := range p.candidates {
		if c.answer(stamp, now) {
			return true, p.choose(now)
		}
	}
	return false, nil
}

// Tick moves the table on to now: it tells what has changed and which probes
// to send.
func (t *Table) Tick(now time.Time) (probes []Probe, events []Event) {
	for _, p := range t.peers {
		for _, c := range p.candidates {
			c.sweep(now)
			if c.next.After(now) {
				continue
			}
			t.stamp = max(t.stamp+1, now.UnixNano())
			c.sent = append(c.sent, flight{stamp: t.stamp, at: now})
			c.next = now.Add(c.pace())
			probes = append(probes, Probe{Peer: p.id, Addr: c.addr, Stamp: t.stamp})
		}
		p.candidates = slices.DeleteFunc(p.candidates, func(c *candidate) bool {
			return c.learned && c.life == dead
		})
		events = append(events, p.choose(now)...)
	}
	return probes, events
}

// Next is when Tick wants to be called again; zero if there is nothing to do.
func (t *Table) Next() time.Time {
	var next time.Time
	for _, p := range t.peers {
		for _, c := range p.candidates {
			if d := c.due(); next.IsZero() || d.Before(next) {
				next = d
			}
		}
	}
	return next
}

func (t *Table) peer(id landfall.NodeID) *peer {
	if i := slices.IndexFunc(t.peers, func(p *peer) bool { return p.id == id }); i >= 0 {
		return t.peers[i]
	}
	return nil
}

func (p *peer) at(a netip.AddrPort) *candidate {
	if i := slices.IndexFunc(p.candidates, func(c *candidate) bool { return c.addr == a }); i >= 0 {
		return p.candidates[i]
	}
	return nil
}

func (p *peer) learned() (n int) {
	for _, c := range p.candidates {
		if c.learned {
			n++
		}
	}
	return n
}
