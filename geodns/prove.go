package geodns

import (
	"landfall/geodns/zone"

	"github.com/miekg/dns"
)

// proves reports whether an answer from a zone is to hold what proves it (RFC
// 4035, 3.1).
func (r *reply) proves(z *zone.Zone) bool { return r.q.opt.do && z.Secure }

// prove adds what proves an answer, once. It comes when all else is there, as
// sections are written in their order.
func (r *reply) prove(owner zone.Name, s zone.Set) {
	for _, p := range r.proofs {
		if p.Name == owner {
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

// fail takes back what was said: it cannot be proved.
func (r *reply) fail() (rcode int) {
	r.authoritative, r.proofs = false, nil
	r.empty()
	return dns.RcodeServerFailure
}

// missing answers that there is no such name.
func (s *snapshot) missing(r *reply, z *zone.Zone, m zone.Match, name zone.Name) (rcode int) {
	soa := z.SOA()
	if !r.proves(z) {
		r.set(sectionAuthority, z.Apex, soa)
		return dns.RcodeNameError
	}
	if denial, ok := s.online.deny(s.signer(z), name, soa.TTL, r); ok {
		return r.nonexistent(z, soa, name, denial)
	}
	// RFC 4035, 3.1.3.2: neither the name exists, nor a wildcard for it.
	owner, set, ok := z.Cover(name)
	wild, other, proved := z.Cover(m.Encloser.Wildcard())
	if !ok || !proved {
		return r.fail()
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
	if m.Source == "" {
		r.prove(name, m.Node.Denial(r.q.rrtype))
		return
	}
	r.expanded(z, m, name)
	if set, ok := m.Node.Set(dns.TypeNSEC); ok {
		r.prove(m.Source, set)
	} else if owner, set, ok := z.Cover(m.Source); ok { // it has nothing but names below it
		r.prove(owner, set)
	}
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
	ds, ok := node.Set(dns.TypeDS)
	if !ok {
		ds = node.Denial(dns.TypeDS)
	}
	r.set(sectionAuthority, cut, ds)
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
	set := m.Node.Denial(r.q.rrtype)
	if m.Source != "" { // RFC 4592, 4.8
		set, _ = m.Node.Set(dns.TypeNSEC)
	}
	if r.q.rrtype == dns.TypeRRSIG { // one, as there may be many (RFC 8482, 7)
		set = zone.Set{Type: dns.TypeRRSIG, TTL: set.TTL, Data: set.Sigs}
	}
	return set, true
}

// any is the answer to who asks for everything (RFC 8482, 4.2), or, where that
// cannot be signed now, one set out of everything (4.1).
func (s *snapshot) any(r *reply, z *zone.Zone, m zone.Match, name zone.Name) zone.Set {
	set, owner := minimalANY(), name
	if m.Source != "" {
		owner = m.Source
	}
	if r.proves(z) && !s.online.sign(s.signer(z), owner, &set, r) {
		set, _ = m.Node.Set(dns.TypeNSEC)
	}
	return set
}
