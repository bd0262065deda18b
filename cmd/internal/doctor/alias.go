package doctor

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	"landfall"

	"github.com/miekg/dns"
)

// aliases finds out whether the owners of hosts outside the domain have made
// them aliases of their names in it.
func (p *patient) aliases(ctx context.Context, n *notes) {
	for _, s := range p.Map.Services {
		if !s.External {
			continue
		}
		target := p.Map.SteeredName(s.Host)
		p.alias(ctx, n, s.Host, target)
		if p.Map.ACME.Agreed {
			p.alias(ctx, n, "_acme-challenge."+s.Host, "_acme-challenge."+target)
		}
	}
}

// pointing is what resolvers say of a host that should be an alias.
type pointing struct {
	cname string // where it leads; empty: nowhere
	apex  bool   // it is the top of a zone, which cannot be an alias (RFC 1034, 3.6.2)
	addrs []netip.Addr
}

func (p *patient) alias(ctx context.Context, n *notes, host, target string) {
	r, err := p.resolve(ctx, host, dns.TypeCNAME)
	if err != nil {
		n.fail("landfall doctor --resolver ADDRESS, with the address of one that works", "resolvers do not tell where %s leads: %v", host, err)
		return
	}
	var at pointing
	if cname := owned[*dns.CNAME](r.Answer, host); len(cname) > 0 {
		at.cname = bare(cname[0].Target)
	} else {
		at.addrs, _ = p.addresses(ctx, host) // none is as good as not known
		if r, err := p.resolve(ctx, host, dns.TypeSOA); err == nil {
			at.apex = len(owned[*dns.SOA](r.Answer, host)) > 0
		}
	}
	judgeAlias(n, p.Map, host, target, at)
}

func judgeAlias(n *notes, m *landfall.Map, host, target string, at pointing) {
	line := fmt.Sprintf("%s. 300 IN CNAME %s.", host, target)
	ours := len(at.addrs) > 0 && !slices.ContainsFunc(at.addrs, func(a netip.Addr) bool { return !isEdge(m, a) })
	switch {
	case at.cname == target:
		n.ok("%s is an alias of %s", host, target)
	case at.cname != "":
		n.fail("in its zone, write in place of that:\n"+line, "%s is an alias of %s", host, at.cname)
	case ours:
		n.warn("if its zone can have it, write in place of the addresses:\n"+line, "%s has addresses of edges in place of an alias: its users are not sent to the nearest", host)
	case at.apex:
		n.fail(fmt.Sprintf("where its zone is kept, choose ALIAS, ANAME or \"CNAME flattening\" for %s. with the target %s.", host, target), "%s is the top of a zone, where no CNAME can stand", host)
	default:
		n.fail("in its zone, write:\n"+line, "%s does not lead to us", host)
	}
}
