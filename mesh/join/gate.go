package join

import (
	"container/list"
	"net/netip"
	"sync"
	"time"
)

// How many conversations may be under way, and may begin within a minute.
const (
	maxOpen       = 256
	maxOpenEach   = 4  // for one visitor
	maxMinuteEach = 30 // for one visitor
	maxOpenSite   = 16
	maxMinuteSite = 120
	maxParties    = 4096 // are counted
)

// gate keeps strangers from taking all of the server. When it is full, who
// has been silent longest gives way to who comes: a server that was invited
// says its word within a second or two. Who has proved a secret stays.
type gate struct {
	mu sync.Mutex

	open      int
	strangers list.List // of *visit: who has proved nothing, longest silent first
	since     time.Time // when the minute began
	parties   map[netip.Prefix]*visits
}

// visits are what a party has under way, and has begun in this minute.
type visits struct{ open, begun int }

// visit is a conversation, as the gate sees it.
type visit struct {
	gate    *gate
	of      []*visits     // the parties it counts for
	giveWay func()        // ends it
	place   *list.Element // among the strangers
	over    bool
}

// enter reports whether a conversation with the address may begin at the time
// now. If so, leave must be called at its end. Before that giveWay may be
// called, once, to end it; it must not wait for anything.
func (g *gate) enter(from netip.Addr, now time.Time, giveWay func()) (*visit, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	ps := parties(from)
	// Where there are too many to count, the minute is over: some may come
	// more often then, but nobody is shut out.
	if now.Sub(g.since).Abs() >= time.Minute || len(g.parties)+len(ps) > maxParties {
		g.turn(now)
	}
	v := &visit{gate: g, giveWay: giveWay}
	for _, p := range ps {
		of := g.parties[p.prefix]
		if of == nil {
			of = new(visits)
			g.parties[p.prefix] = of
		}
		if of.open >= p.open || of.begun >= p.minute {
			return nil, false
		}
		v.of = append(v.of, of)
	}
	if g.open >= maxOpen && !g.yield() {
		return nil, false
	}
	g.open++
	for _, of := range v.of {
		of.open++
		of.begun++
	}
	v.place = g.strangers.PushBack(v)
	return v, true
}

// turn begins a new minute, with those who are still here.
func (g *gate) turn(now time.Time) {
	here := map[netip.Prefix]*visits{}
	for who, v := range g.parties {
		if v.open > 0 {
			v.begun = 0
			here[who] = v
		}
	}
	g.since, g.parties = now, here
}

// yield has the stranger who has been silent longest give way, if there is one.
func (g *gate) yield() bool {
	first := g.strangers.Front()
	if first == nil {
		return false
	}
	v := first.Value.(*visit)
	v.end()
	v.giveWay()
	return true
}

// heard says that the visitor has said something, whole.
func (v *visit) heard() {
	v.gate.mu.Lock()
	defer v.gate.mu.Unlock()
	v.gate.strangers.MoveToBack(v.place)
}

// proved says that the visitor is no stranger.
func (v *visit) proved() {
	v.gate.mu.Lock()
	defer v.gate.mu.Unlock()
	v.gate.strangers.Remove(v.place)
}

// leave says that the conversation is over.
func (v *visit) leave() {
	v.gate.mu.Lock()
	defer v.gate.mu.Unlock()
	v.end()
}

// end gives back what the visit takes up; the caller holds the lock.
func (v *visit) end() {
	if v.over {
		return
	}
	v.over = true
	v.gate.strangers.Remove(v.place)
	v.gate.open--
	for _, of := range v.of {
		of.open--
	}
}

// party is a part of the address space that somebody may have to himself, and
// how much of the server that may take.
type party struct {
	prefix       netip.Prefix
	open, minute int
}

// parties are a visitor, which is an IPv4 address or 64 bits of an IPv6 one
// (RFC 4291, 2.5.4), and for IPv6 the site that it belongs to (RFC 6177).
func parties(a netip.Addr) []party {
	a = a.Unmap().WithZone("")
	if !a.Is6() { // those without an address are one visitor
		return []party{{part(a, a.BitLen()), maxOpenEach, maxMinuteEach}}
	}
	return []party{{part(a, 64), maxOpenEach, maxMinuteEach}, {part(a, 48), maxOpenSite, maxMinuteSite}}
}

func part(a netip.Addr, bits int) netip.Prefix {
	p, err := a.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}
