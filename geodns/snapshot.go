package geodns

import (
	"net/netip"
	"sync/atomic"

	"landfall"
	"landfall/geodns/steer"
	"landfall/geodns/zone"

	"github.com/miekg/dns"
)

// snapshot is everything that answers depend on. It is made anew with every
// change and swapped as a whole, so that an answer never mixes two maps.
type snapshot struct {
	m       *landfall.Map
	zone    *zone.Zone
	locator Locator
	down    map[landfall.NodeID]bool
	named   map[landfall.NodeID]*atomic.Uint64 // answers in which an edge came first
	answers int
	v4, v6  bool // whether any edge has such an address

	uninformed bool // nobody can tell which challenges there are
}

func newSnapshot(m *landfall.Map, z *zone.Zone, locator Locator, down map[landfall.NodeID]bool, counter func(landfall.NodeID) *atomic.Uint64) *snapshot {
	s := &snapshot{m: m, zone: z, locator: locator, down: down, named: map[landfall.NodeID]*atomic.Uint64{}, answers: m.Steering.EffectiveAnswers()}
	for n := range m.Having(landfall.RoleEdge) {
		s.named[n.ID] = counter(n.ID)
		s.v4 = s.v4 || len(z.Edge(n.ID).V4) > 0
		s.v6 = s.v6 || len(z.Edge(n.ID).V6) > 0
	}
	return s
}

// place is where the client is and the scope of what depends on it: that of
// the client subnet if the query has one, else of addr, which it came from. A
// client that gives no address away gets what a client at an unknown place
// gets, and that is the same for all of its kind (RFC 7871, 7.1.2).
func (s *snapshot) place(o *opt, addr netip.Addr) (loc landfall.Location, scope uint8) {
	if o.subnet != nil {
		if addr = o.subnet.addr; !addr.IsValid() {
			return landfall.Location{}, 0
		}
	}
	loc, prefix := s.locator.Locate(addr)
	bits := prefix.Bits()
	switch {
	case bits < 0: // no prefix: true of this one address
		bits = addr.BitLen()
	case addr.Is4In6() && prefix.Addr().Is4():
		bits += 96
	}
	return loc, uint8(bits)
}

// steered is the set asked for at a steered name; false if it has none of
// that type.
func (s *snapshot) steered(r *reply, n *zone.Steered, client netip.Addr) (zone.Set, bool) {
	switch r.q.rrtype {
	case dns.TypeA, dns.TypeAAAA:
		if r.q.rrtype == dns.TypeA && !s.v4 || r.q.rrtype == dns.TypeAAAA && !s.v6 {
			return zone.Set{}, false // for nobody: the scope stays 0
		}
	case dns.TypeHTTPS:
		if !n.HTTPS() {
			return zone.Set{}, false
		}
	default:
		return zone.Set{}, false
	}
	loc, scope := s.place(&r.q.opt, client)
	// Also where the answer turns out to be that there is none: for clients
	// elsewhere there is one, and RFC 7871, 7.4 would have us hide it.
	r.scope = scope
	edges := s.edges(steer.Choose(s.m, loc, s.up).Named)
	set := zone.Set{Type: r.q.rrtype, TTL: n.TTL}
	switch r.q.rrtype {
	case dns.TypeA:
		set.Data = edges.V4
	case dns.TypeAAAA:
		set.Data = edges.V6
	case dns.TypeHTTPS:
		set.Data = [][]byte{n.AppendHTTPS(nil, edges)}
	}
	return set, len(set.Data) > 0
}

func (s *snapshot) up(id landfall.NodeID) bool { return !s.down[id] }

// edges are the addresses to tell: those of the best edges, until one family
// has as many as an answer holds. Both families are thus of the same edges,
// whichever of them a client takes.
func (s *snapshot) edges(named []steer.Edge) zone.Addresses {
	var out zone.Addresses
	for i, e := range named {
		if i == 0 {
			s.named[e.ID].Add(1)
		}
		a := s.zone.Edge(e.ID)
		out.V4 = append(out.V4, a.V4...)
		out.V6 = append(out.V6, a.V6...)
		if max(len(out.V4), len(out.V6)) >= s.answers {
			break
		}
	}
	out.V4 = out.V4[:min(len(out.V4), s.answers)]
	out.V6 = out.V6[:min(len(out.V6), s.answers)]
	return out
}
