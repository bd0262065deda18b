package zone

import (
	"bytes"
	"cmp"
	"maps"
	"slices"

	"landfall/geodns/resolver"

	"github.com/miekg/dns"
)

// Signing is what it takes to sign a zone.
type Signing struct {
	// Keys are the sets of the apex that are signed by a KSK, with signatures:
	// DNSKEY, and CDS and CDNSKEY where they are shown.
	Keys []Set
	// Sign makes the RDATA of the RRSIG record over a set.
	Sign func(owner Name, s Set) []byte
	// Before is the zone as it was signed in the same way before: what has not
	// changed is not signed again. Nil if there is none.
	Before *Zone
	// V4 and V6 tell which addresses steered names have.
	V4, V6 bool

	ds func(cut Name) [][]byte // the data of the DS set that a zone below asks for
}

// sigs are the signatures of a set.
func (by *Signing) sigs(owner Name, s Set) [][]byte {
	if by.Before != nil {
		if n := by.Before.nodes[owner]; n != nil {
			if sigs := n.signatures(s); sigs != nil {
				return sigs
			}
		}
	}
	return [][]byte{by.Sign(owner, s)}
}

// signatures are those that a name has for a set; nil if it has none for just
// that.
func (n *Node) signatures(s Set) [][]byte {
	for _, d := range n.denials {
		if d.Set.same(s) {
			return d.Sigs
		}
	}
	if old, ok := n.Set(s.Type); ok && old.same(s) {
		return old.Sigs
	}
	return nil
}

func (s Set) same(o Set) bool {
	return s.Type == o.Type && s.TTL == o.TTL && slices.EqualFunc(s.Data, o.Data, bytes.Equal)
}

// Signed is the zones with those signed for which of gives what it takes; the
// others stay as they are. A zone's DS set for another of ours is what that
// one's CDS set asks for (RFC 7344, 4).
func (z *Zones) Signed(of func(*Zone) *Signing) *Zones {
	out := *z
	out.byApex, out.all = map[Name]*Zone{}, nil
	wanted := map[Name]*Signing{}
	for _, zone := range z.all {
		wanted[zone.Apex] = of(zone)
	}
	for _, zone := range z.all {
		signed := zone
		if by := wanted[zone.Apex]; by != nil {
			with := *by
			with.ds = func(cut Name) [][]byte { return wanted[cut].asked() }
			signed = zone.signed(&with, zone == z.domain)
		}
		out.all = append(out.all, signed)
		out.byApex[zone.Apex] = signed
	}
	out.domain = out.byApex[z.domain.Apex]
	return &out
}

// asked is what a zone's CDS set asks the zone above for.
func (s *Signing) asked() [][]byte {
	if s == nil {
		return nil
	}
	i := slices.IndexFunc(s.Keys, func(set Set) bool { return set.Type == dns.TypeCDS })
	if i < 0 || s.Keys[i].Data[0][2] == 0 { // algorithm 0 asks for none (RFC 8078, 4)
		return nil
	}
	return s.Keys[i].Data
}

// signed is a zone with signatures over every set that it has authority for,
// and with the NSEC records that deny all else (RFC 4035, 2): one of each name
// to the next.
func (z *Zone) signed(by *Signing, domain bool) *Zone {
	out := &Zone{Apex: z.Apex, Secure: true, nodes: maps.Clone(z.nodes), names: z.names}
	if domain {
		out.tokens()
	}
	for _, name := range out.names {
		if node := out.nodes[name]; node.cut == nil || node.cut.Name == name {
			out.nodes[name] = node.prepared(name == z.Apex, name, by)
		}
	}
	ttl := out.SOA().TTL // RFC 9077, 3
	out.link(by, ttl)
	for _, name := range out.names {
		if node := out.nodes[name]; node.cut == nil || node.cut.Name == name {
			node.sign(name, by)
		}
	}
	out.adorn()
	return out
}

// tokens puts a wildcard in where names are made up by pages. It is not what
// they are answered from while there is time to sign: it is there so that no NSEC record denies them to
// resolvers that keep those (RFC 8198), and that secondaries have an answer.
func (z *Zone) tokens() {
	wild := z.Tokens()
	if z.nodes[wild] != nil {
		return
	}
	z.nodes[wild] = &Node{Steered: &Steered{TTL: tokenTTL}, shadow: true}
	i, _ := slices.BinarySearchFunc(z.names, wild, Name.Compare)
	z.names = slices.Insert(slices.Clone(z.names), i, wild)
}

// Tokens is the wildcard of the names that are made up by pages. It is there in
// a zone that is Secure, if that is the domain's.
func (z *Zone) Tokens() Name { return z.Apex.child(resolver.Label).Wildcard() }

// tokenTTL is that of names which nobody asks for twice.
const tokenTTL = 60

// prepared is a copy of a node with all sets that it has in a signed zone but
// for its NSEC set.
func (n *Node) prepared(apex bool, name Name, by *Signing) *Node {
	out := *n
	out.Sets = slices.Clone(n.Sets)
	if _, known := n.Set(dns.TypeDS); n.cut != nil && !known {
		if ds := by.ds(name); len(ds) > 0 {
			out.insert(Set{Type: dns.TypeDS, TTL: stableTTL, Data: ds})
		}
	}
	if apex {
		for _, s := range by.Keys {
			out.insert(s)
		}
	}
	return &out
}

// insert puts a set where the order of types has it, and in place of one of its
// type.
func (n *Node) insert(s Set) {
	i, found := slices.BinarySearchFunc(n.Sets, s.Type, func(s Set, t uint16) int { return cmp.Compare(s.Type, t) })
	if found {
		n.Sets[i] = s
		return
	}
	n.Sets = slices.Insert(n.Sets, i, s)
}

// link makes the chain: every name that has something, or is delegated, knows
// the next, and the last the first (RFC 4034, 4.1.1).
func (z *Zone) link(by *Signing, ttl uint32) {
	for _, name := range z.names {
		if n := z.nodes[name]; !n.Empty() && (n.cut == nil || n.cut.Name == name) {
			z.chain = append(z.chain, name)
		}
	}
	for i, name := range z.chain {
		n, next := z.nodes[name], z.chain[(i+1)%len(z.chain)]
		types := n.types(by)
		n.insert(Set{Type: dns.TypeNSEC, TTL: ttl, Data: [][]byte{NSEC(next, types...)}})
		n.without(next, ttl, types)
	}
}

// denial is the NSEC set of a name less one type, which the name has, though
// not for everybody.
type denial struct {
	rrtype uint16
	Set
}

// without makes the NSEC sets that a steered name needs for clients who are
// told no addresses of one family. They name the next name as the chain does,
// and so prove whatever else the chain's set proves: who validates an answer
// need keep but one set of each name.
func (n *Node) without(next Name, ttl uint32, types []uint16) {
	if n.Steered == nil {
		return
	}
	for _, rrtype := range []uint16{dns.TypeA, dns.TypeAAAA} {
		if slices.Contains(types, rrtype) {
			less := slices.DeleteFunc(slices.Clone(types), func(t uint16) bool { return t == rrtype })
			n.denials = append(n.denials, denial{rrtype, Set{Type: dns.TypeNSEC, TTL: ttl, Data: [][]byte{NSEC(next, less...)}}})
		}
	}
}

// types are those of a name, as NSEC records tell them.
func (n *Node) types(by *Signing) []uint16 {
	types := []uint16{dns.TypeRRSIG, dns.TypeNSEC}
	for _, s := range n.Sets {
		types = append(types, s.Type)
	}
	if n.Steered != nil {
		if by.V4 {
			types = append(types, dns.TypeA)
		}
		if by.V6 {
			types = append(types, dns.TypeAAAA)
		}
		if n.Steered.HTTPS() {
			types = append(types, dns.TypeHTTPS)
		}
	}
	return types
}

// sign makes the signatures of one name. Those of its keys are there. The
// records of a delegation are not ours to sign, but for the DS and NSEC sets
// (RFC 4035, 2.2), nor are addresses below it.
func (n *Node) sign(name Name, by *Signing) {
	for i, s := range n.Sets {
		if s.Sigs == nil && (n.cut == nil || s.Type == dns.TypeDS || s.Type == dns.TypeNSEC) {
			n.Sets[i].Sigs = by.sigs(name, s)
		}
	}
	for i, d := range n.denials {
		n.denials[i].Sigs = by.sigs(name, d.Set)
	}
}

// adorn gives the addresses of the zone's name servers, as additional sections
// hold them, their signatures. Those of delegations go without, as there is
// little room in referrals and nobody is to trust them (RFC 4035, 3.1.4).
func (z *Zone) adorn() {
	apex := z.nodes[z.Apex]
	apex.Glue = slices.Clone(apex.Glue)
	for i, g := range apex.Glue {
		if n := z.nodes[g.Name]; n != nil && n.cut == nil {
			if s, ok := n.Set(g.Type); ok {
				apex.Glue[i].Set = s
			}
		}
	}
}

// Denial is the signed NSEC set which proves that the name has no record of a
// type (RFC 4035, 5.4), be it that others at other places get one. It is empty
// where the zone is not Secure, and where the name has nothing but others below
// it: what covers it proves that (RFC 4035, 3.1.3.1).
func (n *Node) Denial(rrtype uint16) Set {
	for _, d := range n.denials {
		if d.rrtype == rrtype {
			return d.Set
		}
	}
	s, _ := n.Set(dns.TypeNSEC)
	return s
}

// Cover is the signed NSEC set, and its owner, which proves that a name of the
// zone does not exist (RFC 4035, 5.4); false if there is none, because the name
// exists or the zone is not Secure.
func (z *Zone) Cover(name Name) (owner Name, s Set, ok bool) {
	i, exact := slices.BinarySearchFunc(z.chain, name, Name.Compare)
	if exact || i == 0 {
		return "", Set{}, false
	}
	owner = z.chain[i-1]
	s, ok = z.nodes[owner].Set(dns.TypeNSEC)
	return owner, s, ok
}
