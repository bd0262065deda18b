package geodns

import (
	"log/slog"
	"net"
	"net/netip"
	"testing"
	"time"

	"landfall"
	"landfall/geodns/locate"

	"github.com/miekg/dns"
)

// The world of these tests: three regions, an edge and a name server in each.
// Only fra and nyc have IPv6. Clients are at the places below.
var (
	frankfurt = landfall.Place{Lat: 50.11, Lon: 8.68}
	newYork   = landfall.Place{Lat: 40.71, Lon: -74.01}
	singapore = landfall.Place{Lat: 1.35, Lon: 103.82}
)

func testMap() *landfall.Map {
	both := []landfall.Role{landfall.RoleEdge, landfall.RoleDNS}
	addrs := func(s ...string) (out []netip.Addr) {
		for _, a := range s {
			out = append(out, netip.MustParseAddr(a))
		}
		return out
	}
	return &landfall.Map{
		Network: "landfall", Domain: "landfall.test", Serial: 7,
		Regions: []landfall.Region{
			{ID: "fra", Place: frankfurt, Home: true},
			{ID: "nyc", Place: newYork},
			{ID: "sin", Place: singapore},
		},
		Nodes: []landfall.Node{
			{ID: "fra1", Region: "fra", Roles: both, Advertised: addrs("192.0.2.1", "2001:db8::1")},
			{ID: "nyc1", Region: "nyc", Roles: both, Advertised: addrs("192.0.2.2", "2001:db8::2")},
			{ID: "sin1", Region: "sin", Roles: both, Advertised: addrs("192.0.2.3")},
		},
		Services: []landfall.Service{
			{Host: "chat.landfall.test", Upstream: "chat"},
			{Host: "irc.landfall.test", Kind: landfall.TCP, Upstream: "tcp://127.0.0.1:6667"},
		},
		Records: []landfall.Record{
			{Name: "landfall.test", Type: "MX", Data: "10 mail"},
			{Name: "mail.landfall.test", Type: "A", Data: "198.51.100.9"},
			{Name: "www.landfall.test", Type: "CNAME", Data: "chat", TTL: time.Minute},
			{Name: "away.landfall.test", Type: "CNAME", Data: "example.com."},
			{Name: "lost.landfall.test", Type: "CNAME", Data: "nothing"},
			{Name: "loop.landfall.test", Type: "CNAME", Data: "pool"},
			{Name: "pool.landfall.test", Type: "CNAME", Data: "loop"},
			{Name: "*.wild.landfall.test", Type: "TXT", Data: `"any name"`},
			{Name: "a.b.c.landfall.test", Type: "TXT", Data: "deep"},
			{Name: "sub.landfall.test", Type: "NS", Data: "ns.sub"},
			{Name: "ns.sub.landfall.test", Type: "A", Data: "198.51.100.53"},
		},
		Steering: landfall.Steering{Answers: 1, TTL: 20 * time.Second},
	}
}

// testAtlas knows a few prefixes; all other addresses are unknown.
func testAtlas() *locate.Table {
	known := map[netip.Prefix]landfall.Location{}
	for prefix, place := range map[string]landfall.Place{
		"10.1.0.0/16":       frankfurt,
		"10.2.0.0/16":       newYork,
		"10.3.0.0/16":       singapore,
		"2001:db8:2::/48":   newYork,
		"2001:db8:3::/48":   singapore,
		"10.4.16.0/20":      newYork,
		"127.0.0.0/8":       frankfurt,
		"2001:db8:1:2::/64": frankfurt,
	} {
		known[netip.MustParsePrefix(prefix)] = landfall.Location{Known: true, Place: place}
	}
	return locate.Of(known)
}

// newServer makes a server of the test's world that has not been run.
func newServer(t testing.TB, change func(*landfall.Map)) *Server {
	t.Helper()
	s, err := New(Config{
		TCP:   []net.Listener{unused{}},
		Atlas: testAtlas(),
		NSID:  "fra1",
		Rate:  -1,
		Log:   slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	m := testMap()
	if change != nil {
		change(m)
	}
	s.SetMap(m)
	return s
}

// unused is a listener of a server that is only asked by respond.
type unused struct{ net.Listener }

// ask sends a message through respond and reads the answer.
func ask(t testing.TB, s *Server, m *dns.Msg, from string) *dns.Msg {
	t.Helper()
	return askBy(t, s, m, from, false)
}

// askBy is ask by UDP or TCP.
func askBy(t testing.TB, s *Server, m *dns.Msg, from string, tcp bool) *dns.Msg {
	t.Helper()
	req, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	out := s.respond(req, netip.AddrPortFrom(netip.MustParseAddr(from), 5353), by(tcp), nil)
	answer := new(dns.Msg)
	if err := answer.Unpack(out); err != nil {
		t.Fatalf("answer to %v: %v", m.Question, err)
	}
	if answer.Id != m.Id || !answer.Response {
		t.Fatalf("answer to %d: id %d, QR %v", m.Id, answer.Id, answer.Response)
	}
	return answer
}

// by is what a test's question comes by.
func by(tcp bool) transport {
	if tcp {
		return viaTCP
	}
	return viaUDP
}

func question(name string, rrtype uint16) *dns.Msg {
	return new(dns.Msg).SetQuestion(dns.Fqdn(name), rrtype)
}

// withSubnet adds a client subnet option to a query.
func withSubnet(m *dns.Msg, subnet string) *dns.Msg {
	p := netip.MustParsePrefix(subnet)
	m.SetEdns0(4096, false)
	family := uint16(1)
	if p.Addr().Is6() {
		family = 2
	}
	opt := m.IsEdns0()
	opt.Option = append(opt.Option, &dns.EDNS0_SUBNET{
		Code: dns.EDNS0SUBNET, Family: family, SourceNetmask: uint8(p.Bits()), Address: p.Addr().AsSlice(),
	})
	return m
}

func subnetOf(m *dns.Msg) *dns.EDNS0_SUBNET {
	if opt := m.IsEdns0(); opt != nil {
		for _, o := range opt.Option {
			if s, ok := o.(*dns.EDNS0_SUBNET); ok {
				return s
			}
		}
	}
	return nil
}

// data is what is in a section, without names and times: "A 192.0.2.1".
func data(rrs []dns.RR) []string {
	out := []string{}
	for _, rr := range rrs {
		if h := rr.Header(); h.Rrtype != dns.TypeOPT {
			out = append(out, dns.Type(h.Rrtype).String()+" "+rr.String()[len(h.String()):])
		}
	}
	return out
}
