package geodns

import (
	"slices"
	"strings"
	"testing"

	"landfall"

	"github.com/miekg/dns"
)

// families is a world in which one edge has no IPv6 address, and one no IPv4.
func families(m *landfall.Map) {
	signedMap(m)
	m.Steering.Answers = 1
	m.Nodes[1].Advertised = m.Nodes[1].Advertised[1:]
}

// An alias of a wildcard leads to a name that others are told more of: one NSEC
// record proves that there is no nearer name, and that there is no such type,
// in one message. It says nothing less than that, so that who keeps it denies
// nobody what is there (RFC 8198).
func TestAliasesOfSteeredNamesAreProved(t *testing.T) {
	s, v := signedWorld(t, families)
	for _, name := range []string{"zzz.any.test.", "www.any.test.", "x.alias.landfall.test.", "other.test.", "chat.landfall.test."} {
		for from, lost := range map[string]uint16{"10.1.0.1": 0, "10.2.0.1": dns.TypeA, "10.3.0.1": dns.TypeAAAA} {
			for _, rrtype := range []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeHTTPS, dns.TypeMX} {
				m := askBy(t, s, withDO(question(name, rrtype), false), from, true)
				what := name + " " + dns.Type(rrtype).String() + " for " + from
				want := positive
				if rrtype == lost || rrtype == dns.TypeMX {
					want = nodata
				}
				if got, err := v.validate(name, rrtype, m); err != nil || got != want {
					t.Errorf("%s: %s, %v\n%v", what, got, err, m)
				}
				denies(t, what, m, lost)
			}
		}
	}
}

// denies finds that NSEC records of steered names deny at most one type that
// others are told.
func denies(t *testing.T, what string, m *dns.Msg, lost uint16) {
	t.Helper()
	asked := m.Question[0].Qtype
	for _, rr := range m.Ns {
		n, ok := rr.(*dns.NSEC)
		if !ok || !slices.Contains([]string{"www.any.test.", "other.test.", "chat.landfall.test."}, n.Hdr.Name) {
			continue
		}
		for _, rrtype := range []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeHTTPS} {
			if !slices.Contains(n.TypeBitMap, rrtype) && (rrtype != lost || rrtype != asked) {
				t.Errorf("%s: %s is denied with it: %v", what, dns.Type(rrtype), n)
			}
		}
		if strings.HasPrefix(n.NextDomain, `\000`) {
			t.Errorf("%s: two next names of one: %v", what, n)
		}
	}
}

// A redirection that is passed twice is told once.
func TestRedirectionsAreToldOnce(t *testing.T) {
	s, v := signedServer(t)
	for _, do := range []bool{false, true} {
		q := question("x.one.landfall.test", dns.TypeTXT)
		q.SetEdns0(4096, do)
		m := askBy(t, s, q, "10.1.0.1", true)
		if err := distinct(m); err != nil {
			t.Errorf("%v\n%v", err, m)
		}
		if got := rrset(m.Answer, "y.two.landfall.test.", dns.TypeTXT); len(got) != 1 {
			t.Errorf("where it leads is not there: %v", m)
		}
		if !do {
			continue
		}
		if verdict, err := v.validate("x.one.landfall.test.", dns.TypeTXT, m); verdict != positive || err != nil {
			t.Errorf("%s, %v", verdict, err)
		}
	}
}
