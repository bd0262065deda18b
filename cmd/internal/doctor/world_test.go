package doctor

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"landfall"
	"landfall/geodns"

	"github.com/miekg/dns"
)

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

// testMap has two nodes, both edges and name servers, at loopback addresses.
func testMap() *landfall.Map {
	return &landfall.Map{
		Network: "shop", Domain: "edge.example.com", Serial: 7,
		Regions: []landfall.Region{
			{ID: "fra", Place: landfall.Place{Lat: 50.11, Lon: 8.68}, Home: true},
			{ID: "nyc", Place: landfall.Place{Lat: 40.71, Lon: -74.01}},
		},
		Nodes: []landfall.Node{
			{ID: "fra1", Region: "fra", Roles: landfall.Roles(), Advertised: []netip.Addr{addr("127.0.0.11")}, Endpoints: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.11:51820")}},
			{ID: "nyc1", Region: "nyc", Roles: []landfall.Role{landfall.RoleEdge, landfall.RoleDNS}, Advertised: []netip.Addr{addr("127.0.0.12")}, Endpoints: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.12:51820")}},
			{ID: "sin1", Region: "nyc", Roles: []landfall.Role{landfall.RoleEdge, landfall.RoleDNS}, State: landfall.Invited},
		},
		Services: []landfall.Service{
			{Host: "app.edge.example.com", Upstream: landfall.UpstreamChat},
			{Host: "www.shop.example", External: true, Upstream: landfall.UpstreamChat},
		},
	}
}

// records answer questions: by "name TYPE", in master file form, or one word,
// the name of an rcode. Names that are not in it do not exist.
type records map[string][]string

// zones is a set of records that tests change while servers answer from it.
type zones struct {
	t  *testing.T
	mu sync.Mutex
	r  records
}

func (z *zones) set(key string, lines ...string) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.r[key] = lines
}

func (z *zones) lookup(name string, rrtype uint16) (lines []string, exists bool) {
	z.mu.Lock()
	defer z.mu.Unlock()
	name = bare(name)
	for key := range z.r {
		exists = exists || strings.HasPrefix(key, name+" ")
	}
	return z.r[name+" "+dns.Type(rrtype).String()], exists
}

// resolver answers as a resolver does: with what it found.
func (z *zones) resolver(w dns.ResponseWriter, q *dns.Msg) {
	m := new(dns.Msg).SetReply(q)
	lines, exists := z.lookup(q.Question[0].Name, q.Question[0].Qtype)
	if !exists && q.Question[0].Name != "." {
		m.Rcode = dns.RcodeNameError
	}
	z.fill(m, &m.Answer, lines)
	w.WriteMsg(m)
}

// parent answers as a parent's server does: delegations are referrals, with
// the addresses beside them.
func (z *zones) parent(w dns.ResponseWriter, q *dns.Msg) {
	m := new(dns.Msg).SetReply(q)
	name := bare(q.Question[0].Name)
	if lines, _ := z.lookup(name, dns.TypeDS); q.Question[0].Qtype == dns.TypeDS && len(lines) > 0 {
		z.fill(m, &m.Answer, lines)
		w.WriteMsg(m)
		return
	}
	lines, exists := z.lookup(name, dns.TypeNS)
	if !exists {
		m.Rcode = dns.RcodeNameError
	}
	z.fill(m, &m.Ns, lines)
	for _, rr := range m.Ns {
		for _, rrtype := range []uint16{dns.TypeA, dns.TypeAAAA} {
			glue, _ := z.lookup(rr.(*dns.NS).Ns, rrtype)
			z.fill(m, &m.Extra, glue)
		}
	}
	w.WriteMsg(m)
}

func (z *zones) fill(m *dns.Msg, section *[]dns.RR, lines []string) {
	for _, l := range lines {
		if rcode, ok := dns.StringToRcode[l]; ok {
			m.Rcode = rcode
			continue
		}
		rr, err := dns.NewRR(l)
		if err != nil {
			z.t.Errorf("%s: %v", l, err)
			return
		}
		*section = append(*section, rr)
	}
}

// serveDNS answers on addresses with one port, by UDP and TCP.
func serveDNS(t *testing.T, h dns.HandlerFunc, hosts ...string) uint16 {
	t.Helper()
	udp, tcp := listenAll(t, hosts)
	for i := range udp {
		for _, s := range []*dns.Server{{PacketConn: udp[i], Handler: h}, {Listener: tcp[i], Handler: h}} {
			started, ended := make(chan struct{}), make(chan struct{})
			s.NotifyStartedFunc = func() { close(started) }
			go func() { defer close(ended); s.ActivateAndServe() }()
			<-started
			t.Cleanup(func() { s.Shutdown(); <-ended })
		}
	}
	return udp[0].LocalAddr().(*net.UDPAddr).AddrPort().Port()
}

// listenAll finds a port that is free at all of the addresses, by UDP and TCP.
func listenAll(t *testing.T, hosts []string) (udp []*net.UDPConn, tcp []net.Listener) {
	t.Helper()
	var fault error
	for range 20 {
		udp, tcp, fault = nil, nil, nil
		port := 0
		for _, h := range hosts {
			u, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.ParseIP(h), Port: port})
			if err != nil {
				fault = err
				break
			}
			port = u.LocalAddr().(*net.UDPAddr).Port
			udp = append(udp, u)
			l, err := net.Listen("tcp4", u.LocalAddr().String())
			if err != nil {
				fault = err
				break
			}
			tcp = append(tcp, l)
		}
		if fault == nil {
			return udp, tcp
		}
		for _, u := range udp {
			u.Close()
		}
		for _, l := range tcp {
			l.Close()
		}
	}
	t.Fatal(fault)
	return nil, nil
}

// town is a world of names: two servers of the parent zone example.com, a
// resolver, and our own name servers.
type town struct {
	*zones
	cfg     Config
	servers []*geodns.Server
}

func newTown(t *testing.T) *town {
	t.Helper()
	w := &town{zones: &zones{t: t, r: records{}}, cfg: Config{Map: testMap(), Self: "fra1"}}
	ours, theirs := []string{"127.0.0.11", "127.0.0.12"}, []string{"127.0.0.2", "127.0.0.3"}
	udp, tcp := listenAll(t, ours)
	w.cfg.Map.Ports.DNS = udp[0].LocalAddr().(*net.UDPAddr).AddrPort().Port()
	for i := range ours {
		s, err := geodns.New(geodns.Config{UDP: udp[i : i+1], TCP: tcp[i : i+1]})
		if err != nil {
			t.Fatal(err)
		}
		s.SetMap(w.cfg.Map)
		w.servers = append(w.servers, s)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); s.Run(ctx) }()
		t.Cleanup(func() { stop(); <-ended })
	}
	w.cfg.dnsPort = serveDNS(t, w.parent, theirs...)
	resolver := serveDNS(t, w.resolver, "127.0.0.1")
	w.cfg.Resolvers = []netip.AddrPort{netip.AddrPortFrom(addr("127.0.0.1"), resolver)}
	w.set("example.com NS", "example.com. 60 IN NS ns1.example.com.", "example.com. 60 IN NS ns2.example.com.")
	w.set("ns1.example.com A", "ns1.example.com. 60 IN A 127.0.0.2")
	w.set("ns2.example.com A", "ns2.example.com. 60 IN A 127.0.0.3")
	w.delegate("fra1.ns.edge.example.com 127.0.0.11", "nyc1.ns.edge.example.com 127.0.0.12")
	w.set("edge.example.com SOA", "edge.example.com. 60 IN SOA fra1.ns.edge.example.com. hostmaster.edge.example.com. 7 1 1 1 1")
	for _, host := range []string{"app.edge.example.com", "www.shop.example.edge.example.com"} {
		w.set(host+" A", host+". 60 IN A 127.0.0.11", host+". 60 IN A 127.0.0.12")
	}
	w.set("www.shop.example CNAME", "www.shop.example. 60 IN CNAME www.shop.example.edge.example.com.")
	return w
}

// delegate makes the parent's delegation: "NAME ADDRESS...", one string each.
func (w *town) delegate(servers ...string) {
	var set []string
	for _, s := range servers {
		f := strings.Fields(s)
		set = append(set, "edge.example.com. 60 IN NS "+f[0]+".")
		var glue []string
		for _, a := range f[1:] {
			glue = append(glue, f[0]+". 60 IN A "+a)
		}
		w.set(f[0]+" A", glue...)
	}
	w.set("edge.example.com NS", set...)
}

// run runs one check.
func (w *town) run(t *testing.T, name string) []Finding {
	t.Helper()
	p := &patient{Config: w.cfg, ask: asker{port: w.cfg.dnsPort}}
	p.self, _ = w.cfg.Map.Node(w.cfg.Self)
	all := checks()
	i := slices.IndexFunc(all, func(c check) bool { return c.name == name })
	n := notes{check: name}
	all[i].run(p, t.Context(), &n)
	return n.list
}

// expect compares findings with lines "LEVEL words in What | words in Cure".
func expect(t *testing.T, when string, got []Finding, want ...string) {
	t.Helper()
	good := len(got) == len(want)
	for i, w := range want {
		level, rest, _ := strings.Cut(w, " ")
		what, cure, _ := strings.Cut(rest, " | ")
		if !slices.ContainsFunc(got, func(f Finding) bool {
			return string(f.Level) == level && strings.Contains(f.What, what) && strings.Contains(f.Cure, cure)
		}) {
			good = false
			t.Errorf("%s: nothing like %q", when, want[i])
		}
	}
	for _, f := range got {
		if (f.Level != OK) != (f.Cure != "") || f.Check == "" || f.What == "" {
			t.Errorf("%s: incomplete: %+v", when, f)
		}
	}
	if !good {
		for _, f := range got {
			t.Logf("%s: %s", when, fmt.Sprintf("%s %s: %s | %s", f.Level, f.Check, f.What, f.Cure))
		}
		if len(got) != len(want) {
			t.Errorf("%s: %d findings, want %d", when, len(got), len(want))
		}
	}
}
