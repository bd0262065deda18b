package geodns

import (
	"net/netip"
	"slices"
	"strings"

	"landfall/geodns/resolver"
	"landfall/geodns/zone"

	"github.com/miekg/dns"
)

// maxChain bounds the CNAME records followed for one query.
const maxChain = 8

// answer fills a reply to a well-formed query.
func (s *Server) answer(snap *snapshot, r *reply, client netip.Addr) (rcode int) {
	if r.q.class == dns.ClassCHAOS {
		return snap.chaos(r, s.version, s.nsid)
	}
	if r.q.rrtype == dns.TypeAXFR || r.q.rrtype == dns.TypeIXFR {
		return s.alone(r, snap, client)
	}
	if rcode := badType(r.q.rrtype); rcode != dns.RcodeSuccess {
		if r.q.rrtype == dns.TypeNXNAME { // RFC 9824, 3.5
			r.excuse = invalidType
		}
		return rcode
	}
	z := snap.zones.Of(r.q.name)
	switch {
	case r.q.class != dns.ClassINET:
		r.excuse = notSupported
		return dns.RcodeRefused
	case z == nil:
		r.excuse = notAuthoritative
		return dns.RcodeRefused
	}
	if r.apex, r.secure = z.Apex, r.proves(z); !r.secure {
		r.limit = r.gain
	}
	return snap.resolve(r, z, client)
}

// badType refuses questions for what is not data (RFC 6895, 3.1).
func badType(rrtype uint16) (rcode int) {
	switch {
	case rrtype == dns.TypeANY:
		return dns.RcodeSuccess
	case rrtype == dns.TypeOPT, rrtype == dns.TypeNXNAME: // RFC 9824, 3.5
		return dns.RcodeFormatError
	case rrtype >= 128 && rrtype <= 255:
		return dns.RcodeNotImplemented
	}
	return dns.RcodeSuccess
}

// resolve answers from the zones, of which one is that of the name.
func (s *snapshot) resolve(r *reply, z *zone.Zone, client netip.Addr) (rcode int) {
	r.authoritative = true
	rcode = s.follow(r, z, client)
	r.flush()
	return rcode
}

// follow is the algorithm of RFC 1034, 4.3.2.
func (s *snapshot) follow(r *reply, z *zone.Zone, client netip.Addr) (rcode int) {
	name := r.q.name
	var been, led [maxChain]zone.Name // names, and those of DNAME records
	for i := range been {
		if slices.Contains(been[:i], name) { // aliases in a circle
			return dns.RcodeSuccess
		}
		been[i] = name
		if i > 0 {
			z = s.zones.Of(name)
		}
		if z = s.zones.For(z, name, r.q.rrtype); z == nil { // where a CNAME led
			return dns.RcodeSuccess
		}
		if s.in.rings.withholds(z.Apex) {
			return r.fail(notReady)
		}
		m := z.Find(name)
		r.passing = r.passing || len(m.Encloser) < len(name)
		switch {
		case s.uninformed && m.Kind != zone.Delegated && challenged(name, m.Node):
			return r.fail(notReady)
		case m.Kind == zone.Missing:
			if token, ok := s.token(r, name); ok {
				return s.unseen(r, name, token, client)
			}
			return s.missing(r, z, m, name, client)
		case m.Kind == zone.Redirected:
			told := slices.Contains(led[:i], m.Encloser)
			led[i] = m.Encloser
			if name = r.redirect(m, name, told); name == "" {
				return dns.RcodeYXDomain
			}
			continue
		case m.Kind == zone.Delegated && (m.Node == nil || r.q.rrtype != dns.TypeDS):
			r.authoritative = name != r.q.name
			r.refer(z, m.Cut)
			return dns.RcodeSuccess
		}
		if s.node(r, z, m, name, client) {
			return dns.RcodeSuccess
		}
		cname, ok := m.Node.Set(dns.TypeCNAME)
		if !ok {
			s.lacking(r, z, m, name)
			return dns.RcodeSuccess
		}
		r.set(sectionAnswer, name, cname)
		r.expanded(z, m, name)
		name = zone.Lower(cname.Data[0])
	}
	return dns.RcodeSuccess
}

// redirect answers for a name below a DNAME record, and returns the name to go
// on with; empty if that would be too long (RFC 6672, 3.2). The record may have
// been told already, on the way to the name.
func (r *reply) redirect(m zone.Match, name zone.Name, told bool) zone.Name {
	if dname, _ := m.Node.Set(dns.TypeDNAME); !told {
		r.set(sectionAnswer, m.Encloser, dname)
	}
	cname, ok := m.Redirect(name)
	if !ok {
		return ""
	}
	r.set(sectionAnswer, name, cname)
	return zone.Lower(cname.Data[0])
}

// token is that of a name made up by a page; false for others, and where it is
// proofs that are asked for.
func (s *snapshot) token(r *reply, name zone.Name) (string, bool) {
	if r.q.rrtype == dns.TypeNSEC || r.q.rrtype == dns.TypeRRSIG {
		return "", false
	}
	return resolver.Token(name, s.zones.Domain().Apex)
}

// unseen answers for a name that is not in the zone, and that is asked for
// once. Over the budget of signatures the wildcard stands in.
func (s *snapshot) unseen(r *reply, name zone.Name, token string, client netip.Addr) (rcode int) {
	z := s.zones.Domain()
	set, id, ok := s.seen(r, token)
	section := sectionAnswer
	switch {
	case ok && !r.proven: // somebody could speak for a resolver that is not his
		r.truncated = true
		return dns.RcodeSuccess
	case !ok:
		section, set = sectionAuthority, s.unsaid(z, name, token, r.q.rrtype)
	}
	if r.proves(z) && !s.online.sign(s.signer(z), name, &set, &s.online.tokens, r) {
		return s.standIn(r, z, name, client)
	}
	if !ok {
		r.set(sectionAuthority, z.Apex, z.SOA())
	}
	if ok || r.proves(z) {
		r.set(section, name, set)
	}
	if ok && s.resolvers != nil && !r.q.opt.subnet.present() {
		s.resolvers.Asked(strings.Clone(token), client, id)
	}
	return dns.RcodeSuccess
}

// standIn answers for a name below seen by the wildcard there, which is signed
// ahead.
func (s *snapshot) standIn(r *reply, z *zone.Zone, name zone.Name, client netip.Addr) (rcode int) {
	wild := z.Tokens()
	m := z.Find(wild)
	if m.Kind != zone.Found {
		return r.fail(unprovable)
	}
	m.Source = wild
	if !s.node(r, z, m, name, client) {
		s.lacking(r, z, m, name)
	}
	return dns.RcodeSuccess
}

// challenged reports whether what is at a name depends on challenges: an
// alias stays what the map says. The node is nil if there is no such name.
func challenged(name zone.Name, n *zone.Node) bool {
	if n != nil {
		if _, alias := n.Set(dns.TypeCNAME); alias {
			return false
		}
	}
	return name.HasLabel("_acme-challenge")
}

// node answers from what is at the name itself, and reports whether anything
// was.
func (s *snapshot) node(r *reply, z *zone.Zone, m zone.Match, name zone.Name, client netip.Addr) bool {
	set, ok := s.find(r, z, m, name, client)
	if !ok {
		return false
	}
	r.set(sectionAnswer, name, set)
	r.expanded(z, m, name)
	if set.Type == dns.TypeNS {
		r.flush()
		r.glue(m.Node.Glue)
	}
	return true
}

// find is the set that is asked for; false if the name has none.
func (s *snapshot) find(r *reply, z *zone.Zone, m zone.Match, name zone.Name, client netip.Addr) (set zone.Set, ok bool) {
	if set, ok := s.special(r, z, m, name); ok {
		return set, len(set.Data) > 0
	}
	if m.Node.Steered != nil {
		if set, ok := s.steered(r, owner(m, name), m.Node.Steered, client); ok {
			return set, true
		}
	}
	return m.Node.Set(r.q.rrtype)
}

// refer sends the client on to the name servers of a delegated name. Addresses
// of those below it are part of the referral, those of others an extra (RFC
// 9471, 3).
func (r *reply) refer(z *zone.Zone, c *zone.Cut) {
	r.set(sectionAuthority, c.Name, c.NS)
	r.delegation(z, c.Name)
	r.flush()
	for _, below := range []bool{true, false} {
		for _, g := range c.Glue {
			if g.Name.Within(c.Name) == below && !r.extra(g) {
				r.truncated = r.truncated || below
				return
			}
		}
	}
}

// glue adds addresses as far as there is room.
func (r *reply) glue(sets []zone.Glue) {
	for _, g := range sets {
		if !r.extra(g) {
			return
		}
	}
}

// extra adds addresses, if there is room.
func (r *reply) extra(g zone.Glue) bool {
	before := len(r.b)
	r.set(sectionAdditional, g.Name, g.Set)
	return len(r.b) > before
}

// minimalANY is the answer to who asks for everything (RFC 8482, 4.2).
func minimalANY() zone.Set {
	return zone.Set{Type: dns.TypeHINFO, TTL: 3600, Data: [][]byte{[]byte("\x07RFC8482\x00")}}
}
