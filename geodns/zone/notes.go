package zone

import (
	"bytes"
	"slices"
	"strings"

	"landfall"

	"github.com/miekg/dns"
)

// Notes are what can be served but may not be meant, by the paths of the map.
func (z *Zones) Notes() []landfall.Fault { return z.notes }

// remark tells of what can be served and may not be meant.
func (b *builder) remark() {
	b.remarkServers()
	b.remarkAliases()
}

// leads is the name that a record leads to which is to be no alias (RFC 2181,
// 10.3; RFC 2782); empty if it leads to none.
func (e entry) leads() Name {
	switch e.rrtype {
	case dns.TypeNS:
		return Lower(e.data)
	case dns.TypeMX:
		return Lower(e.data[2:])
	case dns.TypeSRV:
		return Lower(e.data[6:])
	}
	return ""
}

// remarkAliases tells of records that lead to aliases of ours.
func (b *builder) remarkAliases() {
	for _, e := range b.pointing {
		name := e.leads()
		d := b.in(name)
		if d == nil || d.nodes[name] == nil {
			continue
		}
		if _, alias := d.nodes[name].Set(dns.TypeCNAME); alias {
			b.zones.notes = append(b.zones.notes, landfall.Fault{
				Path: e.path, Msg: e.name.String() + " " + dns.Type(e.rrtype).String() + " leads to " + name.String() + ", which is a CNAME (RFC 2181, 10.3)",
				Cure: "name what the CNAME stands for, or give " + name.String() + " addresses of its own",
			})
		}
	}
}

// remarkServers tells of name servers that the files of zones do not list:
// nobody would ask them for those zones.
func (b *builder) remarkServers() {
	for _, z := range b.zones.all {
		d := b.drafts[z.Apex]
		if !d.ns {
			continue
		}
		var missing []string
		for _, name := range b.listedServers() {
			if !b.lists(z, name) {
				missing = append(missing, name.String())
			}
		}
		if len(missing) > 0 {
			b.zones.notes = append(b.zones.notes, landfall.Fault{
				Path: d.nsPath, Msg: "the NS records of " + z.Apex.String() + " do not name " + strings.Join(missing, ", ") + ", which answers for it",
				Cure: "add them, or leave all NS records of " + z.Apex.String() + " out: it then has those of the network",
			})
		}
	}
}

// lists reports whether the NS records of a zone name a server, or one with an
// address of its.
func (b *builder) lists(z *Zone, server Name) bool {
	ns, _ := z.nodes[z.Apex].Set(dns.TypeNS)
	own := b.in(server).nodes[server]
	for _, target := range ns.Data {
		name := Lower(target)
		if name == server {
			return true
		}
		if d := b.in(name); d != nil && d.nodes[name] != nil && d.nodes[name].shares(own) {
			return true
		}
	}
	return false
}

// shares reports whether nodes have an address in common.
func (n *Node) shares(o *Node) bool {
	for _, rrtype := range []uint16{dns.TypeA, dns.TypeAAAA} {
		mine, _ := n.Set(rrtype)
		others, _ := o.Set(rrtype)
		for _, a := range mine.Data {
			if slices.ContainsFunc(others.Data, func(b []byte) bool { return bytes.Equal(a, b) }) {
				return true
			}
		}
	}
	return false
}
