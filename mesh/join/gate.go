package join

import (
	"net/netip"
	"sync"
	"time"
)

// How many conversations may be under way, and may begin within a minute.
const (
	maxOpen       = 256
	maxOpenEach   = 4  // for one visitor
	maxMinuteEach = 30 // for one visitor
	maxVisitors   = 4096
)

// gate keeps strangers from taking all of the server.
type gate struct {
	mu sync.Mutex

	open     int
	since    time.Time // when the minute began
	visitors map[netip.Prefix]*visits
}

type visits struct{ open, begun int }

// enter reports whether a conversation with the address may begin at the time
// now. If so, leave must be called at its end.
func (g *gate) enter(from netip.Addr, now time.Time) (leave func(), ok bool) {
	who := visitor(from)
	g.mu.Lock()
	defer g.mu.Unlock()
	if now.Sub(g.since).Abs() >= time.Minute {
		g.turn(now)
	}
	v := g.visitors[who]
	if v == nil {
		if len(g.visitors) >= maxVisitors {
			return nil, false
		}
		v = new(visits)
		g.visitors[who] = v
	}
	if g.open >= maxOpen || v.open >= maxOpenEach || v.begun >= maxMinuteEach {
		return nil, false
	}
	g.open++
	v.open++
	v.begun++
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.open--
		v.open--
	}, true
}

// turn begins a new minute, with those who are still here.
func (g *gate) turn(now time.Time) {
	here := map[netip.Prefix]*visits{}
	for who, v := range g.visitors {
		if v.open > 0 {
			v.begun = 0
			here[who] = v
		}
	}
	g.since, g.visitors = now, here
}

// visitor is the smallest part of the address space that one party has: an
// IPv4 address, or 64 bits of an IPv6 address (RFC 4291, 2.5.4).
func visitor(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return netip.Prefix{} // those without an address are one visitor
	}
	return p
}
