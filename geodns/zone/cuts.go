package zone

import "github.com/miekg/dns"

// fillGaps adds the names that only have others below them: they exist (RFC
// 8020, 2), and looking one up must end there.
func (b *builder) fillGaps() {
	for _, name := range b.zone.Names() {
		for name != b.zone.Apex {
			name = name.parent()
			b.node(name)
		}
	}
}

// cuts marks the names that are delegated, and finds the addresses of name
// servers.
func (b *builder) cuts() {
	for name, node := range b.zone.nodes {
		if ns, ok := node.Set(dns.TypeNS); ok {
			node.Glue = b.glue(ns)
			if name != b.zone.Apex {
				node.cut = &Cut{Name: name, NS: ns, Glue: node.Glue}
			}
		}
	}
	for name, node := range b.zone.nodes {
		for at := name; at != b.zone.Apex; at = at.parent() {
			// The highest cut wins: what is below it is not ours to say.
			if above := b.zone.nodes[at]; above.cut != nil && above.cut.Name == at {
				node.cut = above.cut
			}
		}
	}
}

// glue finds the addresses of those name servers that have them in the zone.
func (b *builder) glue(ns Set) []Glue {
	var out []Glue
	for _, target := range ns.Data {
		name := Lower(target)
		node := b.zone.nodes[name]
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
