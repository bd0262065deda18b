package zone

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"landfall"

	"github.com/miekg/dns"
)

// records reads lines NAME TYPE DATA.
func records(lines ...string) (out []landfall.Record) {
	for _, l := range lines {
		w := strings.SplitN(l, " ", 3)
		out = append(out, landfall.Record{Name: w[0], Type: w[1], Data: w[2]})
	}
	return out
}

// severalZones is a map with zones beside its domain's, one within that, and
// one within another.
func severalZones() *landfall.Map {
	m := testMap()
	m.Zones = []landfall.Zone{
		{Name: "example.org", Records: records(
			"example.org SOA ns1.example.org. keeper.example.org. 2026112200 7200 900 1209600 300",
			"example.org NS ns1.example.org.", "example.org NS ns2.example.net.",
			"ns1.example.org A 192.0.2.1", "www.example.org A 198.51.100.1",
		)},
		{Name: "sub.landfall.test"},
		{Name: "a.example.org", Records: records("a.example.org MX 10 mail.a.example.org.")},
		{Name: "landfall.test", Records: records("extra.landfall.test A 198.51.100.2")},
	}
	m.Services = append(m.Services, landfall.Service{Host: "example.org", Upstream: "chat"}, landfall.Service{Host: "x.sub.landfall.test", Upstream: "chat"})
	m.Records = records("mail.a.example.org A 198.51.100.3", "_x.example.org TXT there", "b.sub.landfall.test CNAME c")
	return m
}

func TestNamesBelongToTheClosestZone(t *testing.T) {
	z := buildAll(t, severalZones())
	var apexes []string
	for _, zone := range z.All() {
		apexes = append(apexes, zone.Apex.String())
	}
	if want := []string{"example.org", "a.example.org", "landfall.test", "sub.landfall.test"}; !slices.Equal(apexes, want) {
		t.Errorf("zones %q, want %q", apexes, want)
	}
	for host, want := range map[string]string{
		"example.org": "example.org", "www.example.org": "example.org", "xa.example.org": "example.org", "a.example.org": "a.example.org", "x.y.a.example.org": "a.example.org",
		"landfall.test": "landfall.test", "sub.landfall.test": "sub.landfall.test", "x.sub.landfall.test": "sub.landfall.test", "test": "", "org": "", ".": "", "example.net": "",
	} {
		if got := z.Of(name(t, host)); (got == nil) != (want == "") || got != nil && got.Apex.String() != want {
			t.Errorf("%s: %v, want %q", host, got, want)
		}
	}
	// RFC 4035, 3.1.4.1: a DS record stands above.
	for host, want := range map[string]string{"a.example.org": "example.org", "sub.landfall.test": "landfall.test", "example.org": "example.org", "x.a.example.org": "a.example.org"} {
		if got := z.For(z.Of(name(t, host)), name(t, host), dns.TypeDS).Apex.String(); got != want {
			t.Errorf("DS of %s is asked of %s, want %s", host, got, want)
		}
		if got := z.For(z.Of(name(t, host)), name(t, host), dns.TypeA); got != z.Of(name(t, host)) {
			t.Errorf("A of %s is asked of %s", host, got.Apex)
		}
	}
	if z.Domain().Apex.String() != "landfall.test" {
		t.Errorf("the domain is %s", z.Domain().Apex)
	}
}

func TestWhatIsInWhichZone(t *testing.T) {
	z := buildAll(t, severalZones())
	of := func(host string) *Zone { return z.Of(name(t, host)) }
	for host, want := range map[string][]string{
		"example.org": {
			"3600 IN NS ns1.example.org.", "3600 IN NS ns2.example.net.",
			"3600 IN SOA ns1.example.org. keeper.example.org. 2026112207 7200 900 1209600 300", // the map's serial is added
		},
		"a.example.org": {
			"3600 IN NS fra1.ns.landfall.test.", "3600 IN SOA fra1.ns.landfall.test. hostmaster.a.example.org. 7 3600 600 604800 30", "3600 IN MX 10 mail.a.example.org.",
		},
		"mail.a.example.org":    {"3600 IN A 198.51.100.3"},
		"_x.example.org":        {`3600 IN TXT "there"`},
		"extra.landfall.test":   {"3600 IN A 198.51.100.2"},
		"b.sub.landfall.test":   {"3600 IN CNAME c.sub.landfall.test."},
		"fra1.ns.landfall.test": {"3600 IN A 192.0.2.1", "3600 IN A 192.0.2.11", "3600 IN AAAA 2001:db8::1"},
	} {
		if got := lines(t, of(host), host); !slices.Equal(got, want) {
			t.Errorf("%s:\n got %q\nwant %q", host, got, want)
		}
	}
	for _, host := range []string{"example.org", "x.sub.landfall.test", "landfall.test"} {
		if of(host).Find(name(t, host)).Node.Steered == nil {
			t.Errorf("%s is no service", host)
		}
	}
	// The zones above delegate, with the name servers of the zone below.
	m := z.Of(name(t, "example.org")).Find(name(t, "x.a.example.org"))
	if m.Kind != Delegated || m.Cut.Name.String() != "a.example.org" || len(m.Cut.NS.Data) != 1 || len(m.Cut.Glue) != 2 {
		t.Errorf("a.example.org in example.org: %+v", m)
	}
	if glue := z.Of(name(t, "a.example.org")).Find(name(t, "a.example.org")).Node.Glue; len(glue) != 2 {
		t.Errorf("addresses of name servers in another zone of ours: %v", glue)
	}
}

func TestFilesThatDoNotNameOurServers(t *testing.T) {
	notes := func(change func(*landfall.Map)) (out []string) {
		m := severalZones()
		change(m)
		for _, n := range buildAll(t, m).Notes() {
			out = append(out, n.Path+": "+n.Msg)
		}
		return out
	}
	// ns1.example.org has an address of fra1, and fra2 is not listed.
	if got := notes(func(*landfall.Map) {}); got != nil {
		t.Errorf("notes %q", got)
	}
	want := []string{"zone[0].record[1]: the NS records of example.org do not name fra2.ns.landfall.test, which answers for it"}
	if got := notes(func(m *landfall.Map) { m.Nodes[1].State = landfall.Active }); !slices.Equal(got, want) {
		t.Errorf("notes %q, want %q", got, want)
	}
}

func TestRecordsOfFilesThatCannotBeServedAreLeftOut(t *testing.T) {
	for _, tt := range []struct{ record, fault string }{
		{"example.org CNAME example.com.", "no alias"},
		{"example.org SOA ns1.example.org. h.example.org. 1 2 3 4 5", "two SOA"},
		{"x.example.org SOA ns1.example.org. h.example.org. 1 2 3 4 5", "only the top"},
		{"example.net A 192.0.2.1", "not a name of the zone"},
		{"example.org NS none.example.org.", "no address in the zone"},
		{"d.example.org NS ns.d.example.org.", "no address in the zone"},
		{"d.example.org NS ns.landfall.test.", "no address in the zone"},
		{"d.example.org NS alias.example.org.", "no address in the zone"},
		{"example.org NS ns.cut.example.org.", "no address in the zone"},
		{"d.example.org DS 1 13 200 00", "where a zone is delegated"},
		{"example.org DS 1 13 200 00", "where a zone is delegated"},
		{"x.cut.example.org TXT x", "cut.example.org is delegated"},
		{"cut.example.org TXT x", "cut.example.org is delegated"},
		{"x.cut.example.org A 192.0.2.1", "not the address of a name server"},
		{"x.cut.example.org NS ns.example.net.", "cut.example.org is delegated"},
		{"*.cut.example.org CNAME example.net.", "cut.example.org is delegated"},
		{"x.a.example.org TXT x", "a zone of its own"},
		{"a.example.org MX 10 example.net.", "a zone of its own"},
		{"a.example.org DNAME example.net.", "a zone of its own"},
		{"x.red.example.org A 192.0.2.1", "red.example.org is redirected"},
		{"red.example.org DNAME example.com.", "one DNAME"},
		{"red.example.org CNAME example.com.", "has no other"},
		{"red.example.org NS ns.example.net.", "red.example.org is redirected"},
		{"*.example.org DNAME example.com.", "wildcard"},
		{"circle.example.org DNAME x.circle", "which it redirects"},
		{"circle.example.org DNAME circle", "which it redirects"},
		{"alias.example.org DNAME example.com.", "has no other"},
		{"example.org DNAME example.com.", "it would redirect"},
		{"example.org A 192.0.2.1", "is a service"},
		{"x.example.org NSEC3PARAM 1 0 0 -", "are made here"},
	} {
		m := severalZones()
		m.Zones[0].Records = append(m.Zones[0].Records, records(
			"cut.example.org NS ns.example.net.", "red.example.org DNAME example.net.", "alias.example.org CNAME example.net.", tt.record)...)
		_, faults := Build(m, nil)
		// The order of what is placed may put the blame on the other of two.
		if len(faults) != 1 || !strings.HasPrefix(faults[0].Path, "zone[0].record[") || !strings.Contains(faults[0].Msg, tt.fault) || faults[0].Cure == "" {
			t.Errorf("%s: faults %q, want one with %q", tt.record, faults, tt.fault)
		}
	}
}

func TestRecordsThatMeanNothingAreFaults(t *testing.T) {
	for _, tt := range []struct{ record, fault string }{
		{"x.example.org CNAME x", "an alias of itself"},
		{"x.example.org CNAME X.example.org.", "an alias of itself"},
		{"x.example.org CNAME https://example.com/", "is a URL"},
		{"x.example.org MX 10 192.0.2.1", "is an address"},
		{"x.example.org MX 10 192.0.2.1.", "is an address"},
		{"x.example.org SRV 0 0 80 2001:db8::1", "is an address"},
		{"x.example.org NS 2001:db8::1.", "is an address"},
		{"x.example.org DS 1 13 2 abcd", "4 hexadecimal digits, and 64"},
		{"x.example.org TLSA 3 1 1 abcd", "4 hexadecimal digits, and 64"},
		{"x.example.org TLSA 3 1 2 abcd", "4 hexadecimal digits, and 128"},
		{"x.example.org SSHFP 4 1 abcd", "4 hexadecimal digits, and 40"},
	} {
		m := severalZones()
		m.Zones[0].Records = append(m.Zones[0].Records, records(tt.record)...)
		if _, faults := Build(m, nil); len(faults) != 1 || !strings.Contains(faults[0].Msg, tt.fault) || faults[0].Cure == "" {
			t.Errorf("%s: faults %q, want one with %q", tt.record, faults, tt.fault)
		}
	}
	for _, fine := range []string{"x.example.org MX 0 .", "x.example.org TLSA 3 1 0 abcd", "x.example.org CNAME 1.192.in-addr.arpa.", "x.example.org PTR x", "x.example.org CNAME 10.0/25.example.com."} {
		m := severalZones()
		m.Zones[0].Records = append(m.Zones[0].Records, records(fine)...)
		if _, faults := Build(m, nil); len(faults) > 0 {
			t.Errorf("%s: faults %q", fine, faults)
		}
	}
}

func TestAliasesThatRecordsLeadToAreNoted(t *testing.T) {
	m := severalZones()
	before := len(m.Zones[0].Records)
	m.Zones[0].Records = append(m.Zones[0].Records, records(
		"alias.example.org CNAME www.example.com.", "x.example.org MX 10 alias", "_sip._udp.example.org SRV 0 0 5060 Alias", "x.example.org MX 20 mail.example.com.", "y.example.org PTR alias")...)
	var got []string
	for _, n := range buildAll(t, m).Notes() {
		got = append(got, n.Path+": "+n.Msg)
	}
	want := []string{
		fmt.Sprintf("zone[0].record[%d]: x.example.org MX leads to alias.example.org, which is a CNAME (RFC 2181, 10.3)", before+1),
		fmt.Sprintf("zone[0].record[%d]: _sip._udp.example.org SRV leads to alias.example.org, which is a CNAME (RFC 2181, 10.3)", before+2),
	}
	if !slices.Equal(got, want) {
		t.Errorf("notes %q, want %q", got, want)
	}
}

func TestZonesThatCannotBe(t *testing.T) {
	m := testMap()
	m.Zones = []landfall.Zone{
		{Name: "example.org"}, {Name: "example.org"}, {Name: ""}, {Name: "."}, {Name: "a..b"}, {Name: "*.example.org"}, {Name: strings.Repeat("long.", 49) + "test"}, {Name: "landfall.test"}, {Name: "landfall.test"},
	}
	z, faults := Build(m, nil)
	var paths []string
	for _, f := range faults {
		paths = append(paths, f.Path)
	}
	if want := []string{"zone[1].name", "zone[2].name", "zone[3].name", "zone[4].name", "zone[5].name", "zone[6].name", "zone[8].name"}; !slices.Equal(paths, want) || len(z.All()) != 2 {
		t.Errorf("faults at %q, want %q; %d zones", paths, want, len(z.All()))
	}
}

func TestChallengesInEveryZone(t *testing.T) {
	z, faults := Build(severalZones(), map[string][]string{"_acme-challenge.www.example.org": {"one"}, "_acme-challenge.x.sub.landfall.test": {"two"}})
	if len(faults) > 0 {
		t.Error(faults)
	}
	for host, want := range map[string]string{"_acme-challenge.www.example.org": `1 IN TXT "one"`, "_acme-challenge.x.sub.landfall.test": `1 IN TXT "two"`} {
		if got := lines(t, z.Of(name(t, host)), host); !slices.Equal(got, []string{want}) {
			t.Errorf("%s: %q", host, got)
		}
	}
}

func TestRedirections(t *testing.T) {
	z := build(t, testMap(records("red.landfall.test DNAME example.net.", "red.landfall.test TXT beside", "long.landfall.test DNAME "+strings.Repeat("x123456789.", 20))...))
	m := z.Find(name(t, "a.b.red.landfall.test"))
	if m.Kind != Redirected || m.Encloser.String() != "red.landfall.test" {
		t.Fatalf("%+v", m)
	}
	if cname, ok := m.Redirect(name(t, "a.b.red.landfall.test")); !ok || cname.TTL != 3600 || Lower(cname.Data[0]).String() != "a.b.example.net" {
		t.Errorf("%v %t", cname, ok)
	}
	if m := z.Find(name(t, "red.landfall.test")); m.Kind != Found || len(m.Node.Sets) != 2 {
		t.Errorf("the name itself is not redirected (RFC 6672, 2.3): %+v", m)
	}
	for labels, want := range map[int]bool{3: true, 4: false} { // 221 bytes and 11 for each
		host := strings.Repeat("y123456789.", labels) + "long.landfall.test"
		m := z.Find(name(t, host))
		if cname, ok := m.Redirect(name(t, host)); m.Kind != Redirected || ok != want || ok && len(cname.Data[0]) > 255 {
			t.Errorf("%d labels: %t", labels, ok)
		}
	}
}

// RFC 4592, 2.2.1, with its names.
func TestWildcardsOfRFC4592(t *testing.T) {
	m := testMap()
	m.Zones = []landfall.Zone{{Name: "example", Records: records(
		"*.example TXT wild", "*.example MX 10 host1.example.", `sub.*.example TXT "not a wildcard"`, "host1.example A 192.0.2.1", "_ssh._tcp.host1.example SRV 0 0 22 host1.example.",
		"_ssh._tcp.host2.example SRV 0 0 22 host1.example.", "subdel.example NS ns.example.com.", "*.alias.example CNAME host1.example.",
	)}}
	z := buildAll(t, m).Of(name(t, "example"))
	for _, tt := range []struct {
		host             string
		kind             Kind
		encloser, source string
	}{
		{"host3.example", Found, "example", "*.example"},
		{"foo.bar.example", Found, "example", "*.example"},
		{"host1.example", Found, "host1.example", ""},
		{"sub.*.example", Found, "sub.*.example", ""},
		{"_telnet._tcp.host1.example", Missing, "_tcp.host1.example", ""},
		{"host.subdel.example", Delegated, "subdel.example", ""},
		{"ghost.*.example", Missing, "*.example", ""},
		{"*.example", Found, "*.example", ""},
		{"x.sub.*.example", Missing, "sub.*.example", ""},
		{"host2.example", Found, "host2.example", ""}, // only others below it
		{"x.alias.example", Found, "alias.example", "*.alias.example"},
		{"alias.example", Found, "alias.example", ""},
	} {
		m := z.Find(name(t, tt.host))
		source := ""
		if m.Source != "" {
			source = m.Source.String()
		}
		if m.Kind != tt.kind || m.Encloser.String() != tt.encloser || source != tt.source {
			t.Errorf("%s: kind %d, encloser %s, source %q", tt.host, m.Kind, m.Encloser, source)
		}
	}
}

// RFC 4034, 6.1, with its names.
func TestCanonicalOrder(t *testing.T) {
	want := []string{"example", "a.example", "yljkjljk.a.example", "Z.a.example", "zABC.a.EXAMPLE", "z.example", `\001.z.example`, "*.z.example", `\200.z.example`}
	var names []Name
	for _, w := range want {
		names = append(names, name(t, w))
	}
	shuffled := slices.Clone(names)
	rand.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	slices.SortFunc(shuffled, Name.Compare)
	if !slices.Equal(shuffled, names) {
		t.Errorf("got %q", shuffled)
	}
	for _, z := range buildAll(t, severalZones()).All() {
		if n := z.Names(); !slices.IsSortedFunc(n, Name.Compare) || n[0] != z.Apex {
			t.Errorf("names of %s: %v", z.Apex, n)
		}
	}
}

// TestFindAgreesWithTheRules holds Find against the words of RFC 1034, 4.3.2
// and RFC 4592, over zones that chance makes.
func TestFindAgreesWithTheRules(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	label := func() string { return []string{"a", "b", "*", "c"}[r.IntN(4)] }
	host := func() string {
		out := "example"
		for range r.IntN(4) {
			out = label() + "." + out
		}
		return out
	}
	for range 300 {
		m := testMap()
		m.Zones = []landfall.Zone{{Name: "example"}}
		for range r.IntN(8) {
			data := []string{"TXT x", "TXT x", "NS ns.example.net.", "DNAME example.net."}[r.IntN(4)]
			m.Zones[0].Records = append(m.Zones[0].Records, records(host()+" "+data)...)
		}
		zones, _ := Build(m, nil)
		z := zones.Of(name(t, "example"))
		for range 50 {
			n := name(t, host())
			if got, want := z.Find(n), naive(z, n); got.Kind != want.Kind || got.Node != want.Node || got.Encloser != want.Encloser || got.Source != want.Source {
				t.Fatalf("%s in %v: %+v, want %+v", n, m.Zones[0].Records, got, want)
			}
		}
	}
}

// naive goes down from the apex, label by label.
func naive(z *Zone, n Name) Match {
	var path []Name
	for at := n; ; at = at.parent() {
		path = append(path, at)
		if at == z.Apex {
			break
		}
	}
	slices.Reverse(path)
	encloser := z.Apex
	for _, at := range path {
		node := z.nodes[at]
		if node == nil {
			break
		}
		encloser = at
		if _, cut := node.Set(dns.TypeNS); cut && at != z.Apex {
			if at == n {
				return Match{Kind: Delegated, Node: node, Encloser: at}
			}
			return Match{Kind: Delegated, Encloser: deepest(z, path)}
		}
		if _, red := node.Set(dns.TypeDNAME); red && at != n {
			return Match{Kind: Redirected, Node: node, Encloser: at}
		}
	}
	if encloser == n {
		return Match{Kind: Found, Node: z.nodes[n], Encloser: n}
	}
	wild := Name("\x01*") + encloser
	if node := z.nodes[wild]; node != nil {
		return Match{Kind: Found, Node: node, Encloser: encloser, Source: wild}
	}
	return Match{Kind: Missing, Encloser: encloser}
}

func deepest(z *Zone, path []Name) (out Name) {
	for _, at := range path {
		if z.nodes[at] != nil {
			out = at
		}
	}
	return out
}

// BenchmarkBuild is of what a change of challenges costs with the most records
// that a map can hold.
func BenchmarkBuild(b *testing.B) {
	m := testMap()
	m.Zones = []landfall.Zone{{Name: "example.org"}}
	for i := range landfall.MaxRecords {
		m.Zones[0].Records = append(m.Zones[0].Records, landfall.Record{Name: fmt.Sprintf("host%d.example.org", i), Type: "A", Data: "192.0.2.1"})
	}
	for b.Loop() {
		if _, faults := Build(m, nil); len(faults) > 0 {
			b.Fatal(faults)
		}
	}
}
