package conformance

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"landfall"
	"landfall/geodns"
	"landfall/geodns/dnssec"
	"landfall/geodns/locate"
	"landfall/geodns/zone"
	"landfall/geodns/zone/master"

	"github.com/miekg/dns"
)

// signed is a name server for the whole world, all signed.
type signed struct {
	addr netip.AddrPort
	keys map[string]*dns.DNSKEY // of each zone, the one that validators trust
}

// signedProgram is the program itself, with keys that it made. Everybody of this
// machine may copy its zones.
func signedProgram(t *testing.T) *signed {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "keys")
	keys := map[string]*dns.DNSKEY{}
	for _, name := range []string{domain, static} {
		output(t, ours.program(t), "dns", "keys", "init", "--zone", name, "--dir", dir)
		files, err := filepath.Glob(filepath.Join(dir, "K"+name+".+*.key"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			rr, err := dns.NewRR(string(b))
			if err != nil {
				t.Fatal(err)
			}
			if k := rr.(*dns.DNSKEY); k.Flags&dns.SEP != 0 {
				keys[name] = k
			}
		}
	}
	s := landfallServer(t, "\n[[secondary]]\nfrom = [\"127.0.0.0/8\"]\n", "--keys", dir)
	return &signed{s.addr, keys}
}

// signedServer is one in this process, which answers whoever asks for how much,
// on a free port.
func signedServer(t *testing.T) *signed {
	t.Helper()
	return signedAt(t, func(f func()) { f() }, free(t))
}

// signedAt is signedServer at some addresses, of the place where do runs what
// it is given.
func signedAt(t *testing.T, do func(func()), addrs ...netip.AddrPort) *signed {
	t.Helper()
	return signedWorld(t, worldMap(t), do, addrs...)
}

// signedWorld is signedAt for another map, with the same zones.
func signedWorld(t *testing.T, m *landfall.Map, do func(func()), addrs ...netip.AddrPort) *signed {
	t.Helper()
	dir := t.TempDir()
	atlas, err := locate.Open(locate.Sources{Places: database(t, dir, clients())}, nil)
	if err != nil {
		t.Fatal(err)
	}
	s := &signed{addr: addrs[0], keys: map[string]*dns.DNSKEY{}}
	var udp []*net.UDPConn
	var tcp []net.Listener
	do(func() {
		for _, a := range addrs {
			c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(a))
			if err != nil {
				t.Fatal(err)
			}
			l, err := net.Listen("tcp", a.String())
			if err != nil {
				t.Fatal(err)
			}
			udp, tcp = append(udp, c), append(tcp, l)
		}
	})
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	g, err := geodns.New(geodns.Config{UDP: udp, TCP: tcp, Atlas: atlas, Rate: -1, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	g.SetMap(m)
	g.SetChallenges(nil)
	var all []dnssec.Keys
	for _, name := range []string{domain, static} {
		all = append(all, s.makeKeys(t, name))
	}
	if err := g.SetKeys(all); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s
}

// makeKeys makes those of a zone, good for a month.
func (s *signed) makeKeys(t *testing.T, name string) dnssec.Keys {
	t.Helper()
	apex, err := zone.ParseName(name)
	if err != nil {
		t.Fatal(err)
	}
	ksk, err := dnssec.Generate(dnssec.KSK)
	if err != nil {
		t.Fatal(err)
	}
	zsk, err := dnssec.Generate(dnssec.ZSK)
	if err != nil {
		t.Fatal(err)
	}
	h := dns.RR_Header{Name: dns.Fqdn(name), Rrtype: dns.TypeDNSKEY, Class: dns.ClassINET, Ttl: 3600, Rdlength: uint16(len(ksk.Public))}
	rr, _, err := dns.UnpackRRWithHeader(h, ksk.Public, 0)
	if err != nil {
		t.Fatal(err)
	}
	s.keys[name] = rr.(*dns.DNSKEY)
	k, err := dnssec.Local(apex, ksk, zsk, time.Now(), time.Now().Add(30*24*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// anchors are the keys to trust, as a master file has them.
func (s *signed) anchors() string {
	return s.keys[domain].String() + "\n" + s.keys[static].String() + "\n"
}

// worldMap is the world as network has it. Everybody of this machine may copy
// its zones.
func worldMap(t *testing.T) *landfall.Map {
	t.Helper()
	m := &landfall.Map{
		Network: "conformance", Domain: domain, Serial: 7,
		Steering: landfall.Steering{Answers: 1, TTL: 5 * time.Minute},
		Records: []landfall.Record{
			{Name: "www." + domain, Type: "CNAME", Data: "chat"},
			{Name: "*.wild." + domain, Type: "TXT", Data: `"any name"`},
			{Name: "a.b.c." + domain, Type: "TXT", Data: "deep"},
		},
		Secondaries: []landfall.Secondary{{From: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}},
	}
	for i, e := range edges {
		m.Regions = append(m.Regions, landfall.Region{ID: landfall.RegionID(e.id), Place: landfall.Place{Lat: e.lat, Lon: e.lon}, Home: i == 0})
		m.Nodes = append(m.Nodes, landfall.Node{
			ID: landfall.NodeID(e.id + "1"), Region: landfall.RegionID(e.id), Roles: []landfall.Role{landfall.RoleEdge, landfall.RoleDNS},
			Advertised: []netip.Addr{netip.MustParseAddr(e.v4), netip.MustParseAddr(e.v6)},
		})
	}
	for _, host := range steered {
		service := landfall.Service{Host: host, Upstream: "http://127.0.0.1:3000"}
		if strings.HasPrefix(host, "irc") {
			service.Kind, service.Upstream = landfall.TCP, "tcp://127.0.0.1:6667"
		}
		m.Services = append(m.Services, service)
	}
	got := master.Read(static, static+".zone", func(string) ([]byte, error) { return []byte(zoneText(t)), nil })
	if len(got.Faults) > 0 {
		t.Fatal(got.Faults)
	}
	m.Zones = []landfall.Zone{got.Zone}
	return m
}
