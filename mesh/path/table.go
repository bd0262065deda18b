package path

import (
	"container/heap"
	"net/netip"
	"slices"
	"time"

	"landfall"
)

// maxSlots bounds what is kept of other nodes' reports.
const maxSlots = 1024

// Table holds every peer's ways. The zero Table has no peers. It is not safe
// for concurrent use.
//
// Whatever is told to it may move Next, so ask for that afterwards.
type Table struct {
	clock   clock
	peers   []*peer
	byID    map[landfall.NodeID]*peer
	slots   []*peer // nil where one is free
	queue   queue
	stamp   int64
	version uint32 // counts changes of what we report
	doubts  Doubts
}

// SetPeer adds a peer or replaces the endpoints that the map names, best
// first. What is known about ways that stay is kept.
func (t *Table) SetPeer(id landfall.NodeID, endpoints []netip.AddrPort, at time.Time) []Event {
	now := t.clock.at(at)
	p := t.byID[id]
	if p == nil {
		p = t.enter(id, now)
	}
	if p.name(endpoints, now) {
		p.free = now.add(freeFor)
	}
	events := p.settle(now)
	t.soon(p, now)
	return events
}

// Drain says whether a peer is about to leave: it relays to others only where
// there is no other way.
func (t *Table) Drain(id landfall.NodeID, drained bool, at time.Time) {
	p, now := t.byID[id], t.clock.at(at)
	if p == nil || p.drained == drained {
		return
	}
	p.drained = drained
	for _, q := range t.peers {
		if c := q.at(Way{Via: id}); c != nil {
			c.drained, q.ponder = drained, now
			t.soon(q, now)
		}
	}
}

// enter adds a peer without ways.
func (t *Table) enter(id landfall.NodeID, now instant) *peer {
	p := &peer{id: id, due: now, ponder: now, tally: &t.doubts}
	if t.byID == nil {
		t.byID = map[landfall.NodeID]*peer{}
	}
	t.byID[id] = p
	t.peers = append(t.peers, p)
	if p.slot = slices.Index(t.slots, nil); p.slot < 0 {
		p.slot = len(t.slots)
		t.slots = append(t.slots, nil)
	}
	t.slots[p.slot] = p
	heap.Push(&t.queue, p)
	return p
}

// RemovePeer forgets a peer, and the ways through it.
func (t *Table) RemovePeer(id landfall.NodeID) {
	p := t.byID[id]
	if p == nil {
		return
	}
	heap.Remove(&t.queue, p.heap)
	delete(t.byID, id)
	t.peers = slices.DeleteFunc(t.peers, func(q *peer) bool { return q == p })
	t.slots[p.slot] = nil
	for _, q := range t.peers {
		if p.slot < len(q.views) {
			q.views[p.slot] = view{}
		}
		if n := len(q.ways); n > 0 {
			q.ways = slices.DeleteFunc(q.ways, func(c *candidate) bool { return c.way.Via == id })
			if len(q.ways) < n {
				t.reset(q, min(q.due, 1))
			}
		}
	}
}
