// Package look sees what name servers show of the keys of a zone: a roll.State
// and addresses go in, roll.Facts come out. It asks by UDP, and by TCP where an
// answer does not fit. The parent zone is looked at while something is asked of
// it.
//
// The servers of the parent zone are found by a resolver and asked themselves,
// as what a resolver knows may be old. Nothing that is heard is checked by
// signatures: who lies on the way can hold a roll up, but the parent zone alone
// makes a chain.
package look

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"landfall/geodns/dnssec"
	"landfall/geodns/dnssec/roll"
	"landfall/geodns/zone"

	"github.com/miekg/dns"
)

// How a question is put.
const (
	askTime  = 2 * time.Second
	askTries = 2
)

// maxParents is how many servers of a parent zone are asked.
const maxParents = 13

// Looker asks.
type Looker struct {
	Resolvers []netip.AddrPort // to find the parent zone by; none: it is not looked at
	Port      uint16           // of the parent zone's servers; 0 means 53
}

// Facts is what the name servers of a zone and those of its parent show at a
// time. The notes are what is not as it should be, or not known, for people.
func (l Looker) Facts(ctx context.Context, s roll.State, servers []netip.AddrPort, now time.Time) (f roll.Facts, notes []string) {
	w, err := wantedOf(s, now)
	if err != nil {
		return f, []string{err.Error()}
	}
	found := make([]error, len(servers))
	var asking sync.WaitGroup
	for i, at := range servers {
		asking.Go(func() { found[i] = w.shownBy(ctx, at) })
	}
	var err2 error
	if s.Asks(now) {
		asking.Go(func() { f.Parent, err2 = l.parent(ctx, s, w.apex) })
	}
	asking.Wait()
	f.Current = len(servers) > 0
	for _, err := range append(found, err2) {
		if err != nil {
			notes = append(notes, err.Error())
		}
	}
	if errors.Join(found...) != nil {
		f.Current = false
	}
	return f, notes
}

// wanted is what a name server is to show.
type wanted struct {
	apex    zone.Name
	signed  bool
	keys    []string // RDATA of the DNSKEY set, in text, sorted
	cds     []string
	signing uint16 // tag of who signs
}

func wantedOf(s roll.State, now time.Time) (w wanted, err error) {
	if w.apex, err = zone.ParseName(s.Zone); err != nil {
		return w, err
	}
	v := s.At(now)
	w.signed = v.Signed
	for _, id := range v.Shown {
		of, _ := s.Key(id)
		k, err := dnssec.ParseKey(of.Public)
		if err != nil {
			return w, fmt.Errorf("key %d: %w", id, err)
		}
		w.keys = append(w.keys, fmt.Sprintf("%x", k.Public))
		if id == v.Asked {
			w.cds = []string{fmt.Sprintf("%x", k.DS(w.apex))}
		}
		if id == v.Signing {
			w.signing = k.Tag
		}
	}
	if v.Delete {
		w.cds = []string{"0000000000"}
	}
	slices.Sort(w.keys)
	return w, nil
}

// shownBy is nil if a name server shows what is wanted.
func (w wanted) shownBy(ctx context.Context, at netip.AddrPort) error {
	keys, err := set(ctx, at, w.apex, dns.TypeDNSKEY)
	if err != nil {
		return err
	}
	cds, err := set(ctx, at, w.apex, dns.TypeCDS)
	if err != nil {
		return err
	}
	soa, err := one(ctx, at, w.apex.String(), dns.TypeSOA, false)
	if err != nil {
		return err
	}
	if !w.signed {
		if len(keys) > 0 {
			return fmt.Errorf("name server %v still signs", at)
		}
		return nil
	}
	by := uint16(0)
	for _, rr := range soa.Answer {
		if sig, ok := rr.(*dns.RRSIG); ok {
			by = sig.KeyTag
		}
	}
	switch {
	case !slices.Equal(keys, w.keys):
		return fmt.Errorf("name server %v shows other keys than it should by now", at)
	case !slices.Equal(cds, w.cds):
		return fmt.Errorf("name server %v asks the parent zone for something else (CDS) than it should by now", at)
	case by != w.signing:
		return fmt.Errorf("name server %v signs with key %d, and not with %d as it should by now", at, by, w.signing)
	}
	return nil
}

// set is the RDATA of a set, in hexadecimal, sorted.
func set(ctx context.Context, at netip.AddrPort, apex zone.Name, rrtype uint16) (out []string, err error) {
	r, err := one(ctx, at, apex.String(), rrtype, false)
	if err != nil {
		return nil, err
	}
	if r.Rcode != dns.RcodeSuccess {
		return nil, fmt.Errorf("name server %v answers %s", at, dns.RcodeToString[r.Rcode])
	}
	for _, rr := range r.Answer {
		if rr.Header().Rrtype != rrtype {
			continue
		}
		b := make([]byte, dns.Len(rr))
		n, err := dns.PackRR(rr, b, 0, nil, false)
		if err != nil {
			return nil, fmt.Errorf("name server %v: %w", at, err)
		}
		_, start, err := dns.UnpackDomainName(b[:n], 0)
		if err != nil {
			return nil, fmt.Errorf("name server %v: %w", at, err)
		}
		out = append(out, fmt.Sprintf("%x", b[start+10:n])) // type, class, TTL, length
	}
	slices.Sort(out)
	return out, nil
}

// parent is what the servers of the parent zone show.
func (l Looker) parent(ctx context.Context, s roll.State, apex zone.Name) (p roll.Parent, err error) {
	if len(l.Resolvers) == 0 {
		return p, errors.New("the parent zone is not looked at: no resolver is known to find it by")
	}
	servers, err := l.parents(ctx, apex.String())
	if err != nil {
		return p, err
	}
	said := make([][]string, len(servers))
	ttls := make([]time.Duration, len(servers))
	errs := make([]error, len(servers))
	var asking sync.WaitGroup
	for i, at := range servers {
		asking.Go(func() { said[i], ttls[i], errs[i] = ds(ctx, at, apex) })
	}
	asking.Wait()
	if err := errors.Join(errs...); err != nil {
		return p, fmt.Errorf("the parent zone of %s: %w", s.Zone, err)
	}
	p.Known, p.None, p.TTL = true, true, slices.Max(ttls)
	for _, set := range said {
		p.None = p.None && len(set) == 0
	}
	for _, k := range s.Keys {
		key, err := dnssec.ParseKey(k.Public)
		if err != nil || k.Role != roll.KSK {
			continue
		}
		want := fmt.Sprintf("%x", key.DS(apex))
		if !slices.ContainsFunc(said, func(set []string) bool { return !slices.Contains(set, want) }) {
			p.All = append(p.All, k.ID)
		}
	}
	return p, nil
}

// ds is the DS set that a server of the parent zone shows.
func ds(ctx context.Context, at netip.AddrPort, apex zone.Name) (out []string, ttl time.Duration, err error) {
	r, err := one(ctx, at, apex.String(), dns.TypeDS, false)
	if err != nil {
		return nil, 0, err
	}
	if r.Rcode != dns.RcodeSuccess || !r.Authoritative {
		return nil, 0, fmt.Errorf("server %v answers %s, and not for the zone", at, dns.RcodeToString[r.Rcode])
	}
	for _, rr := range r.Answer {
		if d, ok := rr.(*dns.DS); ok {
			out = append(out, fmt.Sprintf("%04x%02x%02x%s", d.KeyTag, d.Algorithm, d.DigestType, strings.ToLower(d.Digest)))
			ttl = max(ttl, time.Duration(d.Hdr.Ttl)*time.Second)
		}
	}
	return out, ttl, nil
}

// parents are the addresses of the servers of the zone above.
func (l Looker) parents(ctx context.Context, domain string) ([]netip.AddrPort, error) {
	for above, ok := up(domain); ok; above, ok = up(above) {
		r, err := l.resolve(ctx, above, dns.TypeNS)
		if err != nil {
			return nil, err
		}
		var out []netip.AddrPort
		for _, rr := range r.Answer {
			if ns, ok := rr.(*dns.NS); ok && len(out) < maxParents {
				out = append(out, l.addresses(ctx, ns.Ns)...)
			}
		}
		if len(out) > 0 {
			return out, nil
		}
	}
	return nil, fmt.Errorf("no zone above %s is known to a resolver", domain)
}

// up is the name above; the root is ".", above which there is none.
func up(name string) (string, bool) {
	if name == "." {
		return "", false
	}
	_, rest, _ := strings.Cut(name, ".")
	return cmp.Or(rest, "."), true
}

// addresses is one address of a server: of IPv4 if it has one.
func (l Looker) addresses(ctx context.Context, host string) (out []netip.AddrPort) {
	r, err := l.resolve(ctx, host, dns.TypeA)
	if err != nil {
		return nil
	}
	for _, rr := range r.Answer {
		if a, ok := rr.(*dns.A); ok {
			if addr, ok := netip.AddrFromSlice(a.A.To4()); ok {
				return []netip.AddrPort{netip.AddrPortFrom(addr, cmp.Or(l.Port, 53))}
			}
		}
	}
	if r, err = l.resolve(ctx, host, dns.TypeAAAA); err != nil {
		return nil
	}
	for _, rr := range r.Answer {
		if a, ok := rr.(*dns.AAAA); ok {
			if addr, ok := netip.AddrFromSlice(a.AAAA.To16()); ok {
				return []netip.AddrPort{netip.AddrPortFrom(addr, cmp.Or(l.Port, 53))}
			}
		}
	}
	return nil
}

func (l Looker) resolve(ctx context.Context, name string, rrtype uint16) (*dns.Msg, error) {
	var errs []error
	for _, at := range l.Resolvers {
		r, err := one(ctx, at, name, rrtype, true)
		if err == nil && r.Rcode != dns.RcodeSuccess && r.Rcode != dns.RcodeNameError {
			err = fmt.Errorf("resolver %v answers %s for %s", at, dns.RcodeToString[r.Rcode], name)
		}
		if err == nil {
			return r, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

// one asks one server one question.
func one(ctx context.Context, at netip.AddrPort, name string, rrtype uint16, recurse bool) (*dns.Msg, error) {
	m := new(dns.Msg).SetQuestion(dns.Fqdn(name), rrtype)
	m.RecursionDesired = recurse
	m.SetEdns0(1232, true)
	var r *dns.Msg
	var err error
	for range askTries {
		c := dns.Client{Net: "udp", Timeout: askTime}
		if r, _, err = c.ExchangeContext(ctx, m, at.String()); err == nil || ctx.Err() != nil {
			break
		}
	}
	if err == nil && r.Truncated {
		c := dns.Client{Net: "tcp", Timeout: askTime}
		r, _, err = c.ExchangeContext(ctx, m, at.String())
	}
	if err != nil {
		return nil, fmt.Errorf("%v does not answer: %w", at, err)
	}
	return r, nil
}
