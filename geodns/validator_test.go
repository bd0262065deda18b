package geodns

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// validator is what a resolver would make of an answer: it trusts one key of
// each zone, and believes nothing that is not proved by it (RFC 4035, 5; RFC
// 9824). It knows nothing of how answers are made.
type validator struct {
	keys map[string][]*dns.DNSKEY // by zone
	now  time.Time
}

// verdict is what an answer proves.
type verdict string

const (
	positive  verdict = "data"
	nodata    verdict = "no data"
	nxdomain  verdict = "no such name"
	insecure  verdict = "delegated, unsigned"
	secured   verdict = "delegated, signed"
	elsewhere verdict = "an alias of a name elsewhere"
)

// validate judges the answer to a question, as one message.
func (v *validator) validate(name string, rrtype uint16, m *dns.Msg) (verdict, error) {
	if err := distinct(m); err != nil {
		return "", err
	}
	for _, section := range [][]dns.RR{m.Answer, m.Ns, m.Extra} {
		if err := v.signatures(section); err != nil {
			return "", err
		}
	}
	name = strings.ToLower(name)
	for range 20 {
		zone := v.zone(name, rrtype)
		if zone == "" {
			return elsewhere, nil
		}
		cname := rrset(m.Answer, name, dns.TypeCNAME)
		made := len(cname) > 0 && synthesized(m.Answer, name, cname[0].(*dns.CNAME).Target)
		if set := rrset(m.Answer, name, rrtype); len(set) > 0 && !made {
			if rrtype == dns.TypeRRSIG {
				return positive, nil // nobody signs signatures
			}
			if err := v.trusts(m.Answer, set); err != nil {
				return "", err
			}
			return positive, v.expansion(m, name, rrtype)
		}
		if some := anything(m.Answer, name); rrtype == dns.TypeANY && !made && len(some) > 0 {
			if err := v.trusts(m.Answer, some); err != nil {
				return "", err
			}
			return positive, v.expansion(m, name, some[0].Header().Rrtype)
		}
		if len(cname) == 0 {
			return v.negative(zone, name, rrtype, m)
		}
		target := cname[0].(*dns.CNAME).Target
		if made {
			dname := rrset(m.Answer, redirector(m.Answer, name), dns.TypeDNAME)
			if err := v.trusts(m.Answer, dname); err != nil {
				return "", err
			}
		} else if err := v.trusts(m.Answer, cname); err != nil {
			return "", err
		} else if err := v.expansion(m, name, dns.TypeCNAME); err != nil {
			return "", err
		}
		name = strings.ToLower(target)
	}
	return positive, nil // a loop of names, each proved
}

// distinct finds that no record is there twice (RFC 2181, 5), and that NSEC
// records of one name say one thing: resolvers keep one.
func distinct(m *dns.Msg) error {
	said := map[string]string{}
	for _, rr := range slices.Concat(m.Answer, m.Ns) {
		is := strings.ToLower(rr.String())
		if _, twice := said[is]; twice {
			return fmt.Errorf("twice: %s", is)
		}
		said[is] = is
		if _, ok := rr.(*dns.NSEC); !ok {
			continue
		}
		owner := "nsec of " + strings.ToLower(rr.Header().Name)
		if other, twice := said[owner]; twice {
			return fmt.Errorf("one name, and two NSEC records:\n%s\n%s", is, other)
		}
		said[owner] = is
	}
	return nil
}

// zone is the zone with the longest name that a name lies in, and that is to
// answer.
func (v *validator) zone(name string, rrtype uint16) (best string) {
	for z := range v.keys {
		if dns.IsSubDomain(z, name) && len(z) > len(best) && (rrtype != dns.TypeDS || name != z || len(v.keys) == 1) {
			best = z
		}
	}
	return best
}

// signatures checks every signature there is.
func (v *validator) signatures(section []dns.RR) error {
	for _, rr := range section {
		sig, ok := rr.(*dns.RRSIG)
		if !ok {
			continue
		}
		set := rrset(section, sig.Hdr.Name, sig.TypeCovered)
		if len(set) == 0 {
			continue // asked for by itself
		}
		if err := v.verify(sig, set); err != nil {
			return fmt.Errorf("%s %s: %w", sig.Hdr.Name, dns.Type(sig.TypeCovered), err)
		}
	}
	return nil
}

func (v *validator) verify(sig *dns.RRSIG, set []dns.RR) error {
	switch {
	case !sig.ValidityPeriod(v.now.Add(-5 * time.Minute)), !sig.ValidityPeriod(v.now.Add(9 * 24 * time.Hour)):
		return fmt.Errorf("signature holds from %s until %s", dns.TimeToString(sig.Inception), dns.TimeToString(sig.Expiration))
	case sig.Hdr.Ttl != set[0].Header().Ttl:
		return fmt.Errorf("TTL %d of the signature, %d of the set", sig.Hdr.Ttl, set[0].Header().Ttl)
	case sig.OrigTtl < sig.Hdr.Ttl:
		return fmt.Errorf("TTL %d is above the original %d", sig.Hdr.Ttl, sig.OrigTtl)
	case !dns.IsSubDomain(sig.SignerName, sig.Hdr.Name):
		return fmt.Errorf("signed by %s", sig.SignerName)
	}
	for _, k := range v.keys[strings.ToLower(sig.SignerName)] {
		if k.KeyTag() == sig.KeyTag {
			return sig.Verify(k, set)
		}
	}
	return fmt.Errorf("no key %d of %s", sig.KeyTag, sig.SignerName)
}

// trusts finds that a set has a signature.
func (v *validator) trusts(section, set []dns.RR) error {
	if len(set) == 0 {
		return fmt.Errorf("no set to trust")
	}
	h := set[0].Header()
	if signature(section, h.Name, h.Rrtype) == nil {
		return fmt.Errorf("%s %s is not signed", h.Name, dns.Type(h.Rrtype))
	}
	return nil
}

// expansion finds that a set made of a wildcard was rightly made (RFC 4035,
// 5.3.4).
func (v *validator) expansion(m *dns.Msg, name string, rrtype uint16) error {
	sig := signature(m.Answer, name, rrtype)
	if sig == nil || int(sig.Labels) >= dns.CountLabel(strings.TrimPrefix(name, "*.")) {
		return nil
	}
	for _, n := range v.denials(m) {
		if covers(n, name) {
			return nil
		}
	}
	return fmt.Errorf("%s %s is of a wildcard, and nothing proves that there is no such name", name, dns.Type(rrtype))
}

// denials are the NSEC records that can be trusted.
func (v *validator) denials(m *dns.Msg) (out []*dns.NSEC) {
	for _, rr := range m.Ns {
		if n, ok := rr.(*dns.NSEC); ok && signature(m.Ns, n.Hdr.Name, dns.TypeNSEC) != nil {
			out = append(out, n)
		}
	}
	return out
}

// negative judges an answer without what was asked for.
func (v *validator) negative(zone, name string, rrtype uint16, m *dns.Msg) (verdict, error) {
	if cut := referral(m.Ns, zone); cut != "" {
		return v.referral(cut, m)
	}
	if soa := rrset(m.Ns, zone, dns.TypeSOA); len(soa) != 1 || signature(m.Ns, zone, dns.TypeSOA) == nil {
		return "", fmt.Errorf("no signed SOA of %s", zone)
	}
	all := v.denials(m)
	for _, n := range all {
		if !strings.EqualFold(n.Hdr.Name, name) {
			continue
		}
		if slices.Contains(n.TypeBitMap, dns.TypeNXNAME) {
			if len(n.TypeBitMap) != 3 {
				return "", fmt.Errorf("NXNAME beside %v", n.TypeBitMap)
			}
			return nxdomain, nil
		}
		return nodata, lacks(n, rrtype)
	}
	for _, n := range all {
		if !covers(n, name) {
			continue
		}
		if dns.IsSubDomain(name, strings.ToLower(n.NextDomain)) {
			return nodata, nil // it has names below it
		}
		return wildcard(all, "*."+encloser(n, name), rrtype)
	}
	return "", fmt.Errorf("nothing proves that %s does not exist: %v", name, all)
}

// wildcard judges by what is known of the wildcard that could have answered.
func wildcard(all []*dns.NSEC, wild string, rrtype uint16) (verdict, error) {
	for _, n := range all {
		switch {
		case strings.EqualFold(n.Hdr.Name, wild):
			return nodata, lacks(n, rrtype)
		case covers(n, wild) && dns.IsSubDomain(wild, strings.ToLower(n.NextDomain)):
			return nodata, nil
		case covers(n, wild):
			return nxdomain, nil
		}
	}
	return "", fmt.Errorf("nothing tells of %s", wild)
}

func lacks(n *dns.NSEC, rrtype uint16) error {
	for _, t := range []uint16{rrtype, dns.TypeCNAME} {
		if slices.Contains(n.TypeBitMap, t) {
			return fmt.Errorf("%s has %s, says its NSEC record", n.Hdr.Name, dns.Type(t))
		}
	}
	if slices.Contains(n.TypeBitMap, dns.TypeNS) && !slices.Contains(n.TypeBitMap, dns.TypeSOA) && rrtype != dns.TypeDS {
		return fmt.Errorf("%s is delegated, and cannot be denied here", n.Hdr.Name)
	}
	return nil
}

// referral judges what a zone says of one below.
func (v *validator) referral(cut string, m *dns.Msg) (verdict, error) {
	if signature(m.Ns, cut, dns.TypeNS) != nil {
		return "", fmt.Errorf("the NS records of %s are signed", cut)
	}
	if ds := rrset(m.Ns, cut, dns.TypeDS); len(ds) > 0 {
		return secured, v.trusts(m.Ns, ds)
	}
	for _, n := range v.denials(m) {
		if !strings.EqualFold(n.Hdr.Name, cut) {
			continue
		}
		if !slices.Contains(n.TypeBitMap, dns.TypeNS) || slices.Contains(n.TypeBitMap, dns.TypeSOA) || slices.Contains(n.TypeBitMap, dns.TypeDS) {
			return "", fmt.Errorf("%s is not an unsigned delegation: %v", cut, n.TypeBitMap)
		}
		return insecure, nil
	}
	return "", fmt.Errorf("nothing tells whether %s is signed", cut)
}

// referral is the name that an authority section delegates.
func referral(section []dns.RR, zone string) string {
	for _, rr := range section {
		if ns, ok := rr.(*dns.NS); ok && !strings.EqualFold(ns.Hdr.Name, zone) {
			return strings.ToLower(ns.Hdr.Name)
		}
	}
	return ""
}

func rrset(section []dns.RR, name string, rrtype uint16) (out []dns.RR) {
	for _, rr := range section {
		if h := rr.Header(); strings.EqualFold(h.Name, name) && h.Rrtype == rrtype {
			out = append(out, rr)
		}
	}
	return out
}

// anything is the first set of a name.
func anything(section []dns.RR, name string) []dns.RR {
	for _, rr := range section {
		if h := rr.Header(); strings.EqualFold(h.Name, name) && h.Rrtype != dns.TypeRRSIG {
			return rrset(section, name, h.Rrtype)
		}
	}
	return nil
}

func signature(section []dns.RR, name string, rrtype uint16) *dns.RRSIG {
	for _, rr := range rrset(section, name, dns.TypeRRSIG) {
		if sig := rr.(*dns.RRSIG); sig.TypeCovered == rrtype {
			return sig
		}
	}
	return nil
}

// synthesized reports whether an alias comes of a DNAME record.
func synthesized(section []dns.RR, name, target string) bool {
	at := redirector(section, name)
	if at == "" {
		return false
	}
	dname := rrset(section, at, dns.TypeDNAME)[0].(*dns.DNAME)
	return strings.EqualFold(strings.TrimSuffix(name, at)+dname.Target, target)
}

func redirector(section []dns.RR, name string) string {
	for _, rr := range section {
		if d, ok := rr.(*dns.DNAME); ok && dns.IsSubDomain(d.Hdr.Name, name) && !strings.EqualFold(d.Hdr.Name, name) {
			return strings.ToLower(d.Hdr.Name)
		}
	}
	return ""
}

// covers reports whether a name lies between an NSEC record's owner and the
// next, the last of which is the apex.
func covers(n *dns.NSEC, name string) bool {
	owner, next := n.Hdr.Name, n.NextDomain
	after := before(owner, name)
	if before(owner, next) {
		return after && before(name, next)
	}
	return after && dns.IsSubDomain(next, name)
}

// encloser is the longest name above another that an NSEC record which covers
// it proves to be there.
func encloser(n *dns.NSEC, name string) string {
	labels := dns.SplitDomainName(name)
	shared := max(dns.CompareDomainName(name, n.Hdr.Name), dns.CompareDomainName(name, n.NextDomain))
	return dns.Fqdn(strings.Join(labels[len(labels)-shared:], "."))
}

// before is canonical order (RFC 4034, 6.1), of names as they are on the wire.
func before(a, b string) bool {
	return slices.CompareFunc(labelsOf(a), labelsOf(b), bytes.Compare) < 0
}

// labelsOf are the labels of a name, in lower case, from the root on.
func labelsOf(name string) (labels [][]byte) {
	b := make([]byte, 256)
	if _, err := dns.PackDomainName(strings.ToLower(dns.Fqdn(name)), b, 0, nil, false); err != nil {
		return nil
	}
	for len(b) > 0 && b[0] != 0 {
		n := 1 + int(b[0])
		labels, b = append(labels, b[1:n]), b[n:]
	}
	slices.Reverse(labels)
	return labels
}
