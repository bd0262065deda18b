package geodns

import (
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"landfall"
	"landfall/geodns/locate"

	"github.com/miekg/dns"
)

// TestAnswers asks from Frankfurt unless the row says otherwise.
func TestAnswers(t *testing.T) {
	const soa = "SOA fra1.ns.landfall.test. hostmaster.landfall.test. 7 3600 600 604800 20"
	tests := []struct {
		name, rrtype string
		rcode        string
		answer       []string
		authority    []string
		extra        []string
	}{
		{"chat.landfall.test", "A", "NOERROR", []string{"A 192.0.2.1"}, nil, nil},
		{"chat.landfall.test", "AAAA", "NOERROR", []string{"AAAA 2001:db8::1"}, nil, nil},
		{"chat.landfall.test", "HTTPS", "NOERROR", []string{`HTTPS 1 . alpn="h2,http/1.1" ipv4hint="192.0.2.1" ipv6hint="2001:db8::1"`}, nil, nil},
		{"irc.landfall.test", "A", "NOERROR", []string{"A 192.0.2.1"}, nil, nil},
		{"irc.landfall.test", "HTTPS", "NOERROR", nil, []string{soa}, nil},
		{"chat.landfall.test", "TXT", "NOERROR", nil, []string{soa}, nil},
		{"chat.landfall.test", "ANY", "NOERROR", []string{`HINFO "RFC8482" ""`}, nil, nil},
		{"landfall.test", "SOA", "NOERROR", []string{soa}, nil, nil},
		{"landfall.test", "NS", "NOERROR", []string{"NS fra1.ns.landfall.test.", "NS nyc1.ns.landfall.test.", "NS sin1.ns.landfall.test."}, nil,
			[]string{"A 192.0.2.1", "AAAA 2001:db8::1", "A 192.0.2.2", "AAAA 2001:db8::2", "A 192.0.2.3"}},
		{"landfall.test", "A", "NOERROR", nil, []string{soa}, nil},
		{"landfall.test", "MX", "NOERROR", []string{"MX 10 mail.landfall.test."}, nil, nil},
		{"landfall.test", "DS", "NOERROR", nil, []string{soa}, nil},
		{"nyc1.ns.landfall.test", "A", "NOERROR", []string{"A 192.0.2.2"}, nil, nil},
		{"ns.landfall.test", "A", "NOERROR", nil, []string{soa}, nil}, // only others below it
		{"b.c.landfall.test", "TXT", "NOERROR", nil, []string{soa}, nil},
		{"b.c.landfall.test", "ANY", "NOERROR", nil, []string{soa}, nil},
		{"x.c.landfall.test", "TXT", "NXDOMAIN", nil, []string{soa}, nil},
		{"nothing.landfall.test", "A", "NXDOMAIN", nil, []string{soa}, nil},
		{"x.chat.landfall.test", "A", "NXDOMAIN", nil, []string{soa}, nil},
		{"www.landfall.test", "A", "NOERROR", []string{"CNAME chat.landfall.test.", "A 192.0.2.1"}, nil, nil},
		{"www.landfall.test", "CNAME", "NOERROR", []string{"CNAME chat.landfall.test."}, nil, nil},
		{"www.landfall.test", "TXT", "NOERROR", []string{"CNAME chat.landfall.test."}, []string{soa}, nil},
		{"away.landfall.test", "A", "NOERROR", []string{"CNAME example.com."}, nil, nil},
		{"lost.landfall.test", "A", "NXDOMAIN", []string{"CNAME nothing.landfall.test."}, []string{soa}, nil},
		{"x.wild.landfall.test", "TXT", "NOERROR", []string{`TXT "any name"`}, nil, nil},
		{"x.y.wild.landfall.test", "TXT", "NOERROR", []string{`TXT "any name"`}, nil, nil},
		{"x.wild.landfall.test", "A", "NOERROR", nil, []string{soa}, nil},
		{"wild.landfall.test", "TXT", "NOERROR", nil, []string{soa}, nil},
		{"sub.landfall.test", "A", "NOERROR", nil, []string{"NS ns.sub.landfall.test."}, []string{"A 198.51.100.53"}},
		{"x.y.sub.landfall.test", "A", "NOERROR", nil, []string{"NS ns.sub.landfall.test."}, []string{"A 198.51.100.53"}},
		{"ns.sub.landfall.test", "A", "NOERROR", nil, []string{"NS ns.sub.landfall.test."}, []string{"A 198.51.100.53"}},
		{"sub.landfall.test", "DS", "NOERROR", nil, []string{soa}, nil},
		{"example.com", "A", "REFUSED", nil, nil, nil},
		{"test", "NS", "REFUSED", nil, nil, nil},
		{".", "NS", "REFUSED", nil, nil, nil},
		{"notlandfall.test", "A", "REFUSED", nil, nil, nil},
		{"landfall.test", "AXFR", "REFUSED", nil, nil, nil},
		{"landfall.test", "IXFR", "REFUSED", nil, nil, nil},
		{"landfall.test", "OPT", "FORMERR", nil, nil, nil},
		{"landfall.test", "NXNAME", "FORMERR", nil, nil, nil},
		{"landfall.test", "MAILB", "NOTIMP", nil, nil, nil},
	}
	s := newServer(t, nil)
	for _, tt := range tests {
		t.Run(tt.name+" "+tt.rrtype, func(t *testing.T) {
			got := ask(t, s, question(tt.name, dns.StringToType[tt.rrtype]), "10.1.0.1")
			if rcode := dns.RcodeToString[got.Rcode]; rcode != tt.rcode {
				t.Errorf("rcode %s, want %s", rcode, tt.rcode)
			}
			for section, pair := range map[string][2][]string{
				"answer":     {data(got.Answer), tt.answer},
				"authority":  {data(got.Ns), tt.authority},
				"additional": {data(got.Extra), tt.extra},
			} {
				if !slices.Equal(pair[0], pair[1]) {
					t.Errorf("%s:\n got %q\nwant %q", section, pair[0], pair[1])
				}
			}
			referral := tt.answer == nil && len(tt.authority) > 0 && strings.HasPrefix(tt.authority[0], "NS")
			ours := (tt.rcode == "NOERROR" || tt.rcode == "NXDOMAIN") && !referral
			if got.Authoritative != ours {
				t.Errorf("AA is %v, want %v", got.Authoritative, ours)
			}
			if got.RecursionAvailable || !got.RecursionDesired {
				t.Errorf("RA %v, RD %v: want only RD, as in the query", got.RecursionAvailable, got.RecursionDesired)
			}
		})
	}
}

// Each alias is told once (RFC 2181, 5).
func TestLoopOfNamesEnds(t *testing.T) {
	got := ask(t, newServer(t, nil), question("loop.landfall.test", dns.TypeA), "10.1.0.1")
	if got.Rcode != dns.RcodeSuccess || len(got.Answer) != 2 {
		t.Errorf("got %s with %d records", dns.RcodeToString[got.Rcode], len(got.Answer))
	}
}

func TestTimesToLive(t *testing.T) {
	s := newServer(t, nil)
	for name, want := range map[string]uint32{
		"chat.landfall.test": 20, "www.landfall.test": 60, "mail.landfall.test": 3600,
	} {
		if got := ask(t, s, question(name, dns.TypeA), "10.1.0.1").Answer[0].Header().Ttl; got != want {
			t.Errorf("%s: %d s, want %d", name, got, want)
		}
	}
	// RFC 2308, 3: a negative answer is kept no longer than the SOA's minimum.
	if got := ask(t, s, question("nothing.landfall.test", dns.TypeA), "10.1.0.1").Ns[0].Header().Ttl; got != 20 {
		t.Errorf("negative answer: %d s, want 20", got)
	}
	if got := ask(t, s, question("landfall.test", dns.TypeSOA), "10.1.0.1").Answer[0].Header().Ttl; got != 3600 {
		t.Errorf("SOA: %d s, want 3600", got)
	}
}

func TestNearestEdgeIsNamed(t *testing.T) {
	tests := []struct {
		client, subnet string
		a              string
		scope          int // -1: no client subnet in the answer
	}{
		{"10.1.9.9", "", "192.0.2.1", -1},
		{"10.2.9.9", "", "192.0.2.2", -1},
		{"::ffff:10.3.9.9", "", "192.0.2.3", -1},
		{"2001:db8:3::9", "", "192.0.2.3", -1},
		{"203.0.113.1", "", "192.0.2.1", -1},               // unknown: home
		{"10.1.9.9", "10.2.3.0/24", "192.0.2.2", 16},       // the subnet counts, not the resolver
		{"10.1.9.9", "10.3.0.0/16", "192.0.2.3", 16},       //
		{"10.1.9.9", "10.4.16.0/22", "192.0.2.2", 20},      //
		{"10.1.9.9", "2001:db8:2::/47", "192.0.2.2", 48},   // longer than what was told: send more next time
		{"10.2.9.9", "2001:db8:1:2::/63", "192.0.2.1", 47}, // what is told around it is the same
		{"10.1.9.9", "203.0.113.0/24", "192.0.2.1", 1},     // unknown: home, as all above 128.0.0.0
		{"10.1.9.9", "2001:db8:3::/56", "192.0.2.3", 48},
		{"10.2.9.9", "0.0.0.0/0", "192.0.2.1", 0}, // no address given away: as unknown
		{"10.2.9.9", "::/0", "192.0.2.1", 0},
		{"10.1.9.9", "::ffff:10.2.0.0/112", "192.0.2.2", 112},
	}
	s := newServer(t, nil)
	for _, tt := range tests {
		m := question("chat.landfall.test", dns.TypeA)
		if tt.subnet != "" {
			withSubnet(m, tt.subnet)
		}
		got := ask(t, s, m, tt.client)
		if want := []string{"A " + tt.a}; !slices.Equal(data(got.Answer), want) {
			t.Errorf("%s %s: %q, want %q", tt.client, tt.subnet, data(got.Answer), want)
		}
		scope, sent := -1, subnetOf(m)
		if e := subnetOf(got); e != nil {
			scope = int(e.SourceScope)
			if e.SourceNetmask != sent.SourceNetmask || e.Family != sent.Family || !e.Address.Equal(sent.Address) {
				t.Errorf("%s %s: option came back as %v", tt.client, tt.subnet, e)
			}
		}
		if scope != tt.scope {
			t.Errorf("%s %s: scope %d, want %d", tt.client, tt.subnet, scope, tt.scope)
		}
	}
}

func TestScopeIsZeroWhereTheClientDoesNotMatter(t *testing.T) {
	s := newServer(t, nil)
	for _, q := range []struct {
		name   string
		rrtype uint16
		scope  uint8
	}{
		{"landfall.test", dns.TypeSOA, 0},
		{"landfall.test", dns.TypeNS, 0},
		{"mail.landfall.test", dns.TypeA, 0},
		{"nothing.landfall.test", dns.TypeA, 0},
		{"chat.landfall.test", dns.TypeTXT, 0},
		{"chat.landfall.test", dns.TypeANY, 0},
		{"irc.landfall.test", dns.TypeHTTPS, 0},
		{"sub.landfall.test", dns.TypeA, 0},
		{"example.com", dns.TypeA, 0},
		{"chat.landfall.test", dns.TypeA, 16},
		{"chat.landfall.test", dns.TypeHTTPS, 16},
		{"www.landfall.test", dns.TypeA, 16},
		// There is none for this client, but for others there is.
		{"chat.landfall.test", dns.TypeAAAA, 16},
	} {
		got := ask(t, s, withSubnet(question(q.name, q.rrtype), "10.3.0.0/24"), "10.1.0.1")
		if e := subnetOf(got); e == nil || e.SourceScope != q.scope {
			t.Errorf("%s %s: %v, want scope %d", q.name, dns.Type(q.rrtype), e, q.scope)
		}
	}
	onlyV4 := newServer(t, func(m *landfall.Map) {
		for i := range m.Nodes {
			m.Nodes[i].Advertised = m.Nodes[i].Advertised[:1]
		}
	})
	got := ask(t, onlyV4, withSubnet(question("chat.landfall.test", dns.TypeAAAA), "10.3.0.0/24"), "10.1.0.1")
	if e := subnetOf(got); e.SourceScope != 0 || len(got.Answer) != 0 || len(got.Ns) != 1 {
		t.Errorf("no edge has IPv6: %v", got)
	}
}

func TestBothFamiliesAreOfTheSameEdges(t *testing.T) {
	for _, tt := range []struct {
		answers     int
		client      string
		a, aaaa     []string
		https, name string
	}{
		{1, "10.2.0.1", []string{"A 192.0.2.2"}, []string{"AAAA 2001:db8::2"}, `ipv4hint="192.0.2.2" ipv6hint="2001:db8::2"`, "one"},
		{2, "10.2.0.1", []string{"A 192.0.2.2", "A 192.0.2.1"}, []string{"AAAA 2001:db8::2", "AAAA 2001:db8::1"}, `ipv4hint="192.0.2.2,192.0.2.1" ipv6hint="2001:db8::2,2001:db8::1"`, "two"},
		{1, "10.3.0.1", []string{"A 192.0.2.3"}, []string{}, `ipv4hint="192.0.2.3"`, "an edge without IPv6"},
		{2, "10.3.0.1", []string{"A 192.0.2.3", "A 192.0.2.1"}, []string{"AAAA 2001:db8::1"}, `ipv4hint="192.0.2.3,192.0.2.1" ipv6hint="2001:db8::1"`, "two, one without IPv6"},
		{8, "10.3.0.1", []string{"A 192.0.2.3", "A 192.0.2.1", "A 192.0.2.2"}, []string{"AAAA 2001:db8::1", "AAAA 2001:db8::2"}, `ipv4hint="192.0.2.3,192.0.2.1,192.0.2.2" ipv6hint="2001:db8::1,2001:db8::2"`, "all"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t, func(m *landfall.Map) { m.Steering.Answers = tt.answers })
			if got := data(ask(t, s, question("chat.landfall.test", dns.TypeA), tt.client).Answer); !slices.Equal(got, tt.a) {
				t.Errorf("A: %q, want %q", got, tt.a)
			}
			if got := data(ask(t, s, question("chat.landfall.test", dns.TypeAAAA), tt.client).Answer); !slices.Equal(got, tt.aaaa) {
				t.Errorf("AAAA: %q, want %q", got, tt.aaaa)
			}
			want := []string{`HTTPS 1 . alpn="h2,http/1.1" ` + tt.https}
			if got := data(ask(t, s, question("chat.landfall.test", dns.TypeHTTPS), tt.client).Answer); !slices.Equal(got, want) {
				t.Errorf("HTTPS: %q, want %q", got, want)
			}
		})
	}
}

func TestPortOfServiceIsTold(t *testing.T) {
	s := newServer(t, func(m *landfall.Map) { m.Ports.HTTPS = 8443 })
	got := data(ask(t, s, question("chat.landfall.test", dns.TypeHTTPS), "10.3.0.1").Answer)
	if want := `HTTPS 1 . alpn="h2,http/1.1" port="8443" ipv4hint="192.0.2.3"`; !slices.Equal(got, []string{want}) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestDrainIsInTheVeryNextAnswer(t *testing.T) {
	s := newServer(t, nil)
	named := func(from string) string {
		return data(ask(t, s, question("chat.landfall.test", dns.TypeA), from).Answer)[0]
	}
	if got := named("10.2.0.1"); got != "A 192.0.2.2" {
		t.Fatal(got)
	}
	m := testMap()
	m.Serial, m.Nodes[1].State = 8, landfall.Draining
	s.SetMap(m)
	if got := named("10.2.0.1"); got != "A 192.0.2.1" {
		t.Errorf("drained: still %s", got)
	}
	soa := ask(t, s, question("landfall.test", dns.TypeSOA), "10.2.0.1").Answer[0].(*dns.SOA)
	if soa.Serial != 8 || s.Stats().Serial != 8 {
		t.Errorf("serial %d in the SOA record, %d in the figures, want 8", soa.Serial, s.Stats().Serial)
	}
	ns := data(ask(t, s, question("landfall.test", dns.TypeNS), "10.2.0.1").Answer)
	if slices.Contains(ns, "NS nyc1.ns.landfall.test.") {
		t.Errorf("a name server that drains is listed: %q", ns)
	}
	if got := data(ask(t, s, question("nyc1.ns.landfall.test", dns.TypeA), "10.2.0.1").Answer); len(got) != 1 {
		t.Errorf("a name server that drains lost its address: %q", got)
	}
}

func TestHealthIsInTheVeryNextAnswer(t *testing.T) {
	s := newServer(t, nil)
	named := func() []string {
		return data(ask(t, s, question("chat.landfall.test", dns.TypeA), "10.2.0.1").Answer)
	}
	s.SetHealth(map[landfall.NodeID]bool{"nyc1": true})
	if got := named(); !slices.Equal(got, []string{"A 192.0.2.1"}) {
		t.Errorf("nyc1 is down: %q", got)
	}
	s.SetHealth(map[landfall.NodeID]bool{"nyc1": true, "fra1": true, "sin1": true})
	if got := named(); !slices.Equal(got, []string{"A 192.0.2.2"}) {
		t.Errorf("all are down, so nobody is taken out: %q", got)
	}
	s.SetMap(testMap())
	s.SetHealth(nil)
	if got := named(); !slices.Equal(got, []string{"A 192.0.2.2"}) {
		t.Errorf("nyc1 is up: %q", got)
	}
}

func TestChallengesComeAndGo(t *testing.T) {
	s := newServer(t, nil)
	const name = "_acme-challenge.chat.landfall.test"
	s.SetChallenges(map[string][]string{name: {"token-one", "token-two"}})
	s.SetMap(testMap()) // a new map does not lose them
	got := ask(t, s, question(name, dns.TypeTXT), "10.1.0.1")
	if want := []string{`TXT "token-one"`, `TXT "token-two"`}; !slices.Equal(data(got.Answer), want) {
		t.Errorf("got %q, want %q", data(got.Answer), want)
	}
	s.SetChallenges(nil)
	if got := ask(t, s, question(name, dns.TypeTXT), "10.1.0.1"); got.Rcode != dns.RcodeNameError {
		t.Errorf("afterwards: %s", dns.RcodeToString[got.Rcode])
	}
}

func TestNoMapYetIsServerFailure(t *testing.T) {
	s, err := New(Config{TCP: []net.Listener{unused{}}})
	if err != nil {
		t.Fatal(err)
	}
	s.SetHealth(map[landfall.NodeID]bool{"fra1": true})
	if got := ask(t, s, question("chat.landfall.test", dns.TypeA), "10.1.0.1"); got.Rcode != dns.RcodeServerFailure {
		t.Errorf("got %s", dns.RcodeToString[got.Rcode])
	}
	s.SetMap(testMap())
	got := ask(t, s, withSubnet(question("chat.landfall.test", dns.TypeA), "10.2.0.0/24"), "10.1.0.1")
	if subnetOf(got).SourceScope != 0 || len(got.Answer) != 1 {
		t.Errorf("without an atlas all clients are alike: %v", got)
	}
}

func TestAtlasIsSwapped(t *testing.T) {
	s := newServer(t, nil)
	from := func() (string, uint8) {
		got := ask(t, s, withSubnet(question("chat.landfall.test", dns.TypeA), "10.2.3.0/24"), "10.1.0.1")
		return data(got.Answer)[0], subnetOf(got).SourceScope
	}
	for _, step := range []struct {
		atlas *locate.Table
		a     string
		scope uint8
	}{
		{testAtlas(), "A 192.0.2.2", 16},
		{locate.Of(map[netip.Prefix]landfall.Location{netip.MustParsePrefix("10.2.3.0/24"): {Known: true, Place: singapore}}), "A 192.0.2.3", 24},
		{nil, "A 192.0.2.1", 0},
	} {
		s.SetAtlas(step.atlas)
		if a, scope := from(); a != step.a || scope != step.scope {
			t.Errorf("%v: %s with scope %d, want %s with %d", step.atlas, a, scope, step.a, step.scope)
		}
	}
}

func TestPanicCostsOneAnswer(t *testing.T) {
	s := newServer(t, nil)
	broken := *s.current.Load()
	broken.choices = nil // a fault of ours
	s.current.Store(&broken)
	for range 5 {
		if got := ask(t, s, question("chat.landfall.test", dns.TypeA), "10.1.0.1"); got.Rcode != dns.RcodeServerFailure {
			t.Fatalf("got %s", dns.RcodeToString[got.Rcode])
		}
	}
	if got := ask(t, s, question("mail.landfall.test", dns.TypeA), "10.1.0.1"); got.Rcode != dns.RcodeSuccess {
		t.Errorf("another name: %s", dns.RcodeToString[got.Rcode])
	}
	if n := s.Stats().Panics; n != 5 {
		t.Errorf("%d panics counted, want 5", n)
	}
}
