package geodns

import (
	"net/netip"

	"landfall"
	"landfall/geodns/plan"
	"landfall/geodns/resolver"
	"landfall/geodns/zone"

	"github.com/miekg/dns"
)

// snapshot is everything that answers depend on. It is made anew with every
// change and swapped as a whole, so that an answer never mixes two maps.
type snapshot struct {
	in       inputs
	zones    *zone.Zones
	prepared *plan.Prepared
	plan     *plan.Plan
	choices  []choice          // by the plan's numbers
	edges    []landfall.NodeID // that may be named
	v4, v6   bool              // whether any edge has such an address

	sigs   map[zone.Name]*steeredSigs // of steered names in signed zones
	online *online

	resolvers *resolver.Book // nil: nobody learns
	counter   func(landfall.NodeID) *named

	uninformed bool // nobody can tell which challenges there are
}

// choice is one of the plan's as answers carry it.
type choice struct {
	zone.Addresses
	named *named // its first edge; nil if it has none
}

// settle makes of a plan what answers are made of.
func (s *snapshot) settle(from *plan.Prepared, p *plan.Plan) {
	s.prepared, s.plan, s.choices, s.edges = from, p, nil, nil
	for i := range p.Choices() {
		s.choices = append(s.choices, s.choice(p.Choice(uint32(i))))
	}
	for n := range s.in.Map.Having(landfall.RoleEdge) {
		s.v4 = s.v4 || len(s.zones.Edge(n.ID).V4) > 0
		s.v6 = s.v6 || len(s.zones.Edge(n.ID).V6) > 0
	}
	for _, l := range p.Loads() {
		if l.Serves {
			s.edges = append(s.edges, l.Edge)
		}
	}
}

// keep takes over what another made of the same plan.
func (s *snapshot) keep(before *snapshot) {
	s.prepared, s.plan, s.choices, s.edges, s.v4, s.v6 = before.prepared, before.plan, before.choices, before.edges, before.v4, before.v6
}

func (s *snapshot) choice(c plan.Choice) choice {
	var out choice
	out.ALPN = s.zones.ALPN(c.Edges)
	for _, a := range c.V4 {
		out.V4 = append(out.V4, a.AsSlice())
	}
	for _, a := range c.V6 {
		out.V6 = append(out.V6, a.AsSlice())
	}
	if len(c.Edges) > 0 {
		out.named = s.counter(c.Edges[0])
	}
	return out
}

// steered is the set asked for at a steered name, or at one that a wildcard
// stands for, its owner; false if it has none of that type.
func (s *snapshot) steered(r *reply, owner zone.Name, n *zone.Steered, client netip.Addr) (zone.Set, bool) {
	var kind plan.Kind
	switch {
	case r.q.rrtype == dns.TypeA && s.v4:
		kind = plan.A
	case r.q.rrtype == dns.TypeAAAA && s.v6:
		kind = plan.AAAA
	case r.q.rrtype == dns.TypeHTTPS && n.HTTPS():
		kind = plan.Both
	default:
		return zone.Set{}, false // for nobody: the scope stays 0
	}
	i, scope := s.choose(r, kind, client)
	// Also where the answer turns out to be that there is none: for clients
	// elsewhere there is one, and RFC 7871, 7.4 would have us hide it.
	r.scope = scope
	r.steered, r.kind, r.choice, r.named = true, kind, i, s.choices[i].named
	set := s.choices[i].set(n, kind)
	if r.q.opt.do {
		set.Sigs = s.signature(owner, set, kind, i)
	}
	return set, len(set.Data) > 0
}

// choose is the choice for a client: that of its subnet if the query has one,
// else of where the query came from, behind which there may be others. A
// client that gives no address away gets what a client at an unknown place
// gets, and that is the same for all of its kind (RFC 7871, 7.1.2).
func (s *snapshot) choose(r *reply, kind plan.Kind, from netip.Addr) (i uint32, scope uint8) {
	subnet := &r.q.opt.subnet
	if !subnet.present() {
		r.whom = from
		return s.plan.LookupResolver(kind, from), 0
	}
	if r.whom = subnet.addr; !r.whom.IsValid() {
		return s.plan.Nobody(kind), 0
	}
	i, bits := s.plan.Lookup(kind, subnet.addr)
	return i, uint8(bits)
}

// set is what a choice has a steered name tell.
func (c choice) set(n *zone.Steered, kind plan.Kind) zone.Set {
	switch kind {
	case plan.A:
		return zone.Set{Type: dns.TypeA, TTL: n.TTL, Data: c.V4}
	case plan.AAAA:
		return zone.Set{Type: dns.TypeAAAA, TTL: n.TTL, Data: c.V6}
	default:
		return zone.Set{Type: dns.TypeHTTPS, TTL: n.TTL, Data: [][]byte{n.AppendHTTPS(nil, c.Addresses)}}
	}
}

// seen is the set asked for at a name whose fetch tells who stands behind a
// resolver, and the one edge that it names, whoever asks; false if there is
// nothing to say.
func (s *snapshot) seen(r *reply, token string) (set zone.Set, id landfall.NodeID, ok bool) {
	id = s.resolvers.Edge(token, s.edges)
	a := s.zones.Edge(id)
	set = zone.Set{Type: r.q.rrtype, TTL: seenTTL}
	switch r.q.rrtype {
	case dns.TypeA:
		set.Data = a.V4
	case dns.TypeAAAA:
		set.Data = a.V6
	}
	return set, id, len(set.Data) > 0
}

// seenTTL is that of a name which nobody asks for twice.
const seenTTL = 60
