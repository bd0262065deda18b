package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"

	"github.com/miekg/dns"
)

// maxParents is how many servers of the parent zone are asked.
const maxParents = 13

// told is what one server of the parent zone says about the domain.
type told struct {
	server string                  // its name
	err    error                   // it did not say anything
	ns     map[string][]netip.Addr // name servers and their glue; none: not delegated
	local  bool                    // it answers for the domain itself
	signed bool                    // it vouches for keys of the domain (DS)
}

// parentOf finds the zone that the domain is, or should be, delegated from,
// and its name servers. The root is "".
func (p *patient) parentOf(ctx context.Context, domain string) (zone string, servers []string, err error) {
	for zone = up(domain); ; zone = up(zone) {
		r, err := p.resolve(ctx, zone, dns.TypeNS)
		if err != nil {
			return "", nil, err
		}
		for _, ns := range owned[*dns.NS](r.Answer, zone) {
			servers = append(servers, bare(ns.Ns))
		}
		if len(servers) > 0 {
			return zone, sorted(servers), nil
		}
		if zone == "" {
			return "", nil, fmt.Errorf("no zone above %s has name servers", domain)
		}
	}
}

// consult asks all servers of the parent zone about the domain.
func (p *patient) consult(ctx context.Context, domain string, servers []string) []told {
	out := make([]told, min(len(servers), maxParents))
	var asking sync.WaitGroup
	for i := range out {
		asking.Go(func() {
			out[i] = p.consultOne(ctx, domain, servers[i])
		})
	}
	asking.Wait()
	return out
}

// consultOne asks a server by its addresses until one answers.
func (p *patient) consultOne(ctx context.Context, domain, server string) told {
	addrs, err := p.addresses(ctx, server)
	if err == nil && len(addrs) == 0 {
		err = errors.New("has no address")
	}
	for _, a := range addrs {
		at := netip.AddrPortFrom(a, p.ask.port)
		var r *dns.Msg
		if r, err = p.ask.one(ctx, at, domain, dns.TypeNS, false); err != nil {
			continue
		}
		t := readReferral(r, domain)
		t.server = server
		if len(t.ns) > 0 && !t.local {
			ds, dsErr := p.ask.one(ctx, at, domain, dns.TypeDS, false)
			t.signed = dsErr == nil && len(owned[*dns.DS](ds.Answer, domain)) > 0
		}
		return t
	}
	return told{server: server, err: fmt.Errorf("%s: %w", server, err)}
}

// readReferral reads the answer of a parent's server for the domain's NS set:
// a referral (RFC 1034, 4.3.2) with glue, or its own word where it serves
// both zones.
func readReferral(r *dns.Msg, domain string) told {
	if r.Rcode != dns.RcodeSuccess && r.Rcode != dns.RcodeNameError {
		return told{err: fmt.Errorf("answers %s", dns.RcodeToString[r.Rcode])}
	}
	var t told
	set := owned[*dns.NS](r.Ns, domain)
	if own := owned[*dns.NS](r.Answer, domain); len(own) > 0 {
		set, t.local = own, true
	}
	t.ns = map[string][]netip.Addr{}
	for _, ns := range set {
		t.ns[bare(ns.Ns)] = nil
	}
	for _, rr := range r.Extra {
		name := bare(rr.Header().Name)
		if _, ok := t.ns[name]; ok {
			t.ns[name] = append(t.ns[name], addressOf(rr)...)
		}
	}
	return t
}
