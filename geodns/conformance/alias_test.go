package conformance

import (
	"fmt"
	"slices"
	"testing"

	"landfall"

	"github.com/miekg/dns"
)

// The alias of every name below a service's parent leads to that service, whose
// edges have not all addresses of both families.
const (
	target = "www.any." + domain
	alias  = "*.any." + domain
)

// lame is the world with that alias, an edge without IPv6 and one without IPv4.
func lame(t *testing.T) *landfall.Map {
	m := worldMap(t)
	m.Services = append(m.Services, landfall.Service{Host: target, Upstream: "http://127.0.0.1:3000"})
	m.Records = append(m.Records, landfall.Record{Name: alias, Type: "CNAME", Data: "www.any"})
	for i, n := range m.Nodes {
		switch n.Region {
		case "sin":
			m.Nodes[i].Advertised = n.Advertised[:1]
		case "nyc":
			m.Nodes[i].Advertised = n.Advertised[1:]
		}
	}
	return m
}

// TestResolverBelievesAliasesByWildcard asks unbound for names that a wildcard
// makes aliases of a service, and for the service: whatever it was told
// before for clients elsewhere, it takes no answer for bogus, and denies nobody
// what there is for him (RFC 8198).
func TestResolverBelievesAliasesByWildcard(t *testing.T) {
	outside(t)
	s := signedWorld(t, lame(t), func(f func()) { f() }, free(t))
	for name, more := range map[string]string{"by subnet": "", "for all": unboundAlone} {
		t.Run(name, func(t *testing.T) {
			resolver := unbound(t, s, more)
			u := &user{asker: newAsker(9, zoneText(t)), world: clients(), addr: resolver.addr.String()}
			for i := range sized(1000, 20_000) {
				if err := u.askAlias(i, more == ""); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// askAlias asks for one of the names, and judges the answer; with subnets, by
// where the client is.
func (u *user) askAlias(i int, subnets bool) error {
	name := []string{target, "zzz.any." + domain, fmt.Sprintf("x%d.any.%s", i, domain), "a.zz.any." + domain}[u.IntN(4)]
	rrtype := []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeHTTPS, dns.TypeTXT}[u.IntN(4)]
	who := u.client()
	m := new(dns.Msg).SetQuestion(dns.Fqdn(name), rrtype)
	m.SetEdns0(1232, true)
	if subnets {
		m.IsEdns0().Option = append(m.IsEdns0().Option, subnetOption(who))
	}
	c := dns.Client{Timeout: patience, Net: "tcp"}
	a, _, err := c.Exchange(m, u.addr)
	switch {
	case err != nil:
		return fmt.Errorf("%s %s: %w", name, dns.Type(rrtype), err)
	case a.Rcode != dns.RcodeSuccess || !a.AuthenticatedData:
		return fmt.Errorf("%d. for %v: bogus, or not secure\n%v", i, who, a)
	case !subnets && rrtype != dns.TypeTXT:
		return nil
	}
	at, ok := nearest(u.world, who)
	if !ok {
		return fmt.Errorf("%v is nowhere", who)
	}
	none := rrtype == dns.TypeTXT || at.id == "sin" && rrtype == dns.TypeAAAA || at.id == "nyc" && rrtype == dns.TypeA
	has := slices.ContainsFunc(a.Answer, func(rr dns.RR) bool { return rr.Header().Rrtype == rrtype })
	if has == none {
		return fmt.Errorf("%d. for %v near %s:\n%v", i, who, at.id, a)
	}
	return nil
}
