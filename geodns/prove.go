package geodns

import (
	"net/netip"

	"landfall/geodns/zone"

	"github.com/miekg/dns"
)

// proves reports whether an answer from a zone is to hold what proves it (RFC
// 4035, 3.1).
func (r *reply) proves(z *zone.Zone) bool { return r.q.opt.do && z.Secure }

// prove adds what proves an answer: one set of each name, as validators keep no
// more. The last is the one that denies a type at its owner, if any does, and
// says of other names what those before it said. It comes when all else is
// there, as sections are written in their order.
func (r *reply) prove(owner zone.Name, s zone.Set) {
	for i := range r.proofs {
		if r.proofs[i].Name == owner {
			r.proofs[i].Set = s
			return
		}
	}
	r.proofs = append(r.proofs, zone.Glue{Name: owner, Set: s})
}

// flush writes what proves the answer.
func (r *reply) flush() {
	for _, p := range r.proofs {
		r.set(sectionAuthority, p.Name, p.Set)
	}
	r.proofs = r.proofs[:0]
}

// fail takes back what was said: there is no answer, not one that could be
// proved.
func (r *reply) fail(why excuse) (rcode int) {
	r.authoritative, r.proofs = false, nil
	r.empty()
	r.excuse = why
	return dns.RcodeServerFailure
}

// missing answers that there is no such name. Below seen there is a wildcard
// that is only for those who cannot ask us: over the budget it answers, as it
// cannot be denied.
func (s *snapshot) missing(r *reply, z *zone.Zone, m zone.Match, name zone.Name, client netip.Addr) (rcode int) {
	soa := z.SOA()
	if !r.proves(z) {
		r.set(sectionAuthority, z.Apex, soa)
		return dns.RcodeNameError
	}
	if denial, ok := s.online.deny(s.signer(z), name, soa.TTL, r); ok {
		return r.nonexistent(z, soa, name, denial)
	}
	// RFC 4035, 3.1.3.2: neither the name exists, nor a wildcard for it.
	owner, set, _ := z.Cover(name)
	wild, other, ok := z.Cover(m.Encloser.Wildcard())
	if !ok {
		return s.standIn(r, z, name, client)
	}
	r.set(sectionAuthority, z.Apex, soa)
	r.prove(owner, set)
	r.prove(wild, other)
	return dns.RcodeNameError
}

// nonexistent answers with a compact denial, in which the name is there and has
// a type that only says that it is not (RFC 9824, 3.1). Who knows of that hears
// NXDOMAIN all the same (5.1).
func (r *reply) nonexistent(z *zone.Zone, soa zone.Set, name zone.Name, denial zone.Set) (rcode int) {
	if r.q.rrtype == dns.TypeNSEC {
		r.set(sectionAnswer, name, denial)
		return dns.RcodeSuccess
	}
	r.set(sectionAuthority, z.Apex, soa)
	r.prove(name, denial)
	if r.q.opt.co {
		return dns.RcodeNameError
	}
	return dns.RcodeSuccess
}

// lacking answers that a name has no such type. Where the name itself does not
// exist, that is proved of the wildcard that stands for it (RFC 4035, 3.1.3.4).
func (s *snapshot) lacking(r *reply, z *zone.Zone, m zone.Match, name zone.Name) {
	r.set(sectionAuthority, z.Apex, z.SOA())
	if !r.proves(z) {
		return
	}
	r.expanded(z, m, name)
	at := owner(m, name)
	if set := m.Node.Denial(r.q.rrtype); len(set.Data) > 0 {
		r.prove(at, set)
	} else if over, set, ok := z.Cover(at); ok { // it has nothing but names below it
		r.prove(over, set)
	}
}

// owner is the name whose records a name is answered with: itself, or the
// wildcard that stands for it.
func owner(m zone.Match, name zone.Name) zone.Name {
	if m.Source != "" {
		return m.Source
	}
	return name
}

// expanded proves that a wildcard was to be used: there is no such name (RFC
// 4035, 3.1.3.3).
func (r *reply) expanded(z *zone.Zone, m zone.Match, name zone.Name) {
	if m.Source == "" || !r.proves(z) {
		return
	}
	if owner, set, ok := z.Cover(name); ok {
		r.prove(owner, set)
	}
}

// delegation proves that a zone below is signed, and by which key, or that it
// is not (RFC 4035, 3.1.4).
func (r *reply) delegation(z *zone.Zone, cut zone.Name) {
	if !r.proves(z) {
		return
	}
	node := z.Find(cut).Node
	if ds, ok := node.Set(dns.TypeDS); ok {
		r.set(sectionAuthority, cut, ds)
	} else {
		r.prove(cut, node.Denial(dns.TypeDS))
	}
}

// unsaid is the NSEC set, not yet signed, which tells that a name made up by a
// page has no such type.
func (s *snapshot) unsaid(z *zone.Zone, name zone.Name, token string, rrtype uint16) zone.Set {
	types := []uint16{dns.TypeRRSIG, dns.TypeNSEC}
	a := s.zones.Edge(s.resolvers.Edge(token, s.edges))
	if len(a.V4) > 0 && rrtype != dns.TypeA {
		types = append(types, dns.TypeA)
	}
	if len(a.V6) > 0 && rrtype != dns.TypeAAAA {
		types = append(types, dns.TypeAAAA)
	}
	next, _ := name.Successor() // tokens are short
	return zone.Set{Type: dns.TypeNSEC, TTL: z.SOA().TTL, Data: [][]byte{zone.NSEC(next, types...)}}
}

// special is the set for a question about signatures themselves, or for
// everything; false for others. The set may be empty.
func (s *snapshot) special(r *reply, z *zone.Zone, m zone.Match, name zone.Name) (zone.Set, bool) {
	switch {
	case r.q.rrtype == dns.TypeANY && !m.Node.Empty():
		return s.any(r, z, m, name), true
	case !z.Secure || r.q.rrtype != dns.TypeNSEC && r.q.rrtype != dns.TypeRRSIG:
		return zone.Set{}, false
	}
	set, _ := m.Node.Set(dns.TypeNSEC) // of wildcards, too (RFC 4592, 4.8)
	if r.q.rrtype == dns.TypeRRSIG {   // one, as there may be many (RFC 8482, 7)
		set = zone.Set{Type: dns.TypeRRSIG, TTL: set.TTL, Data: set.Sigs}
	}
	return set, true
}

// any is the answer to who asks for everything (RFC 8482, 4.2), or, where that
// is not to be signed now, one set out of everything (4.1).
func (s *snapshot) any(r *reply, z *zone.Zone, m zone.Match, name zone.Name) zone.Set {
	set := minimalANY()
	if r.proves(z) && (owner(m, name).IsWildcard() || !s.online.sign(s.signer(z), name, &set, &s.online.denied, r)) {
		set, _ = m.Node.Set(dns.TypeNSEC)
	}
	return set
}
