package zone

import (
	"fmt"
	"maps"
	"slices"

	"github.com/miekg/dns"
)

// refuseNS keeps delegations away from what we answer for ourselves, and from
// name servers that nobody could find.
func (b *builder) refuseNS(e entry) (why, cure string) {
	d := e.zone
	switch {
	case e.name == d.Apex && !d.file:
		return "the name servers are the nodes with the role dns", "leave it out, or add a node"
	case e.name.IsWildcard():
		return "a wildcard cannot be delegated (RFC 4592, 4.2)", "write one for each name"
	}
	if kept, ok := d.held[e.name]; ok && e.name != d.Apex {
		return fmt.Sprintf("it would give %s away", kept), "delegate another name"
	}
	if target := Lower(e.data); !b.found(target) {
		return fmt.Sprintf("the name server %s has no address in the zone", target), fmt.Sprintf("add an A or AAAA record for %s", target)
	}
	return "", ""
}

// found reports whether a name server can be found: it is outside of our
// zones, or has an address in them.
func (b *builder) found(target Name) bool {
	d := b.in(target)
	if d == nil || b.addressed[target] {
		return true
	}
	for at := target; at != d.Apex; at = at.parent() {
		if d.ends[at] {
			return false // nobody but us can tell its address
		}
		if b.addressed[at.parent().child("*")] {
			return true
		}
	}
	return false
}

// refuseDNAME keeps redirections away from what we answer for ourselves, and
// from where they would come by again and again.
func (d *draft) refuseDNAME(name, target Name) (why, cure string) {
	if name.IsWildcard() {
		return "a wildcard cannot redirect what is below it (RFC 4592, 4.4)", "write one for each name"
	}
	if target.Within(name) {
		return fmt.Sprintf("it leads to %s, which it redirects in turn", target), "let it lead elsewhere"
	}
	if kept, ok := d.over[name]; ok {
		return fmt.Sprintf("it would redirect %s", kept), "redirect another name"
	}
	return "", ""
}

// refuseBelow keeps records out that nobody would be told: those at and below
// delegations that are no part of them, and those below redirections.
func (b *builder) refuseBelow(e entry) (why, cure string) {
	for at := e.name; at.Within(e.zone.Apex); at = at.parent() {
		if !e.zone.ends[at] {
			continue
		}
		_, redirects := e.zone.nodes[at].Set(dns.TypeDNAME)
		switch {
		case redirects && at == e.name && e.rrtype != dns.TypeNS:
		case redirects:
			return fmt.Sprintf("%s is redirected, with all below it (RFC 6672, 2.4)", at), "leave it out"
		case at == e.name && (e.rrtype == dns.TypeNS || e.rrtype == dns.TypeDS):
		case (e.rrtype == dns.TypeA || e.rrtype == dns.TypeAAAA) && b.targets[e.name]:
		case b.drafts[at] != nil:
			return fmt.Sprintf("%s is a zone of its own", at), "write it there"
		default:
			return fmt.Sprintf("%s is delegated, and this is not the address of a name server", at), "leave it out: the name servers of " + at.String() + " answer for it"
		}
	}
	if e.rrtype == dns.TypeDS && !e.zone.ends[e.name] {
		return "a DS record stands where a zone is delegated (RFC 4034, 5)", "add the NS records"
	}
	return "", ""
}

// finish completes the zones.
func (b *builder) finish() {
	for _, z := range b.zones.all {
		b.delegate(z)
	}
	for _, z := range b.zones.all {
		z.fillGaps()
		b.cuts(z)
		z.names = slices.SortedFunc(maps.Keys(z.nodes), Name.Compare)
	}
}

// delegate makes the zone above delegate a zone, if that is ours and its file
// does not.
func (b *builder) delegate(z *Zone) {
	above := b.zones.Of(z.Apex.parent())
	if above == nil {
		return
	}
	at := above.node(z.Apex)
	if _, ok := at.Set(dns.TypeNS); !ok {
		ns, _ := z.nodes[z.Apex].Set(dns.TypeNS)
		at.add(dns.TypeNS, ns.TTL, ns.Data...)
	}
}

// fillGaps adds the names that only have others below them: they exist (RFC
// 8020, 2), and looking one up must end there.
func (z *Zone) fillGaps() {
	for _, name := range slices.Collect(maps.Keys(z.nodes)) {
		for name != z.Apex {
			if name = name.parent(); z.nodes[name] != nil {
				break // and, now or later, those above it
			}
			z.nodes[name] = &Node{}
		}
	}
}

// cuts marks the names that are delegated and redirected, and finds the
// addresses of name servers.
func (b *builder) cuts(z *Zone) {
	for name, node := range z.nodes {
		_, node.redirects = node.Set(dns.TypeDNAME)
		if ns, ok := node.Set(dns.TypeNS); ok {
			node.Glue = b.glue(z, ns)
			if name != z.Apex {
				node.cut = &Cut{Name: name, NS: ns, Glue: node.Glue}
			}
		}
	}
	for name, node := range z.nodes {
		for at := name; at != z.Apex; at = at.parent() {
			// The highest cut wins: what is below it is not ours to say.
			if above := z.nodes[at]; above.cut != nil && above.cut.Name == at {
				node.cut = above.cut
			}
		}
	}
}

// glue finds the addresses of those name servers that have them in the zone,
// or in another of ours.
func (b *builder) glue(z *Zone, ns Set) []Glue {
	var out []Glue
	for _, target := range ns.Data {
		name := Lower(target)
		node := z.nodes[name]
		if other := b.zones.Of(name); other != nil && (node == nil || node.Empty()) {
			node = other.nodes[name]
		}
		if node == nil {
			continue
		}
		for _, rrtype := range []uint16{dns.TypeA, dns.TypeAAAA} {
			if set, ok := node.Set(rrtype); ok {
				out = append(out, Glue{name, set})
			}
		}
	}
	return out
}
