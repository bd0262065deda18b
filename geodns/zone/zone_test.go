package zone

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"landfall"

	"github.com/miekg/dns"
)

func testMap(records ...landfall.Record) *landfall.Map {
	both := []landfall.Role{landfall.RoleEdge, landfall.RoleDNS}
	addr := netip.MustParseAddr
	return &landfall.Map{
		Domain: "landfall.test", Serial: 7,
		Regions: []landfall.Region{{ID: "fra", Home: true}},
		Nodes: []landfall.Node{
			{ID: "fra1", Region: "fra", Roles: both, Advertised: []netip.Addr{addr("192.0.2.1"), addr("2001:db8::1"), addr("192.0.2.11")}},
			{ID: "fra2", Region: "fra", Roles: both, Advertised: []netip.Addr{addr("::ffff:192.0.2.2")}, State: landfall.Draining},
			{ID: "fra3", Region: "fra", Roles: both, Advertised: []netip.Addr{addr("192.0.2.3")}, State: landfall.Gone},
		},
		Services: []landfall.Service{
			{Host: "chat.landfall.test", Upstream: "chat"},
			{Host: "landfall.test", Upstream: "chat"},
		},
		Records: records,
	}
}

func name(t testing.TB, s string) Name {
	t.Helper()
	n, err := ParseName(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// build makes the zone of a map's domain, without faults.
func build(t testing.TB, m *landfall.Map) *Zone {
	t.Helper()
	return buildAll(t, m).Domain()
}

// buildAll makes the zones of a map, without faults.
func buildAll(t testing.TB, m *landfall.Map) *Zones {
	t.Helper()
	z, faults := Build(m, nil)
	for _, f := range faults {
		t.Errorf("fault: %v", f)
	}
	return z
}

// lines are the sets of a name in master file form.
func lines(t testing.TB, z *Zone, host string) []string {
	t.Helper()
	m := z.Find(name(t, host))
	if m.Kind != Found {
		t.Fatalf("%s: kind %d", host, m.Kind)
	}
	var out []string
	for _, s := range m.Node.Sets {
		for _, d := range s.Data {
			rr, _, err := dns.UnpackRRWithHeader(dns.RR_Header{Name: ".", Rrtype: s.Type, Class: dns.ClassINET, Ttl: s.TTL, Rdlength: uint16(len(d))}, d, 0)
			if err != nil {
				t.Fatalf("%s %s: %v", host, dns.Type(s.Type), err)
			}
			out = append(out, strings.Join(strings.Fields(rr.String())[1:], " "))
		}
	}
	return out
}

func TestZoneOfAMap(t *testing.T) {
	zones := buildAll(t, testMap(
		landfall.Record{Name: "landfall.test", Type: "MX", Data: "10 mail"},
		landfall.Record{Name: "landfall.test", Type: "MX", Data: "20 mail.example.com.", TTL: time.Minute},
		landfall.Record{Name: "landfall.test", Type: "MX", Data: "10 mail"}, // twice
		landfall.Record{Name: "x.landfall.test", Type: "txt", Data: `"a b" c ; not this`},
		landfall.Record{Name: "x.landfall.test", Type: "TYPE65280", Data: `\# 2 abcd`},
		landfall.Record{Name: "_443._tcp.landfall.test", Type: "TLSA", Data: "3 1 0 00"},
		landfall.Record{Name: "landfall.test", Type: "CAA", Data: `0 issue "ca.example.com"`},
	))
	z := zones.Domain()
	for host, want := range map[string][]string{
		"landfall.test": {
			"3600 IN NS fra1.ns.landfall.test.",
			"3600 IN SOA fra1.ns.landfall.test. hostmaster.landfall.test. 7 3600 600 604800 30",
			"60 IN MX 10 mail.landfall.test.", // one set, one time to live
			"60 IN MX 20 mail.example.com.",
			`3600 IN CAA 0 issue "ca.example.com"`,
		},
		"fra1.ns.landfall.test":   {"3600 IN A 192.0.2.1", "3600 IN A 192.0.2.11", "3600 IN AAAA 2001:db8::1"},
		"fra2.ns.landfall.test":   {"3600 IN A 192.0.2.2"}, // not listed, but still there
		"X.landfall.test":         {`3600 IN TXT "a b" "c"`, `3600 CLASS1 TYPE65280 \# 2 abcd`},
		"_443._tcp.landfall.test": {"3600 IN TLSA 3 1 0 00"},
		"_tcp.landfall.test":      nil,
		"ns.landfall.test":        nil,
		"chat.landfall.test":      nil,
	} {
		if got := lines(t, z, host); !slices.Equal(got, want) {
			t.Errorf("%s:\n got %q\nwant %q", host, got, want)
		}
	}
	if m := z.Find(name(t, "fra3.ns.landfall.test")); m.Kind != Missing {
		t.Errorf("a node that is gone still has a name: kind %d", m.Kind)
	}
	if e := zones.Edge("fra1"); len(e.V4) != 2 || len(e.V6) != 1 || len(zones.Edge("fra3").V4) != 0 {
		t.Errorf("addresses of edges: %v", e)
	}
	if soa := z.SOA(); soa.TTL != 30 {
		t.Errorf("negative answers are kept for %d s", soa.TTL)
	}
}

func TestFind(t *testing.T) {
	z := build(t, testMap(
		landfall.Record{Name: "*.wild.landfall.test", Type: "TXT", Data: "any"},
		landfall.Record{Name: "here.wild.landfall.test", Type: "TXT", Data: "one"},
		landfall.Record{Name: "deep.under.wild.landfall.test", Type: "TXT", Data: "one"},
		landfall.Record{Name: "sub.landfall.test", Type: "NS", Data: "ns.sub"},
		landfall.Record{Name: "sub.landfall.test", Type: "NS", Data: "ns.example.com."},
		landfall.Record{Name: "sub.landfall.test", Type: "DS", Data: "1 13 200 00"},
		landfall.Record{Name: "ns.sub.landfall.test", Type: "AAAA", Data: "2001:db8::53"},
		landfall.Record{Name: "ns.sub.landfall.test", Type: "A", Data: "198.51.100.53"},
	))
	for _, tt := range []struct {
		host  string
		kind  Kind
		empty bool
	}{
		{"landfall.test", Found, false},
		{"chat.landfall.test", Found, false},
		{"x.chat.landfall.test", Missing, false},
		{"x.landfall.test", Missing, false},
		{"test", Outside, false},
		{".", Outside, false},
		{"xlandfall.test", Outside, false},
		{"landfall.test.example.com", Outside, false},
		{"wild.landfall.test", Found, true},
		{"*.wild.landfall.test", Found, false},
		{"x.wild.landfall.test", Found, false},
		{"x.y.wild.landfall.test", Found, false},
		{"here.wild.landfall.test", Found, false},
		{"x.here.wild.landfall.test", Missing, false}, // RFC 4592, 2.2.1: that name exists
		{"under.wild.landfall.test", Found, true},
		{"x.under.wild.landfall.test", Missing, false},
		{"sub.landfall.test", Delegated, false},
		{"a.b.sub.landfall.test", Delegated, false},
		{"ns.sub.landfall.test", Delegated, false},
		{"inner.sub.landfall.test", Delegated, false},
		{"x.inner.sub.landfall.test", Delegated, false},
	} {
		m := z.Find(name(t, tt.host))
		if m.Kind != tt.kind || m.Kind == Found && m.Node.Empty() != tt.empty {
			t.Errorf("%s: kind %d, want %d", tt.host, m.Kind, tt.kind)
		}
		if m.Kind != Delegated {
			continue
		}
		if m.Cut.Name.String() != "sub.landfall.test" || len(m.Cut.NS.Data) != 2 || len(m.Cut.Glue) != 2 {
			t.Errorf("%s: cut %s with %d name servers and %d addresses", tt.host, m.Cut.Name, len(m.Cut.NS.Data), len(m.Cut.Glue))
		}
		if (m.Node != nil) != (tt.host == "sub.landfall.test") {
			t.Errorf("%s: node %v", tt.host, m.Node)
		}
	}
}

func TestNameServersToList(t *testing.T) {
	for _, tt := range []struct {
		states []landfall.State
		want   []string
		mname  string
	}{
		{[]landfall.State{landfall.Active, landfall.Active}, []string{"fra1", "fra2"}, "fra1.ns.landfall.test."},
		{[]landfall.State{landfall.Draining, ""}, []string{"fra2"}, "fra2.ns.landfall.test."},
		{[]landfall.State{landfall.Draining, landfall.Gone}, []string{"fra1"}, "fra1.ns.landfall.test."},
		{[]landfall.State{landfall.Gone, landfall.Gone}, nil, "landfall.test."},
	} {
		m := testMap()
		m.Nodes[0].State, m.Nodes[1].State = tt.states[0], tt.states[1]
		z := build(t, m)
		var want []string
		for _, id := range tt.want {
			want = append(want, "3600 IN NS "+id+".ns.landfall.test.")
		}
		got := lines(t, z, "landfall.test")
		soa := got[len(got)-1]
		if !slices.Equal(got[:len(got)-1], want) || !strings.Contains(soa, " SOA "+tt.mname) {
			t.Errorf("%v: %q", tt.states, got)
		}
	}
}

// RFC 1982: whatever the map's serial, the next one is seen as newer.
func TestSerialGoesRound(t *testing.T) {
	serial := func(s landfall.Serial) uint32 {
		m := testMap()
		m.Serial = s
		soa, _ := build(t, m).Find(name(t, "landfall.test")).Node.Set(dns.TypeSOA)
		rr, _, err := dns.UnpackRRWithHeader(dns.RR_Header{Name: ".", Rrtype: dns.TypeSOA, Rdlength: uint16(len(soa.Data[0]))}, soa.Data[0], 0)
		if err != nil {
			t.Fatal(err)
		}
		return rr.(*dns.SOA).Serial
	}
	for _, s := range []landfall.Serial{0, 1, 1<<31 - 1, 1 << 31, 1<<32 - 1, 1 << 32, 1<<40 + 5} {
		if before, after := serial(s), serial(s+1); int32(after-before) != 1 {
			t.Errorf("%d and %d are %d and %d", s, s+1, before, after)
		}
	}
}

func TestRecordsThatCannotBeServedAreLeftOut(t *testing.T) {
	rec := func(name, rrtype, data string) landfall.Record {
		return landfall.Record{Name: name, Type: rrtype, Data: data}
	}
	for _, tt := range []struct {
		record landfall.Record
		fault  string
	}{
		{rec("www.example.com", "A", "192.0.2.9"), "not a name of a zone"},
		{rec("a..landfall.test", "A", "192.0.2.9"), "not a name of a zone"},
		{rec("", "A", "192.0.2.9"), "not a name of a zone"},
		{rec("x.landfall.test", "A", "300.0.2.9"), "cannot read"},
		{rec("x.landfall.test", "A", "2001:db8::1"), "cannot read"},
		{rec("x.landfall.test", "A", ""), ""},
		{rec("x.landfall.test", "", "192.0.2.9"), ""},
		{rec("x.landfall.test", "NOSUCH", "192.0.2.9"), "cannot read"},
		{rec("x.landfall.test", "A 192.0.2.9 ;", ""), "one type"},
		{rec("x.landfall.test", "A", "192.0.2.9\nx A 192.0.2.10"), "one line"},
		{rec("x.landfall.test", "A", "192.0.2.9\n$INCLUDE /etc/passwd"), "one line"},
		{rec("x.landfall.test", "TXT", `"unfinished`), ""},
		{rec("x.landfall.test", "TXT", "( never closed"), ""},
		{rec("x.landfall.test", "TXT", strings.Repeat(`"`+strings.Repeat("x", 255)+`" `, 200)), "fill a message"},
		{rec("landfall.test", "SOA", ". . 1 2 3 4 5"), "makes its own"},
		{rec("landfall.test", "TYPE6", `\# 22 00000000000100000002000000030000000400000005`), "makes its own"},
		{rec("landfall.test", "NS", "ns.example.com."), "role dns"},
		{rec("ns.landfall.test", "NS", "ns.example.com."), "give fra"},
		{rec("fra1.ns.landfall.test", "NS", "ns.example.com."), "give fra1.ns.landfall.test away"},
		{rec("chat.landfall.test", "NS", "ns.example.com."), "give chat.landfall.test away"},
		{rec("*.landfall.test", "NS", "ns.example.com."), "wildcard"},
		{rec("ns.landfall.test", "DNAME", "example.com."), "redirect fra1.ns"},
		{rec("x.landfall.test", "DNSKEY", "257 3 13 AAAA"), "are made here"},
		{rec("x.landfall.test", "TYPE255", `\# 0`), ""},
		{rec("x.landfall.test", "TYPE41", `\# 0`), ""},
		{rec("chat.landfall.test", "A", "192.0.2.9"), "is a service"},
		{rec("chat.landfall.test", "HTTPS", "1 ."), "is a service"},
		{rec("chat.landfall.test", "CNAME", "example.com."), "has no other"},
		{rec("landfall.test", "CNAME", "example.com."), "no alias"},
		{rec("fra1.ns.landfall.test", "CNAME", "example.com."), "has no other"},
		{rec("good.landfall.test", "CNAME", "example.com."), "has no other"},
		{rec("alias.landfall.test", "A", "192.0.2.9"), "has no other"},
		{rec("alias.landfall.test", "CNAME", "other.example.com."), "one CNAME"},
	} {
		good := []landfall.Record{rec("good.landfall.test", "A", "192.0.2.7"), rec("alias.landfall.test", "CNAME", "example.com.")}
		z, faults := Build(testMap(append(good, tt.record)...), nil)
		if len(faults) != 1 || !strings.HasPrefix(faults[0].Path, "record[2]") || !strings.Contains(faults[0].Msg, tt.fault) || faults[0].Cure == "" {
			t.Errorf("%.80v: faults %q, want one with %q", tt.record, faults, tt.fault)
		}
		if got := lines(t, z.Domain(), "good.landfall.test"); !slices.Equal(got, []string{"3600 IN A 192.0.2.7"}) {
			t.Errorf("%.80v: the good record became %q", tt.record, got)
		}
	}
}

func TestServicesThatCannotBeNamedAreLeftOut(t *testing.T) {
	m := testMap()
	m.Services = append(m.Services,
		landfall.Service{Host: "www.example.com"}, landfall.Service{Host: "chat.landfall.test"},
		landfall.Service{Host: "fra1.ns.landfall.test"}, landfall.Service{Host: "landfall.test"}, landfall.Service{Host: "a..b"},
		landfall.Service{Host: "fra1.ns", External: true}, landfall.Service{Host: strings.Repeat("long.", 49) + "test", External: true},
		landfall.Service{Host: "www.example.com", External: true}, landfall.Service{Host: "www.example.com.landfall.test"})
	_, faults := Build(m, nil)
	var paths []string
	for _, f := range faults {
		paths = append(paths, f.Path)
	}
	if want := []string{"service[2].host", "service[3].host", "service[4].host", "service[5].host", "service[6].host", "service[7].host", "service[8].host", "service[10].host"}; !slices.Equal(paths, want) {
		t.Errorf("faults at %q, want %q", paths, want)
	}
}

func TestDomainThatIsNoName(t *testing.T) {
	for _, domain := range []string{"", ".", "a..b", strings.Repeat("x", 64) + ".test"} {
		m := testMap()
		m.Domain = domain
		if z, faults := Build(m, nil); z != nil || len(faults) != 1 || faults[0].Path != "domain" {
			t.Errorf("%q: %v, %v", domain, z, faults)
		}
	}
}

func TestNamesThatAreTooLong(t *testing.T) {
	label := strings.Repeat("x", 60)
	m := testMap()
	m.Nodes[0].ID = landfall.NodeID(label + "yyyy")
	z, faults := Build(m, nil)
	if len(faults) != 1 || faults[0].Path != "node[0].id" || z.Domain().SOA().Data == nil {
		t.Errorf("node: faults %q", faults)
	}
	for i := range 40 { // up to the longest domain, and beyond
		m := testMap()
		m.Services, m.Domain = nil, strings.Repeat(label+".", 3)+label[:20+i]+".test"
		z, faults := Build(m, nil)
		if z == nil && len(faults) == 0 {
			t.Errorf("domain of %d characters: no fault", len(m.Domain))
		}
		if z != nil && len(z.Domain().SOA().Data[0]) < 22 {
			t.Errorf("domain of %d characters: SOA %x", len(m.Domain), z.Domain().SOA().Data)
		}
	}
}

func TestChallenges(t *testing.T) {
	long := strings.Repeat("0123456789", 30)
	z, faults := Build(testMap(landfall.Record{Name: "_acme-challenge.other.landfall.test", Type: "CNAME", Data: "example.com."}), map[string][]string{
		"_acme-challenge.chat.landfall.test":  {"one", `quote " and \ and ü`, long, ""},
		"_acme-challenge.example.com":         {"not ours"},
		"_acme-challenge.other.landfall.test": {"in the way"},
	})
	if len(faults) != 2 {
		t.Errorf("faults: %q", faults)
	}
	set, _ := z.Domain().Find(name(t, "_acme-challenge.chat.landfall.test")).Node.Set(dns.TypeTXT)
	var got []string
	for _, d := range set.Data {
		value := ""
		for len(d) > 0 {
			end := 1 + int(d[0])
			value, d = value+string(d[1:end]), d[end:]
		}
		got = append(got, value)
	}
	if want := []string{"one", `quote " and \ and ü`, long, ""}; !slices.Equal(got, want) || set.TTL != 1 {
		t.Errorf("got %q for %d s", got, set.TTL)
	}
}

func TestHTTPSRecord(t *testing.T) {
	v4, v6 := [][]byte{{192, 0, 2, 1}, {192, 0, 2, 2}}, [][]byte{netip.MustParseAddr("2001:db8::1").AsSlice()}
	for _, tt := range []struct {
		port  uint16
		hints Addresses
		want  string
	}{
		{0, Addresses{}, `1 .`},
		{443, Addresses{V4: v4, ALPN: []byte("\x02h2\x08http/1.1")}, `1 . alpn="h2,http/1.1" ipv4hint="192.0.2.1,192.0.2.2"`},
		{8443, Addresses{V4: v4, V6: v6, ALPN: []byte("\x08http/1.1")}, `1 . alpn="http/1.1" port="8443" ipv4hint="192.0.2.1,192.0.2.2" ipv6hint="2001:db8::1"`},
	} {
		m := testMap()
		m.Ports.HTTPS = tt.port
		data := build(t, m).Find(name(t, "chat.landfall.test")).Node.Steered.AppendHTTPS(nil, tt.hints)
		rr, n, err := dns.UnpackRRWithHeader(dns.RR_Header{Name: ".", Rrtype: dns.TypeHTTPS, Rdlength: uint16(len(data))}, data, 0)
		if err != nil || n != len(data) || !strings.HasSuffix(rr.String(), tt.want) {
			t.Errorf("port %d: %v, %v, want %s", tt.port, rr, err, tt.want)
		}
	}
}

// What an HTTPS record names is what every edge in the answer speaks.
func TestProtocolsThatEdgesHaveInCommon(t *testing.T) {
	m := testMap()
	m.Nodes[0].Protocols = []string{"h3", "h2", "http/1.1"}
	m.Nodes[2].State = landfall.Active
	m.Nodes[2].Protocols = []string{"http/1.1", "h3"}
	z := buildAll(t, m)
	for _, tt := range []struct {
		edges []landfall.NodeID
		want  string
	}{
		{nil, ""},
		{[]landfall.NodeID{"fra1"}, "\x02h3\x02h2\x08http/1.1"},
		{[]landfall.NodeID{"fra2"}, "\x02h2\x08http/1.1"}, // says nothing
		{[]landfall.NodeID{"fra1", "fra2"}, "\x02h2\x08http/1.1"},
		{[]landfall.NodeID{"fra3", "fra1"}, "\x08http/1.1\x02h3"},
		{[]landfall.NodeID{"fra1", "fra2", "fra3"}, "\x08http/1.1"},
	} {
		if got := z.ALPN(tt.edges); string(got) != tt.want {
			t.Errorf("%v: %q, want %q", tt.edges, got, tt.want)
		}
	}
	if got := z.Edge("fra3").ALPN; string(got) != "\x08http/1.1\x02h3" {
		t.Errorf("of one edge: %q", got)
	}
}
