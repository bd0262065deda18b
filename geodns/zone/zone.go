package zone

import (
	"encoding/binary"
	"slices"

	"github.com/miekg/dns"
)

// Zone is the data of one zone.
type Zone struct {
	Apex   Name // the name of the zone itself
	Secure bool // it is signed

	nodes map[Name]*Node
	names []Name // of nodes, in canonical order
	chain []Name // those that have NSEC records, in canonical order
}

// Node is what the zone knows about one name. A name that only has others
// below it is a Node without anything (RFC 8020, 2).
type Node struct {
	Sets    []Set
	Steered *Steered // not nil where edges are named: the name of a service
	Glue    []Glue   // addresses of the name servers, where there is an NS set

	cut       *Cut     // the delegation that the name is part of
	redirects bool     // has a DNAME record
	shadow    bool     // a wildcard that is found by its own name alone
	denials   []denial // what says that the name has no more
}

// Set is a set of records of one name and type (RFC 2181, 5).
type Set struct {
	Type uint16
	TTL  uint32
	Data [][]byte // RDATA, uncompressed
	Sigs [][]byte // RDATA of the RRSIG records over it; nil in an unsigned zone
}

// Cut is a delegation (RFC 1034, 4.2.1).
type Cut struct {
	Name Name
	NS   Set
	Glue []Glue
}

// Glue is a set of addresses for the additional section.
type Glue struct {
	Name Name
	Set
}

// Kind says what Find came upon.
type Kind uint8

// The kinds.
const (
	Outside    Kind = iota // not a name of this zone
	Found                  // Node is what we know
	Missing                // in the zone, but there is no such name
	Delegated              // Cut says who knows; Node is ours if it is the cut itself
	Redirected             // Node, at the name Encloser, has a DNAME record (RFC 6672)
)

// Match is what Find came upon.
type Match struct {
	Kind Kind
	Node *Node
	Cut  *Cut

	Encloser Name // the longest name that exists and that the name is or lies below (RFC 4592, 3.3.1); of this zone unless Outside
	Source   Name // the wildcard that Node is of; empty if Node is of the name itself
}

// Find looks a name up as RFC 1034, 4.3.2 tells, with the wildcards of RFC
// 4592. The name is in wire form and lower case.
func (z *Zone) Find(name Name) Match {
	if !name.Within(z.Apex) {
		return Match{Kind: Outside}
	}
	at, node := z.closest(name)
	exact := len(at) == len(name)
	switch {
	case node.cut != nil && exact && node.cut.Name == name:
		return Match{Kind: Delegated, Node: node, Cut: node.cut, Encloser: at}
	case node.cut != nil:
		return Match{Kind: Delegated, Cut: node.cut, Encloser: at}
	case exact:
		return Match{Kind: Found, Node: node, Encloser: at}
	case node.redirects:
		return Match{Kind: Redirected, Node: node, Encloser: at}
	}
	var room [2 + maxName]byte
	wild := append(append(room[:0], "\x01*"...), at...) // hardly ever there: no string is made of it
	if n := z.nodes[Name(wild)]; n != nil && !n.shadow {
		return Match{Kind: Found, Node: n, Encloser: at, Source: Name(wild)}
	}
	return Match{Kind: Missing, Encloser: at}
}

// closest is the longest name that exists and that a name of the zone is or
// lies below, and what is there. It is sought from the apex down: what is above
// a name that exists does too, and a name may have a hundred labels.
func (z *Zone) closest(name Name) (at Name, node *Node) {
	if node = z.nodes[name]; node != nil {
		return name, node
	}
	at, node = z.Apex, z.nodes[z.Apex]
	var begins [128]uint8
	for i := name.labels(&begins) - 1; i > 0; i-- {
		next := name[begins[i]:]
		if len(next) <= len(z.Apex) {
			continue
		}
		below := z.nodes[next]
		if below == nil {
			break
		}
		at, node = next, below
	}
	return at, node
}

// Redirect is the CNAME record that a name below a DNAME record gets (RFC 6672,
// 3.1), for a Match that says Redirected; false if its target would be longer
// than a name may be.
func (m Match) Redirect(name Name) (Set, bool) {
	dname, _ := m.Node.Set(dns.TypeDNAME)
	target := slices.Concat([]byte(name[:len(name)-len(m.Encloser)]), dname.Data[0])
	return Set{Type: dns.TypeCNAME, TTL: dname.TTL, Data: [][]byte{target}}, len(target) <= maxName
}

// SOA is the record that negative answers carry. Its TTL is how long they may
// be kept (RFC 2308, 3).
func (z *Zone) SOA() Set {
	soa, _ := z.nodes[z.Apex].Set(typeSOA)
	soa.TTL = min(soa.TTL, binary.BigEndian.Uint32(soa.Data[0][len(soa.Data[0])-4:]))
	return soa
}

// Names are all names of the zone in canonical order (RFC 4034, 6.1), those
// below its delegations too. Nobody may change the slice.
func (z *Zone) Names() []Name { return z.names }

// Set finds the set of a type.
func (n *Node) Set(rrtype uint16) (Set, bool) {
	i := slices.IndexFunc(n.Sets, func(s Set) bool { return s.Type == rrtype })
	if i < 0 {
		return Set{}, false
	}
	return n.Sets[i], true
}

// Empty reports whether there is nothing at the name itself.
func (n *Node) Empty() bool { return len(n.Sets) == 0 && n.Steered == nil }
