package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"landfall"

	"github.com/miekg/dns"
)

// caa finds out whether the records of the hosts, or of zones above them,
// forbid the authority to sign for them (RFC 8659).
func (p *patient) caa(ctx context.Context, n *notes) {
	if !p.acme.asked || p.acme.err != nil || len(p.Resolvers) == 0 {
		return
	}
	said := map[string]bool{}
	for _, s := range p.Map.Services {
		at, set, err := p.relevant(ctx, s.Host)
		if err != nil {
			n.warn("dig CAA "+s.Host, "nobody can tell who may sign for %s: %v", s.Host, err)
			continue
		}
		if permits(set, p.acme.names) || said[at] && landfall.InZone(s.Host, p.Map.Domain) {
			continue
		}
		said[at] = true
		p.forbidden(n, s, at, set)
	}
	if len(n.list) == 0 {
		n.ok("no CAA record keeps the authority from signing")
	}
}

// forbidden tells of a host whose CAA records do not name the authority. The
// closest records count, so one of ours, below the others, settles it.
func (p *patient) forbidden(n *notes, s landfall.Service, at string, set []*dns.CAA) {
	name := p.Map.Zone(s.Host)
	if s.External {
		name = p.Map.SteeredName(s.Host)
	}
	if len(p.acme.names) == 0 {
		n.warn("dig CAA "+at, "the CAA records of %s name who may sign for %s, and the authority does not tell by which name it goes: %s", at, s.Host, issuers(set))
		return
	}
	cure := fmt.Sprintf("in network.toml, add; then: landfall map apply\n[[record]]\nname = %q\ntype = \"CAA\"\ndata = '0 issue \"%s\"'", name, p.acme.names[0])
	n.fail(cure, "the CAA records of %s let only %s sign for %s, not %s", at, issuers(set), s.Host, strings.Join(p.acme.names, ", "))
}

// relevant climbs from the host until there are CAA records (RFC 8659, 3).
func (p *patient) relevant(ctx context.Context, host string) (at string, set []*dns.CAA, err error) {
	for at = host; at != ""; at = up(at) {
		r, err := p.resolve(ctx, at, dns.TypeCAA)
		if err != nil {
			return "", nil, err
		}
		for _, rr := range r.Answer { // of the name, or of what it is an alias of
			if caa, ok := rr.(*dns.CAA); ok {
				set = append(set, caa)
			}
		}
		if len(set) > 0 {
			return at, set, nil
		}
	}
	return "", nil, nil
}

// permits reports whether the records let one of the names sign for a host
// that is no wildcard (RFC 8659, 4.1 and 4.2).
func permits(set []*dns.CAA, names []string) bool {
	restricted := false
	for _, r := range set {
		switch strings.ToLower(r.Tag) {
		case "issue":
			restricted = true
			if slices.Contains(names, issuer(r)) {
				return true
			}
		case "issuewild", "iodef", "contactemail", "contactphone", "issuemail", "issuevmc":
		default:
			if r.Flag&128 != 0 {
				return false // critical, and understood by nobody
			}
		}
	}
	return !restricted
}

// issuer is the name in an issue property, without its parameters.
func issuer(r *dns.CAA) string {
	name, _, _ := strings.Cut(r.Value, ";")
	return strings.ToLower(strings.TrimSpace(name))
}

func issuers(set []*dns.CAA) string {
	var out []string
	for _, r := range set {
		if name := issuer(r); strings.EqualFold(r.Tag, "issue") && name != "" {
			out = append(out, name)
		}
	}
	if len(out) == 0 {
		return "nobody"
	}
	return strings.Join(sorted(out), ", ")
}
