package doctor

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"landfall"

	"github.com/miekg/dns"
)

func TestDelegationThatIsRight(t *testing.T) {
	w := newTown(t)
	expect(t, "delegation", w.run(t, "delegation"),
		"ok example.com delegates edge.example.com to fra1.ns.edge.example.com, nyc1.ns.edge.example.com",
		"ok resolvers send users of app.edge.example.com",
		"ok resolvers send users of www.shop.example.edge.example.com")
	expect(t, "name servers", w.run(t, "name servers"),
		"ok name server fra1 answers at 127.0.0.11 from map 7",
		"ok name server nyc1 answers at 127.0.0.12 from map 7",
		"warn resolvers ask on 53 alone | leave out [ports] dns")
	expect(t, "aliases", w.run(t, "aliases"), "ok www.shop.example is an alias of www.shop.example.edge.example.com")
}

func TestDelegationThatIsWrong(t *testing.T) {
	w := newTown(t)
	lines := "in the zone of example.com, write:\n" +
		"edge.example.com. 3600 IN NS fra1.ns.edge.example.com.\n" +
		"edge.example.com. 3600 IN NS nyc1.ns.edge.example.com.\n" +
		"fra1.ns.edge.example.com. 3600 IN A 127.0.0.11\n" +
		"nyc1.ns.edge.example.com. 3600 IN A 127.0.0.12"
	w.set("edge.example.com NS")
	expect(t, "none", w.run(t, "delegation"), "fail edge.example.com is not delegated: example.com does not know it | "+lines)
	w.delegate("ns1.other.example", "ns2.other.example 203.0.113.9")
	expect(t, "elsewhere", w.run(t, "delegation"), "fail delegated elsewhere: to ns1.other.example, ns2.other.example | in place of that, "+lines)
	w.delegate("fra1.ns.edge.example.com 127.0.0.11")
	expect(t, "one missing", w.run(t, "delegation"),
		"warn nyc1.ns.edge.example.com is missing from the delegation | add:\nedge.example.com. 3600 IN NS nyc1.ns.edge.example.com.\nnyc1.ns.edge.example.com. 3600 IN A 127.0.0.12",
		"ok of app.edge.example.com", "ok of www.shop.example.edge.example.com")
	w.delegate("fra1.ns.edge.example.com 127.0.0.11", "nyc1.ns.edge.example.com 127.0.0.12", "old.ns.edge.example.com 127.0.0.13")
	expect(t, "one too many", w.run(t, "delegation"), "fail delegated to old.ns.edge.example.com too | delete:\nedge.example.com. 3600 IN NS old.ns.edge.example.com.")
	w.delegate("fra1.ns.edge.example.com 127.0.0.11 203.0.113.9", "nyc1.ns.edge.example.com")
	expect(t, "glue", w.run(t, "delegation"),
		"fail example.com gives fra1.ns.edge.example.com the address 203.0.113.9, which it has not | delete:\nfra1.ns.edge.example.com. 3600 IN A 203.0.113.9",
		"fail delegated to nyc1.ns.edge.example.com without its address 127.0.0.12 | add:\nnyc1.ns.edge.example.com. 3600 IN A 127.0.0.12")
	w.delegate("fra1.ns.edge.example.com 127.0.0.11", "nyc1.ns.edge.example.com 127.0.0.12")
	w.set("edge.example.com DS", "edge.example.com. 60 IN DS 1 13 2 aabb")
	expect(t, "signed", w.run(t, "delegation"), "fail has DS records there, but is not signed | delete the DS records of edge.example.com.")
	w.set("edge.example.com DS")
	w.set("edge.example.com SOA", "SERVFAIL")
	expect(t, "resolver", w.run(t, "delegation"),
		"ok example.com delegates", "fail resolvers find nothing of edge.example.com | dig +trace edge.example.com SOA")
	w.set("example.com NS", "SERVFAIL")
	expect(t, "no parent", w.run(t, "delegation"), "fail the zone above edge.example.com cannot be found | --resolver")
}

func TestZonesBesideTheDomain(t *testing.T) {
	w := newTown(t)
	w.cfg.Map.Zones = []landfall.Zone{{Name: "shop.example.org"}, {Name: "edge.example.com", Records: []landfall.Record{{Name: "edge.example.com", Type: "SOA", Data: "ns.example.net. h.example.net. 2026112200 1 2 3 4"}}}}
	for _, s := range w.servers {
		s.SetMap(w.cfg.Map)
	}
	others := []string{"ok example.com delegates", "", "ok of app.edge.example.com", "ok of www.shop.example.edge.example.com"}
	with := func(line string) []string { others[1] = line; return others }
	lines := "in the zone above shop.example.org, write:\nshop.example.org. 3600 IN NS fra1.ns.edge.example.com.\nshop.example.org. 3600 IN NS nyc1.ns.edge.example.com."
	expect(t, "none", w.run(t, "delegation"), with("fail shop.example.org is not delegated to the network's name servers | "+lines)...)
	w.set("shop.example.org NS", "shop.example.org. 60 IN NS ns1.other.example.")
	expect(t, "elsewhere", w.run(t, "delegation"), with("fail resolvers ask ns1.other.example for shop.example.org | "+lines)...)
	w.set("ns1.other.example A", "ns1.other.example. 60 IN A 127.0.0.12")
	expect(t, "by another name", w.run(t, "delegation"), with("ok resolvers ask the network's name servers for shop.example.org")...)
	w.set("shop.example.org NS", "shop.example.org. 60 IN NS fra1.ns.edge.example.com.")
	expect(t, "by its name", w.run(t, "delegation"), with("ok resolvers ask the network's name servers for shop.example.org")...)
	w.set("shop.example.org NS", "SERVFAIL")
	expect(t, "silence", w.run(t, "delegation"), with("fail resolvers find nothing of the zone shop.example.org | "+lines)...)
	expect(t, "serials", w.run(t, "name servers"), "ok name server fra1 answers at 127.0.0.11 from map 7", "ok name server nyc1 answers at 127.0.0.12 from map 7", "warn resolvers ask on 53 alone")
}

// A zone cut may be any number of labels above the domain.
func TestParentSeveralLabelsAbove(t *testing.T) {
	w := newTown(t)
	w.cfg.Map.Domain = "eu.edge.of.example.com"
	for i := range w.cfg.Map.Services {
		w.cfg.Map.Services[i].Host = strings.ReplaceAll(w.cfg.Map.Services[i].Host, "edge.example.com", "eu.edge.of.example.com")
	}
	expect(t, "none", w.run(t, "delegation"), "fail eu.edge.of.example.com is not delegated: example.com does not know it | eu.edge.of.example.com. 3600 IN NS fra1.ns.eu.edge.of.example.com.")
}

func TestParentServersThatDisagree(t *testing.T) {
	m := testMap()
	good := map[string][]netip.Addr{"fra1.ns.edge.example.com": {addr("127.0.0.11")}, "nyc1.ns.edge.example.com": {addr("127.0.0.12")}}
	expect(t, "one behind", judgeDelegation(m, "example.com", []told{
		{server: "ns1.example.com", ns: good}, {server: "ns2.example.com", ns: map[string][]netip.Addr{}},
	}), "fail edge.example.com is not delegated: example.com does not know it (so says ns2.example.com, not the others)")
	expect(t, "one dead", judgeDelegation(m, "example.com", []told{
		{server: "ns1.example.com", ns: good}, {server: "ns2.example.com", err: errLame},
	}), "warn does not say anything of edge.example.com | ask whoever keeps example.com")
	expect(t, "serves both", judgeDelegation(m, "", []told{
		{server: "ns1.example.com", local: true, ns: map[string][]netip.Addr{"fra1.ns.edge.example.com": nil, "nyc1.ns.edge.example.com": nil}},
	}), "ok the root delegates edge.example.com")
	m.Nodes[0].Roles, m.Nodes[1].Roles = nil, nil
	expect(t, "nobody", judgeDelegation(m, "example.com", nil), `fail no node has the role "dns" | landfall invite`)
}

func TestNameServersThatAreBehindOrSilent(t *testing.T) {
	w := newTown(t)
	behind := w.cfg.Map.Clone()
	behind.Serial = 5
	w.servers[1].SetMap(behind)
	expect(t, "behind", w.run(t, "name servers"), "ok name server fra1", "warn name server nyc1 still answers from map 5; 7 is the newest | on nyc1:", "warn port")
	ahead := w.cfg.Map.Clone()
	ahead.Serial = 9
	w.servers[1].SetMap(ahead)
	expect(t, "ahead", w.run(t, "name servers"), "ok name server fra1", "warn name server nyc1 answers from map 9, and this node knows only 7 | landfall status", "warn port")
	foreign := w.cfg.Map.Clone()
	foreign.Domain, foreign.Services = "other.example", nil
	w.servers[1].SetMap(foreign)
	expect(t, "lame", w.run(t, "name servers"), "ok name server fra1", "fail name server nyc1: 127.0.0.12:", "warn port")
	places := []served{{node: "fra1", at: netip.MustParseAddrPort("192.0.2.1:53"), err: errLame}}
	expect(t, "ourselves", judgeServed(testMap(), "fra1", places), "warn cannot ask itself | reach")
	expect(t, "another", judgeServed(testMap(), "nyc1", places), "fail name server fra1 | on fra1: ufw allow 53")
}

// That this server has no way to IPv6 is no fault of others.
func TestNameServersOfAFamilyThatWeHaveNot(t *testing.T) {
	noRoute := fmt.Errorf("does not answer: %w", &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ENETUNREACH)})
	places := []served{
		{node: "fra1", at: netip.MustParseAddrPort("192.0.2.1:53"), serial: 7},
		{node: "fra1", at: netip.MustParseAddrPort("[2001:db8::1]:53"), err: noRoute},
		{node: "nyc1", at: netip.MustParseAddrPort("192.0.2.2:53"), serial: 7},
		{node: "nyc1", at: netip.MustParseAddrPort("[2001:db8::2]:53"), err: noRoute},
	}
	m := testMap()
	expect(t, "we have none", judgeServed(m, "fra1", places), "ok fra1 answers", "ok nyc1 answers",
		"ok this server has no IPv6: name servers are not asked at 2001:db8::1, 2001:db8::2")
	m.Nodes[0].Advertised = append(m.Nodes[0].Advertised, addr("2001:db8::1"))
	expect(t, "we should have", judgeServed(m, "fra1", places), "ok fra1 answers", "ok nyc1 answers",
		"warn no way to IPv6 addresses, although the map gives it 2001:db8::1; not asked: 2001:db8::1, 2001:db8::2 | ip -6 route")
	places[2].err, places[3].err = noRoute, errLame
	expect(t, "another fault", judgeServed(m, "fra1", places), "ok fra1 answers", "fail name server nyc1 | on nyc1", "fail name server nyc1 | on nyc1", "warn not asked: 2001:db8::1")
}

func TestAliases(t *testing.T) {
	w := newTown(t)
	w.cfg.Map.ACME.Agreed = true
	const alias = "ok www.shop.example is an alias of www.shop.example.edge.example.com"
	expect(t, "no challenges", w.run(t, "aliases"), alias,
		"fail _acme-challenge.www.shop.example does not lead to us | write:\n_acme-challenge.www.shop.example. 300 IN CNAME _acme-challenge.www.shop.example.edge.example.com.")
	w.set("_acme-challenge.www.shop.example CNAME", "_acme-challenge.www.shop.example. 60 IN CNAME _ACME-challenge.www.shop.example.edge.example.com.")
	expect(t, "both", w.run(t, "aliases"), alias, "ok _acme-challenge.www.shop.example is an alias of")
	w.cfg.Map.ACME.Agreed = false
	for when, tt := range map[string]struct{ record, want string }{
		"elsewhere": {"CNAME www.shop.example. 60 IN CNAME old.example.", "fail is an alias of old.example | in place of that:\nwww.shop.example. 300 IN CNAME www.shop.example.edge.example.com."},
		"flattened": {"A www.shop.example. 60 IN A 127.0.0.12", "warn has addresses of edges in place of an alias | if its zone can have it"},
		"other":     {"A www.shop.example. 60 IN A 203.0.113.9", "fail www.shop.example does not lead to us | in its zone, write:\nwww.shop.example. 300 IN CNAME"},
		"apex":      {"SOA www.shop.example. 60 IN SOA a.example. b.example. 1 1 1 1 1", "fail is the top of a zone | ALIAS"},
		"failing":   {"CNAME SERVFAIL", "fail do not tell where www.shop.example leads | --resolver"},
	} {
		w.set("www.shop.example CNAME")
		rrtype, line, _ := strings.Cut(tt.record, " ")
		w.set("www.shop.example "+rrtype, line)
		expect(t, when, w.run(t, "aliases"), tt.want)
		w.set("www.shop.example " + rrtype)
	}
}

func TestCAA(t *testing.T) {
	w := newTown(t)
	judge := func(names ...string) []Finding {
		p := &patient{Config: w.cfg, ask: asker{port: w.cfg.dnsPort}, acme: authority{asked: true, names: names}}
		n := notes{check: "caa"}
		p.caa(t.Context(), &n)
		return n.list
	}
	const line = "[[record]]\nname = \"edge.example.com\"\ntype = \"CAA\"\ndata = '0 issue \"ca.example\"'"
	expect(t, "none", judge("ca.example"), "ok no CAA record")
	w.set("example.com CAA", `example.com. 60 IN CAA 0 issue "other.example; policy=ev"`, `example.com. 60 IN CAA 0 iodef "mailto:a@b.example"`)
	expect(t, "forbidden", judge("ca.example"), "fail the CAA records of example.com let only other.example sign for app.edge.example.com, not ca.example | "+line)
	expect(t, "nameless", judge(), "warn does not tell by which name it goes | dig CAA example.com")
	w.set("edge.example.com CAA", `edge.example.com. 60 IN CAA 0 issue "CA.example"`)
	expect(t, "closer", judge("ca.example"), "ok no CAA record")
	w.set("shop.example CAA", `shop.example. 60 IN CAA 0 issue ";"`)
	expect(t, "external", judge("ca.example"), "fail the CAA records of shop.example let only nobody sign for www.shop.example | name = \"www.shop.example.edge.example.com\"")
	w.set("edge.example.com CAA", "SERVFAIL")
	expect(t, "unknown", judge("ca.example"), "warn nobody can tell who may sign for app.edge.example.com | dig CAA", "fail www.shop.example")
	for text, want := range map[string]bool{
		`0 issue "ca.example"`: true, `0 issue " ca.example ; x=y"`: true, `0 issue "xca.example"`: false, `0 issue ";"`: false,
		`0 issuewild "other.example"`: true, `0 iodef "mailto:x"`: true, `128 tbs "x"`: false, `0 tbs "x"`: true,
	} {
		rr, err := dns.NewRR("example.com. CAA " + text)
		if err != nil {
			t.Fatal(err)
		}
		if got := permits([]*dns.CAA{rr.(*dns.CAA)}, []string{"ca.example"}); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

func TestResolversOfAFile(t *testing.T) {
	text := "# resolv.conf\nsearch example.com\nnameserver 192.0.2.53\nnameserver fe80::1%eth0\n nameserver\t2001:db8::53  # second\nnameserver\nnameserver here\noptions timeout:1\n; nameserver 192.0.2.1\n"
	var got []string
	for _, r := range ParseResolvers(text) {
		got = append(got, r.String())
	}
	if want := []string{"192.0.2.53:53", "[fe80::1%eth0]:53", "[2001:db8::53]:53"}; !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestLinesOfAParentInBothFamilies(t *testing.T) {
	m := testMap()
	m.Nodes[0].Advertised = []netip.Addr{addr("::ffff:192.0.2.1"), addr("2001:db8::1")}
	m.Nodes[1].State = landfall.Draining
	want := "edge.example.com. 3600 IN NS fra1.ns.edge.example.com.\nfra1.ns.edge.example.com. 3600 IN A 192.0.2.1\nfra1.ns.edge.example.com. 3600 IN AAAA 2001:db8::1"
	if got := parentLines(m); got != want {
		t.Errorf("got\n%s", got)
	}
}
