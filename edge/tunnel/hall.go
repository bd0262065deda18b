package tunnel

import (
	"container/list"
	"net"
	"net/netip"
	"sync"
)

// hall is the room for connections to upstreams, and how services and their
// clients share it.
//
// No service may have more places than are still free, and no client of it
// more than the service still has above that: one client of one service has a
// third, and others always find room. Where there is none, a quiet stream
// (Lull) gives way: the client's own, or one of whoever has most of them at
// that service, and more streams than the client.
type hall struct {
	mu       sync.Mutex // guards what follows, and all below
	all      int
	taken    int
	shed     uint64
	services map[string]*party
}

// party is a service with open streams.
type party struct {
	streams int
	clients map[netip.Prefix]*client
}

// client is one with open streams of one service.
type client struct {
	streams int
	quiet   list.List // of *seat, longest quiet first
}

// seat is the place of one stream.
type seat struct {
	hall      *hall
	host      string
	from      netip.Prefix
	near, far net.Conn      // set before it can be quiet
	quiet     *list.Element // in its client's; nil: it is not
	left      bool
}

// kin is what a client is counted for: its address, or its /64 of IPv6.
func kin(a netip.Addr) netip.Prefix {
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits) // those without an address are of one kind
	return p
}

// take finds a place for a stream; nil: there is none.
func (h *hall) take(host string, at netip.Addr) *seat {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := &seat{hall: h, host: host, from: kin(at)}
	if !h.fits(s, 0) && (!h.makeRoom(s) || !h.fits(s, 0)) {
		return nil
	}
	if h.services == nil {
		h.services = make(map[string]*party)
	}
	p := h.services[host]
	if p == nil {
		p = &party{clients: make(map[netip.Prefix]*client)}
		h.services[host] = p
	}
	c := p.clients[s.from]
	if c == nil {
		c = new(client)
		p.clients[s.from] = c
	}
	h.taken++
	p.streams++
	c.streams++
	return s
}

// fits reports whether there is a place, or would be after so many other
// streams of the service had ended.
func (h *hall) fits(s *seat, after int) bool {
	free := h.all - h.taken + after
	p := h.services[s.host]
	if p == nil {
		return free > 0
	}
	streams := p.streams - after
	return streams < free && h.own(s) < free-streams
}

// own is how many streams the client of a seat has at its service.
func (h *hall) own(s *seat) int {
	if p := h.services[s.host]; p != nil && p.clients[s.from] != nil {
		return p.clients[s.from].streams
	}
	return 0
}

// makeRoom ends a quiet stream of the service, if there is one to end.
func (h *hall) makeRoom(s *seat) bool {
	from := h.most(s)
	if from == nil {
		return false
	}
	first := from.quiet.Front().Value.(*seat)
	h.leave(first)
	Abort(first.near)
	Abort(first.far)
	h.shed++
	return true
}

// most is who gives way: the client itself, else whoever has most quiet
// streams of the service, if that has more streams than the client, and helps.
func (h *hall) most(s *seat) (most *client) {
	p := h.services[s.host]
	if p == nil {
		return nil
	}
	if c := p.clients[s.from]; c != nil && c.quiet.Len() > 0 {
		return c
	}
	for _, c := range p.clients {
		if c.quiet.Len() > 0 && (most == nil || c.quiet.Len() > most.quiet.Len()) {
			most = c
		}
	}
	if most == nil || most.streams <= h.own(s) || !h.fits(s, 1) {
		return nil
	}
	return most
}

// leave gives a place back, once.
func (h *hall) leave(s *seat) {
	if s.left {
		return
	}
	h.rouse(s)
	s.left = true
	p := h.services[s.host]
	c := p.clients[s.from]
	h.taken--
	if p.streams--; p.streams == 0 {
		delete(h.services, s.host)
	}
	if c.streams--; c.streams == 0 {
		delete(p.clients, s.from)
	}
}

func (h *hall) rest(s *seat) {
	if !s.left && s.quiet == nil {
		s.quiet = h.services[s.host].clients[s.from].quiet.PushBack(s)
	}
}

func (h *hall) rouse(s *seat) {
	if s.quiet != nil {
		h.services[s.host].clients[s.from].quiet.Remove(s.quiet)
		s.quiet = nil
	}
}

// leave gives the place back.
func (s *seat) leave() {
	s.hall.mu.Lock()
	defer s.hall.mu.Unlock()
	s.hall.leave(s)
}

// follow lets the stream give way while it is quiet.
func (s *seat) follow(near, far net.Conn) *Lull {
	s.near, s.far = near, far
	return Follow(&s.hall.mu, func() { s.hall.rest(s) }, func() { s.hall.rouse(s) })
}

// counts are for Stats.
func (h *hall) counts() (taken int, shed uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.taken, h.shed
}
