package doctor

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"landfall"
	"landfall/geodns/zone"

	"github.com/miekg/dns"
)

// delegation finds out whether the parent zone sends resolvers to us, and
// whether they come.
func (p *patient) delegation(ctx context.Context, n *notes) {
	const another = "landfall doctor --resolver ADDRESS, with the address of one that works"
	parent, servers, err := p.parentOf(ctx, p.Map.Domain)
	if err != nil {
		n.fail(another, "the zone above %s cannot be found: %v", p.Map.Domain, err)
		return
	}
	n.list = append(n.list, judgeDelegation(p.Map, parent, p.consult(ctx, p.Map.Domain, servers))...)
	if Failed(n.list) {
		return
	}
	p.resolved(ctx, n)
}

// resolved asks a resolver what users ask.
func (p *patient) resolved(ctx context.Context, n *notes) {
	const cure = "see what \"name servers\" and \"reach\" say above; then: dig +trace "
	r, err := p.resolve(ctx, p.Map.Domain, dns.TypeSOA)
	if err != nil {
		n.fail(cure+p.Map.Domain+" SOA", "resolvers find nothing of %s: %v", p.Map.Domain, err)
		return
	}
	if len(owned[*dns.SOA](r.Answer, p.Map.Domain)) == 0 {
		n.fail(cure+p.Map.Domain+" SOA", "resolvers say that there is no zone %s", p.Map.Domain)
		return
	}
	for _, z := range p.Map.Zones {
		if z.Name != p.Map.Domain {
			p.held(ctx, n, z.Name)
		}
	}
	for _, s := range p.Map.Services {
		host := p.Map.SteeredName(s.Host)
		addrs, err := p.addresses(ctx, host)
		stray := slices.DeleteFunc(addrs, func(a netip.Addr) bool { return isEdge(p.Map, a) })
		switch {
		case err != nil:
			n.fail(cure+host, "resolvers find no address of %s: %v", host, err)
		case len(stray) > 0:
			n.fail("dig "+host, "resolvers say that %s is at %v, which no edge has", host, stray)
		default:
			n.ok("resolvers send users of %s to the edges", host)
		}
	}
}

// held finds out whether resolvers ask our name servers for a zone beside the
// domain.
func (p *patient) held(ctx context.Context, n *notes, name string) {
	ours := wanted(p.Map)
	var lines []string
	for _, server := range slices.Sorted(maps.Keys(ours)) {
		lines = append(lines, fmt.Sprintf("%s. 3600 IN NS %s.", name, server))
	}
	cure := fmt.Sprintf("in the zone above %s, write:\n%s", name, strings.Join(lines, "\n"))
	r, err := p.resolve(ctx, name, dns.TypeNS)
	if err != nil {
		n.fail(cure, "resolvers find nothing of the zone %s: %v", name, err)
		return
	}
	var others []string
	for _, ns := range owned[*dns.NS](r.Answer, name) {
		if p.isOurs(ctx, ours, bare(ns.Ns)) {
			n.ok("resolvers ask the network's name servers for %s", name)
			return
		}
		others = append(others, bare(ns.Ns))
	}
	if len(others) == 0 {
		n.fail(cure, "%s is not delegated to the network's name servers", name)
		return
	}
	n.fail(cure, "resolvers ask %s for %s, none of which is a name server of the network", strings.Join(sorted(others), ", "), name)
}

// isOurs reports whether a name server is one of ours, by its name or by an
// address.
func (p *patient) isOurs(ctx context.Context, ours map[string][]netip.Addr, name string) bool {
	if _, ok := ours[name]; ok {
		return true
	}
	addrs, _ := p.addresses(ctx, name) // none is the answer, too
	for _, own := range ours {
		if slices.ContainsFunc(addrs, func(a netip.Addr) bool { return slices.Contains(own, a) }) {
			return true
		}
	}
	return false
}

// isEdge reports whether an edge has the address.
func isEdge(m *landfall.Map, a netip.Addr) bool {
	for n := range m.Having(landfall.RoleEdge) {
		if slices.ContainsFunc(n.Advertised, func(own netip.Addr) bool { return own.Unmap() == a }) {
			return true
		}
	}
	return false
}

// wanted are our name servers by name, with the addresses the parent should
// give as glue.
func wanted(m *landfall.Map) map[string][]netip.Addr {
	out := map[string][]netip.Addr{}
	for _, n := range zone.Servers(m) {
		var addrs []netip.Addr
		for _, a := range n.Advertised {
			addrs = append(addrs, a.Unmap())
		}
		out[zone.ServerName(n.ID, m.Domain)] = addrs
	}
	return out
}

// parentLines are what the parent's zone file has to say about the domain
// (RFC 1035, 5.1).
func parentLines(m *landfall.Map) string {
	want := wanted(m)
	return serverLines(m, want, slices.Sorted(maps.Keys(want))...)
}

// serverLines are what it has to say about some of the name servers wanted.
func serverLines(m *landfall.Map, want map[string][]netip.Addr, names ...string) string {
	var lines []string
	for _, name := range names {
		lines = append(lines, nsLine(m, name))
	}
	for _, name := range names {
		for _, a := range want[name] {
			lines = append(lines, addressLine(name, a))
		}
	}
	return strings.Join(lines, "\n")
}

func nsLine(m *landfall.Map, name string) string {
	return fmt.Sprintf("%s. 3600 IN NS %s.", m.Domain, name)
}

func addressLine(name string, a netip.Addr) string {
	rrtype := "A"
	if a.Is6() {
		rrtype = "AAAA"
	}
	return fmt.Sprintf("%s. 3600 IN %s %v", name, rrtype, a)
}

// judgeDelegation compares what the parent's servers say with the map.
func judgeDelegation(m *landfall.Map, parent string, all []told) []Finding {
	n := notes{check: "delegation"}
	if len(wanted(m)) == 0 {
		n.fail(`landfall invite NAME --region REGION --roles edge,dns`, `no node has the role "dns": nobody answers for %s`, m.Domain)
		return n.list
	}
	if parent == "" {
		parent = "the root"
	}
	var asked []string
	said := map[Finding][]string{} // and by which servers
	for _, t := range all {
		asked = append(asked, t.server)
		for _, f := range judgeTold(m, parent, t) {
			said[f] = append(said[f], t.server)
		}
	}
	if len(said) == 0 {
		n.ok("%s delegates %s to %s, with their addresses", parent, m.Domain, strings.Join(slices.Sorted(maps.Keys(wanted(m))), ", "))
		return n.list
	}
	for _, f := range slices.SortedFunc(maps.Keys(said), func(a, b Finding) int { return strings.Compare(a.What, b.What) }) {
		if by := sorted(said[f]); len(by) < len(sorted(asked)) {
			f.What += " (so says " + strings.Join(by, ", ") + ", not the others)"
		}
		n.list = append(n.list, f)
	}
	return n.list
}

// judgeTold judges the word of one of the parent's servers.
func judgeTold(m *landfall.Map, parent string, t told) []Finding {
	n := notes{check: "delegation"}
	want := wanted(m)
	names := slices.Sorted(maps.Keys(t.ns))
	write := fmt.Sprintf("in the zone of %s, write:\n%s", parent, parentLines(m))
	switch {
	case t.err != nil:
		n.warn("ask whoever keeps "+parent, "a name server of %s does not say anything of %s: %v", parent, m.Domain, t.err)
		return n.list
	case len(t.ns) == 0:
		n.fail(write, "%s is not delegated: %s does not know it", m.Domain, parent)
		return n.list
	case !slices.ContainsFunc(names, func(name string) bool { _, ok := want[name]; return ok }):
		n.fail("in place of that, "+write, "%s is delegated elsewhere: to %s", m.Domain, strings.Join(names, ", "))
		return n.list
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		given, listed := t.ns[name]
		if !listed {
			n.warn(fmt.Sprintf("in the zone of %s, add:\n%s", parent, serverLines(m, want, name)), "the name server %s is missing from the delegation", name)
		} else if !t.local {
			judgeGlue(&n, m, parent, name, given, want[name])
		}
	}
	for _, name := range names {
		if _, ours := want[name]; !ours {
			n.fail(foreignServer(m, parent, name), "%s is delegated to %s too, which is no name server of ours", m.Domain, name)
		}
	}
	if t.signed {
		n.fail(fmt.Sprintf("in the zone of %s, delete the DS records of %s.", parent, m.Domain), "%s has DS records there, but is not signed: resolvers that validate refuse all of it", m.Domain)
	}
	return n.list
}

// foreignServer is how to be rid of a name server that is not ours.
func foreignServer(m *landfall.Map, parent, name string) string {
	if !plainName(name) {
		return fmt.Sprintf("in the zone of %s, leave of %s these lines alone:\n%s", parent, m.Domain, parentLines(m))
	}
	return fmt.Sprintf("in the zone of %s, delete:\n%s", parent, nsLine(m, name))
}

// judgeGlue compares the addresses that the parent gives for one of our name
// servers with its own.
func judgeGlue(n *notes, m *landfall.Map, parent, name string, given, own []netip.Addr) {
	for _, a := range own {
		if !slices.Contains(given, a) {
			level := Warn // others of its addresses are there
			if !slices.ContainsFunc(given, func(g netip.Addr) bool { return slices.Contains(own, g) }) {
				level = Fail
			}
			n.add(level, fmt.Sprintf("in the zone of %s, add:\n%s", parent, addressLine(name, a)), "%s is delegated to %s without its address %v", m.Domain, name, a)
		}
	}
	for _, a := range given {
		if !slices.Contains(own, a) {
			n.fail(fmt.Sprintf("in the zone of %s, delete:\n%s", parent, addressLine(name, a)), "%s gives %s the address %v, which it has not", parent, name, a)
		}
	}
}
