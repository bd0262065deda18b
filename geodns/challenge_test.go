package geodns

import (
	"bytes"
	"net/netip"
	"slices"
	"testing"

	"landfall"

	"github.com/miekg/dns"
)

func TestChallengesUnknownAreServerFailures(t *testing.T) {
	records := func(m *landfall.Map) {
		m.Records = append(m.Records,
			landfall.Record{Name: "_acme-challenge.mail.landfall.test", Type: "CNAME", Data: "example.com."},
			landfall.Record{Name: "_acme-challenge.sub2.landfall.test", Type: "NS", Data: "ns.example.com."},
			landfall.Record{Name: "proof.landfall.test", Type: "CNAME", Data: "_acme-challenge.chat"},
		)
	}
	s := newServer(t, records)
	const held = "_ACME-challenge.chat.landfall.test"
	want := func(when string, name string, rcode int, records ...string) {
		t.Helper()
		got := ask(t, s, question(name, dns.TypeTXT), "10.1.0.1")
		if got.Rcode != rcode || !slices.Equal(data(got.Answer), append([]string{}, records...)) {
			t.Errorf("%s: %s: %s %q", when, name, dns.RcodeToString[got.Rcode], data(got.Answer))
		}
		if got.Authoritative && rcode == dns.RcodeServerFailure {
			t.Errorf("%s: %s: a failure with authority", when, name)
		}
	}
	unknown := func(when string) {
		t.Helper()
		for _, name := range []string{
			held, "_acme-challenge.landfall.test", "_acme-challenge.nothing.landfall.test",
			"x._acme-challenge.landfall.test", "_acme-challenge.x.wild.landfall.test", "proof.landfall.test",
		} {
			want(when, name, dns.RcodeServerFailure)
		}
		if got := s.Stats().Informed; got != 0 {
			t.Errorf("%s: informed %d", when, got)
		}
	}
	always := func(when string) {
		t.Helper()
		want(when, "_acme-challenge.mail.landfall.test", dns.RcodeSuccess, "CNAME example.com.")
		want(when, "_acme-challenge.sub2.landfall.test", dns.RcodeSuccess) // a referral
		want(when, "nothing.landfall.test", dns.RcodeNameError)
		want(when, "_acme-challenge.example.com", dns.RcodeRefused)
		if got := ask(t, s, question("chat.landfall.test", dns.TypeA), "10.1.0.1"); len(got.Answer) != 1 {
			t.Errorf("%s: the service: %v", when, got)
		}
	}

	unknown("at the start")
	always("at the start")
	s.SetChallenges(map[string][]string{"_acme-challenge.chat.landfall.test": {"token"}})
	want("known", held, dns.RcodeSuccess, `TXT "token"`)
	want("known", "_acme-challenge.nothing.landfall.test", dns.RcodeNameError)
	want("known", "proof.landfall.test", dns.RcodeSuccess, "CNAME _acme-challenge.chat.landfall.test.", `TXT "token"`)
	always("known")
	if got := s.Stats().Informed; got != 1 {
		t.Errorf("known: informed %d", got)
	}
	s.SetMap(testMap())
	want("with another map", held, dns.RcodeSuccess, `TXT "token"`)
	m := testMap()
	records(m)
	s.SetMap(m)
	s.SetChallengesUnknown()
	unknown("out of touch")
	always("out of touch")
	s.SetChallenges(nil)
	want("none", "_acme-challenge.chat.landfall.test", dns.RcodeNameError)
}

func TestExternalServices(t *testing.T) {
	s := newServer(t, func(m *landfall.Map) {
		m.Services = append(m.Services,
			landfall.Service{Host: "www.example.com", External: true, Upstream: "http://127.0.0.1:3000"},
			landfall.Service{Host: "db.example.com", External: true, Kind: landfall.TCP, Upstream: "tcp://127.0.0.1:5432"},
		)
	})
	s.SetChallenges(map[string][]string{"_acme-challenge.www.example.com.landfall.test": {"token"}})
	for _, tt := range []struct {
		name   string
		rrtype uint16
		rcode  int
		want   []string
	}{
		{"www.example.com.landfall.test", dns.TypeA, dns.RcodeSuccess, []string{"A 192.0.2.2"}},
		{"www.example.com.landfall.test", dns.TypeAAAA, dns.RcodeSuccess, []string{"AAAA 2001:db8::2"}},
		{"www.example.com.landfall.test", dns.TypeHTTPS, dns.RcodeSuccess, []string{`HTTPS 1 . alpn="h2,http/1.1" ipv4hint="192.0.2.2" ipv6hint="2001:db8::2"`}},
		{"db.example.com.landfall.test", dns.TypeA, dns.RcodeSuccess, []string{"A 192.0.2.2"}},
		{"db.example.com.landfall.test", dns.TypeHTTPS, dns.RcodeSuccess, nil}, // kind tcp
		{"_acme-challenge.www.example.com.landfall.test", dns.TypeTXT, dns.RcodeSuccess, []string{`TXT "token"`}},
		{"example.com.landfall.test", dns.TypeA, dns.RcodeSuccess, nil}, // exists: names lie below it
		{"com.landfall.test", dns.TypeA, dns.RcodeSuccess, nil},
		{"no.example.com.landfall.test", dns.TypeA, dns.RcodeNameError, nil},
		{"www.example.com", dns.TypeA, dns.RcodeRefused, nil}, // its owner's zone
	} {
		got := ask(t, s, question(tt.name, tt.rrtype), "10.2.0.1")
		if got.Rcode != tt.rcode || !slices.Equal(data(got.Answer), append([]string{}, tt.want...)) {
			t.Errorf("%s %s: %s %q, want %q", tt.name, dns.Type(tt.rrtype), dns.RcodeToString[got.Rcode], data(got.Answer), tt.want)
		}
	}
}

func TestInvitedNodesAreNeverNamed(t *testing.T) {
	s := newServer(t, func(m *landfall.Map) {
		for i := range m.Nodes[:2] {
			m.Nodes[i].State = landfall.Invited
		}
	})
	for _, from := range []string{"10.1.0.1", "10.2.0.1", "10.3.0.1", "203.0.113.1"} {
		got := ask(t, s, question("chat.landfall.test", dns.TypeA), from)
		if want := []string{"A 192.0.2.3"}; !slices.Equal(data(got.Answer), want) {
			t.Errorf("from %s: %q, want %q", from, data(got.Answer), want)
		}
	}
	if got := ask(t, s, question("landfall.test", dns.TypeNS), "10.1.0.1"); !slices.Equal(data(got.Answer), []string{"NS sin1.ns.landfall.test."}) {
		t.Errorf("name servers: %q", data(got.Answer))
	}
	if got := ask(t, s, question("fra1.ns.landfall.test", dns.TypeA), "10.1.0.1"); got.Rcode != dns.RcodeNameError {
		t.Errorf("an invited name server has a name: %v", got)
	}
}

// Two name servers with the same snapshot answer alike, byte by byte.
func TestNameServersAgree(t *testing.T) {
	addTo := func(m *landfall.Map) {
		m.Services = append(m.Services, landfall.Service{Host: "www.example.com", External: true, Upstream: "http://127.0.0.1:3000"})
		m.Steering.Answers = 2
	}
	one, two := newServer(t, addTo), newServer(t, func(m *landfall.Map) {
		m.Serial-- // was a map behind
		m.Nodes[1].State = landfall.Draining
	})
	two.SetMap(one.in.Map)
	for _, s := range []*Server{one, two} {
		s.SetHealth(map[landfall.NodeID]bool{"nyc1": true})
		s.SetChallenges(map[string][]string{"_acme-challenge.chat.landfall.test": {"b", "a"}, "_acme-challenge.www.example.com.landfall.test": {"c"}})
	}
	names := one.in.zones.Domain().Names()
	if len(names) < 15 {
		t.Fatalf("only %d names", len(names))
	}
	for _, name := range names {
		for _, rrtype := range []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeHTTPS, dns.TypeNS, dns.TypeSOA, dns.TypeTXT, dns.TypeMX, dns.TypeANY} {
			for _, subnet := range []string{"10.1.2.0/24", "10.2.2.0/24", "10.3.2.0/24", "198.51.100.0/24", "2001:db8:3::/56"} {
				q := withSubnet(question(name.String(), rrtype), subnet)
				q.Id = 1
				req, err := q.Pack()
				if err != nil {
					t.Fatal(err)
				}
				from := netip.MustParseAddrPort("203.0.113.1:5353")
				if a, b := one.respond(req, from, viaTCP, nil), two.respond(req, from, viaTCP, nil); !bytes.Equal(a, b) {
					t.Errorf("%s %s for %s:\n%x\n%x", name, dns.Type(rrtype), subnet, a, b)
				}
			}
		}
	}
	soa := ask(t, two, question("landfall.test", dns.TypeSOA), "10.1.0.1").Answer[0].(*dns.SOA)
	if soa.Serial != uint32(one.in.Map.Serial) {
		t.Errorf("serial %d with map %d", soa.Serial, one.in.Map.Serial)
	}
}
