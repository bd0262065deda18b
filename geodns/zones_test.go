package geodns

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"landfall"

	"github.com/miekg/dns"
)

// zonesOfMap puts more zones into a map: one beside the domain, one within that,
// and one within the domain.
func zonesOfMap(m *landfall.Map) {
	rec := func(line string) landfall.Record {
		w := strings.SplitN(line, " ", 3)
		return landfall.Record{Name: w[0], Type: w[1], Data: w[2]}
	}
	for name, lines := range map[string][]string{
		"example.org": {
			"example.org SOA ns.example.net. keeper.example.net. 100 7200 900 1209600 300", "example.org NS ns.example.net.", "example.org NS fra1.ns.landfall.test.",
			"www.example.org CNAME chat.landfall.test.", "out.example.org CNAME www.example.com.", "across.example.org CNAME host.sub.landfall.test.", "gone.example.org CNAME nothing.sub.landfall.test.",
			"loop.example.org CNAME pool.example.org.", "pool.example.org CNAME loop.example.org.",
			"red.example.org DNAME sub.landfall.test.", "far.example.org DNAME example.com.", "long.example.org DNAME " + strings.Repeat("x123456789.", 20),
			"*.wild.example.org CNAME www.example.org.", "a.example.org DS 1 13 200 00", "cut.example.org NS ns.cut.example.org.", "ns.cut.example.org A 198.51.100.53", "cut.example.org NS ns.sib.example.org.",
			"sib.example.org NS ns.sib.example.org.", "ns.sib.example.org AAAA 2001:db8::53", "_sip._udp.example.org SRV 1 2 5060 sip.example.org.", "example.org CAA 0 issue \"ca.example.com\"",
		},
		"a.example.org":     nil,
		"sub.landfall.test": {"host.sub.landfall.test A 198.51.100.7"},
	} {
		z := landfall.Zone{Name: name}
		for _, l := range lines {
			z.Records = append(z.Records, rec(l))
		}
		m.Zones = append(m.Zones, z)
	}
	slices.SortFunc(m.Zones, func(a, b landfall.Zone) int { return strings.Compare(a.Name, b.Name) })
	m.Services = append(m.Services, landfall.Service{Host: "example.org", Upstream: "chat"})
}

func TestAnswersFromSeveralZones(t *testing.T) {
	s := newServer(t, zonesOfMap)
	long := strings.Repeat("y123456789.", 4)
	soa := func(apex string) string { return apex + " SOA" }
	for _, tt := range []struct {
		name              string
		rrtype            uint16
		rcode             int
		aa                bool
		answer            []string
		authority, others []string
	}{
		{"example.org", dns.TypeA, 0, true, []string{"example.org A 192.0.2.2"}, nil, nil}, // no alias is needed at the top
		{"example.org", dns.TypeHTTPS, 0, true, []string{"example.org HTTPS"}, nil, nil},
		{"example.org", dns.TypeSOA, 0, true, []string{"example.org SOA ns.example.net. keeper.example.net. 107 7200 900 1209600 300"}, nil, nil},
		{"example.org", dns.TypeNS, 0, true, []string{"example.org NS ns.example.net.", "example.org NS fra1.ns.landfall.test."}, nil, []string{"fra1.ns.landfall.test A 192.0.2.1", "fra1.ns.landfall.test AAAA 2001:db8::1"}},
		{"example.org", dns.TypeCAA, 0, true, []string{`example.org CAA 0 issue "ca.example.com"`}, nil, nil},
		{"example.org", dns.TypeMX, 0, true, nil, []string{soa("example.org")}, nil},
		{"no.example.org", dns.TypeA, dns.RcodeNameError, true, nil, []string{soa("example.org")}, nil},
		{"_udp.example.org", dns.TypeA, 0, true, nil, []string{soa("example.org")}, nil},
		{"www.example.org", dns.TypeA, 0, true, []string{"www.example.org CNAME chat.landfall.test.", "chat.landfall.test A 192.0.2.2"}, nil, nil},
		{"across.example.org", dns.TypeA, 0, true, []string{"across.example.org CNAME host.sub.landfall.test.", "host.sub.landfall.test A 198.51.100.7"}, nil, nil},
		{"gone.example.org", dns.TypeA, dns.RcodeNameError, true, []string{"gone.example.org CNAME nothing.sub.landfall.test."}, []string{soa("sub.landfall.test")}, nil},
		{"out.example.org", dns.TypeA, 0, true, []string{"out.example.org CNAME www.example.com."}, nil, nil},
		{"x.y.wild.example.org", dns.TypeA, 0, true, []string{"x.y.wild.example.org CNAME www.example.org.", "www.example.org CNAME chat.landfall.test.", "chat.landfall.test A 192.0.2.2"}, nil, nil},
		{"loop.example.org", dns.TypeTXT, 0, true, []string{"loop.example.org CNAME pool.example.org.", "pool.example.org CNAME loop.example.org."}, nil, nil},
		// RFC 6672
		{"host.red.example.org", dns.TypeA, 0, true, []string{"red.example.org DNAME sub.landfall.test.", "host.red.example.org CNAME host.sub.landfall.test.", "host.sub.landfall.test A 198.51.100.7"}, nil, nil},
		{"host.red.example.org", dns.TypeCNAME, 0, true, []string{"red.example.org DNAME sub.landfall.test.", "host.red.example.org CNAME host.sub.landfall.test."}, []string{soa("sub.landfall.test")}, nil},
		{"red.example.org", dns.TypeDNAME, 0, true, []string{"red.example.org DNAME sub.landfall.test."}, nil, nil},
		{"red.example.org", dns.TypeA, 0, true, nil, []string{soa("example.org")}, nil},
		{"a.b.far.example.org", dns.TypeA, 0, true, []string{"far.example.org DNAME example.com.", "a.b.far.example.org CNAME a.b.example.com."}, nil, nil},
		{long + "long.example.org", dns.TypeA, dns.RcodeYXDomain, true, []string{"long.example.org DNAME " + strings.Repeat("x123456789.", 20)}, nil, nil},
		// RFC 4035, 3.1.4.1
		{"a.example.org", dns.TypeDS, 0, true, []string{"a.example.org DS 1 13 200 00"}, nil, nil},
		{"a.example.org", dns.TypeSOA, 0, true, []string{"a.example.org SOA"}, nil, nil},
		{"sub.landfall.test", dns.TypeDS, 0, true, nil, []string{soa("landfall.test")}, nil},
		{"example.org", dns.TypeDS, 0, true, nil, []string{soa("example.org")}, nil},
		// RFC 9471
		{"x.cut.example.org", dns.TypeA, 0, false, nil, []string{"cut.example.org NS ns.cut.example.org.", "cut.example.org NS ns.sib.example.org."}, []string{"ns.cut.example.org A 198.51.100.53", "ns.sib.example.org AAAA 2001:db8::53"}},
		{"example.net", dns.TypeA, dns.RcodeRefused, false, nil, nil, nil},
	} {
		got := ask(t, s, question(tt.name, tt.rrtype), "10.2.0.1")
		if got.Rcode != tt.rcode || got.Authoritative != tt.aa || !begin(got.Answer, tt.answer) || !begin(got.Ns, tt.authority) || !begin(got.Extra, tt.others) {
			t.Errorf("%s %s:\n%v\nwant %s, answer %q, authority %q, additional %q", tt.name, dns.Type(tt.rrtype), got, dns.RcodeToString[tt.rcode], tt.answer, tt.authority, tt.others)
		}
	}
}

// begin reports whether records are NAME TYPE DATA as told, which may leave the
// end of the data out.
func begin(rrs []dns.RR, want []string) bool {
	var got []string
	for _, rr := range rrs {
		if h := rr.Header(); h.Rrtype != dns.TypeOPT {
			data := strings.SplitN(rr.String(), "\t", 5)[4]
			got = append(got, fmt.Sprintf("%s %s %s", strings.TrimSuffix(h.Name, "."), dns.Type(h.Rrtype), data))
		}
	}
	return slices.EqualFunc(got, want, strings.HasPrefix)
}

// What HTTPS records name is what all edges of the very same answer speak.
func TestHTTPSNamesWhatTheAnsweredEdgesSpeak(t *testing.T) {
	for answers, want := range map[int][]string{
		1: {`"h2,http/1.1"`, `"h3,http/1.1"`},
		2: {`"http/1.1"`},
	} {
		s := newServer(t, func(m *landfall.Map) {
			m.Nodes[0].Protocols = []string{"h3", "http/1.1"}
			m.Steering.Answers = answers
		})
		var told []string
		for _, from := range []string{"10.1.0.1", "10.2.0.1", "10.3.0.1", "203.0.113.1"} {
			rr := ask(t, s, question("chat.landfall.test", dns.TypeHTTPS), from).Answer[0].String()
			alpn := strings.Fields(rr[strings.Index(rr, "alpn=")+len("alpn="):])[0]
			if !slices.Contains(told, alpn) {
				told = append(told, alpn)
			}
			if first := strings.Contains(rr, "192.0.2.1"); first == strings.Contains(alpn, "h2") {
				t.Errorf("from %s: %s", from, rr)
			}
		}
		if slices.Sort(told); !slices.Equal(told, want) {
			t.Errorf("%d answers: told %q, want %q", answers, told, want)
		}
	}
}
