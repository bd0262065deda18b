package landfall

import (
	"net/netip"
	"strings"
	"testing"
	"time"
)

func sound() *Map {
	addr := netip.MustParseAddr
	return &Map{
		Network: "example", Domain: "example.com", Serial: 1,
		Regions: []Region{
			{ID: "fra", Title: "Frankfurt", Place: Place{50.11, 8.68}, Home: true},
			{ID: "nyc", Title: "New York", Place: Place{40.71, -74.01}},
		},
		Nodes: []Node{
			{ID: "fra1", Region: "fra", Roles: Roles(), Advertised: []netip.Addr{addr("192.0.2.1")}},
			{ID: "nyc1", Region: "nyc", Roles: []Role{RoleEdge, RoleDNS}, Advertised: []netip.Addr{addr("192.0.2.2")}},
		},
		Services: []Service{{Host: "chat.example.com", Upstream: UpstreamChat}},
	}
}

func TestCheckFindsNothingInASoundMap(t *testing.T) {
	if f := sound().Check(); len(f) != 0 {
		t.Fatal(f)
	}
}

func TestCheckNamesEachFault(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(*Map)
		want  string // "path: part of the message"
	}{
		{"no name", func(m *Map) { m.Network = "" }, "name: is missing"},
		{"capital letters", func(m *Map) { m.Domain = "Example.com" }, "domain: capital letter"},
		{"one label", func(m *Map) { m.Domain = "com" }, "domain: has no dot"},
		{"two homes", func(m *Map) { m.Regions[1].Home = true }, `region[1].home: "fra" is already the home region`},
		{"no home", func(m *Map) { m.Regions[0].Home = false }, "region: no region is home"},
		{"off the Earth", func(m *Map) { m.Regions[1].Place.Lat = 91 }, "region[1].place: not on the Earth"},
		{"region twice", func(m *Map) { m.Regions[1].ID = "fra" }, `region[1].id: already region[0]`},
		{"node in no region", func(m *Map) { m.Nodes[1].Region = "" }, "node[1].region: is in no region"},
		{"node in an unknown region", func(m *Map) { m.Nodes[1].Region = "lon" }, `node[1].region: which does not exist`},
		{"node twice", func(m *Map) { m.Nodes[1].ID = "fra1" }, "node[1].id: already node[0]"},
		{"unknown role", func(m *Map) { m.Nodes[1].Roles[0] = "egde" }, `node[1].roles[0]: unknown role "egde"`},
		{"origin abroad", func(m *Map) { m.Nodes[1].Roles[0] = RoleOrigin }, "node[1].roles: outside the home region"},
		{"address twice", func(m *Map) { m.Nodes[1].Advertised[0] = m.Nodes[0].Advertised[0] }, `node[1].addresses[0]: already an address of node "fra1"`},
		{"mapped address twice", func(m *Map) { m.Nodes[1].Advertised[0] = netip.MustParseAddr("::ffff:192.0.2.1") }, `node[1].addresses[0]: already an address of node "fra1"`},
		{"edge without address", func(m *Map) { m.Nodes[1].Advertised = nil }, "node[1].addresses: edge without an address"},
		{"every address", func(m *Map) { m.Nodes[1].Advertised[0] = netip.IPv4Unspecified() }, "node[1].addresses[0]: every address"},
		{"key twice", func(m *Map) { m.Nodes[0].Key[0], m.Nodes[1].Key[0] = 1, 1 }, `node[1].key: the key of node "fra1"`},
		{"state", func(m *Map) { m.Nodes[1].State = "asleep" }, `node[1].state: unknown state "asleep"`},
		{"host with no service", func(m *Map) { m.Services[0].Upstream = "" }, "service[0].upstream: has no service behind it"},
		{"host outside", func(m *Map) { m.Services[0].Host = "chat.example.org" }, "service[0].host: outside the domain"},
		{"host almost inside", func(m *Map) { m.Services[0].Host = "badexample.com" }, "service[0].host: outside the domain"},
		{"upstream with a path", func(m *Map) { m.Services[0].Upstream = "http://127.0.0.1:3000/app" }, "service[0].upstream: more than a host and a port"},
		{"tcp without a port", func(m *Map) { m.Services[0].Kind, m.Services[0].Upstream = TCP, "tcp://127.0.0.1" }, "service[0].upstream: not tcp://HOST:PORT"},
		{"kind", func(m *Map) { m.Services[0].Kind = "htpp" }, `service[0].kind: unknown kind "htpp"`},
		{"record outside", func(m *Map) { m.Records = []Record{{Name: "x.org", Type: "TXT", Data: `"a"`}} }, "record[0].name: outside the domain"},
		{"zone without a name", func(m *Map) { m.Zones = []Zone{{}} }, "zone[0].name: is missing"},
		{"zone with a dot", func(m *Map) { m.Zones = []Zone{{Name: "example.org."}} }, "zone[0].name: ends with a dot"},
		{"zone of anything", func(m *Map) { m.Zones = []Zone{{Name: "*.example.org"}} }, "zone[0].name: has the character '*'"},
		{"zone twice", func(m *Map) { m.Zones = []Zone{{Name: "example.org"}, {Name: "example.org"}} }, "zone[1].name: already zone[0]"},
		{"too many records", func(m *Map) {
			m.Zones = []Zone{{Name: "example.net"}, {Name: "example.org", Records: make([]Record, MaxRecords+1)}}
		}, "zone[1]: 50001 records"},
		{"records too large", func(m *Map) {
			m.Zones = []Zone{{Name: "example.org", Records: []Record{{Data: strings.Repeat("x", MaxRecordData)}, {Name: "x"}}}}
		}, "zone[0]: more than 4194304"},
		{"external in a zone", func(m *Map) {
			m.Zones, m.Services[0].Host, m.Services[0].External = []Zone{{Name: "example.org"}}, "www.example.org", true
		}, `service[0].external: inside the zone "example.org"`},
		{"nobody signs for a zone", func(m *Map) {
			m.Zones, m.Services[0].Host, m.Authority = []Zone{{Name: "example.org"}}, "www.example.org", "PEM"
		}, "service[0].host: signs for the domain alone"},
		{"protocol", func(m *Map) { m.Nodes[1].Protocols = []string{"http/1.1", "h1"} }, `node[1].protocols[1]: unknown protocol "h1"`},
		{"protocol twice", func(m *Map) { m.Nodes[1].Protocols = []string{"http/1.1", "http/1.1"} }, `node[1].protocols[1]: twice`},
		{"no HTTP/1.1", func(m *Map) { m.Nodes[1].Protocols = []string{"h2"} }, `node[1].protocols: does not speak http/1.1`},
		{"protocols of an edge that joined", func(m *Map) { m.Nodes[1].Protocols, m.Nodes[1].Key[0] = []string{"http/1.1"}, 1 }, `node[1].protocols: speak h2 and http/1.1`},
		{"ttl", func(m *Map) { m.Steering.TTL = time.Millisecond }, "steering.ttl: out of range"},
		{"answers", func(m *Map) { m.Steering.Answers = 9 }, "steering.answers: out of range"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := sound()
			tt.spoil(m)
			path, part, _ := strings.Cut(tt.want, ": ")
			for _, f := range m.Check() {
				if f.Path == path && strings.Contains(f.Msg, part) {
					if f.Cure == "" {
						t.Errorf("no cure for %v", f)
					}
					return
				}
			}
			t.Errorf("want %q among %v", tt.want, m.Check())
		})
	}
}

func TestHostsAndRecordsMayLieInAnyZone(t *testing.T) {
	m := sound()
	m.Zones = []Zone{{Name: "example.org"}, {Name: "sub.example.com"}, {Name: "0/25.2.0.192.in-addr.arpa"}, {Name: "example.com"}}
	m.Services = append(m.Services, Service{Host: "example.org", Upstream: UpstreamChat}, Service{Host: "www.sub.example.com", Upstream: UpstreamChat})
	m.Records = []Record{{Name: "*.example.org", Type: "TXT", Data: `"a"`}}
	m.Nodes[1].Protocols = []string{"h3", "http/1.1"}
	if f := m.Check(); len(f) != 0 {
		t.Error(f)
	}
	for host, want := range map[string]string{
		"www.sub.example.com": "www.sub.example.com", "sub.example.org": "sub.example.org", "example.org": "example.org",
		"www.example.net": "www.example.net.example.com", "xexample.org": "xexample.org.example.com",
	} {
		if got := m.SteeredName(host); got != want {
			t.Errorf("%s is steered as %s, want %s", host, got, want)
		}
	}
	for name, want := range map[string]string{"a.sub.example.com": "sub.example.com", "sub.example.com": "sub.example.com", "b.example.com": "example.com", "org": ""} {
		if got := m.Zone(name); got != want {
			t.Errorf("%s is in zone %q, want %q", name, got, want)
		}
	}
}

func TestABadDomainHidesNoFaultOfHosts(t *testing.T) {
	m := sound()
	m.Domain = "Example.com."
	m.Services = []Service{{Host: "", Upstream: "chat"}, {Host: "A.example.com", Upstream: "chat"}, {Host: "ok.elsewhere.org", Upstream: "chat"}}
	var paths []string
	for _, f := range m.Check() {
		paths = append(paths, f.Path)
	}
	if want := "domain service[0].host service[1].host"; strings.Join(paths, " ") != want {
		t.Errorf("faults at %v, want %s", paths, want)
	}
}

func TestCheckTellsAllAtOnce(t *testing.T) {
	m := sound()
	m.Regions[1].Home = true
	m.Nodes[1].Region = ""
	m.Services[0].Upstream = ""
	if f := m.Check(); len(f) != 3 {
		t.Fatalf("want 3 faults, got %v", f)
	}
}

func TestDiffTellsWhatChanged(t *testing.T) {
	old, next := sound(), sound()
	next.Serial++
	next.Nodes[1].State = Draining
	next.Services = append(next.Services, Service{Host: "app.example.com", Upstream: "http://127.0.0.1:3000"})
	next.Regions[0].Title = "Frankfurt am Main"
	var got []string
	for _, c := range Diff(old, next) {
		got = append(got, c.String())
	}
	want := []string{
		"~ region fra title: Frankfurt -> Frankfurt am Main",
		"~ node nyc1 state: (none) -> draining",
		"+ service app.example.com: host app.example.com, upstream http://127.0.0.1:3000",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if d := Diff(next, next.Clone()); len(d) != 0 {
		t.Errorf("a clone differs: %v", d)
	}
}

func TestDiffTellsOfZonesRecordByRecord(t *testing.T) {
	zone := func(name string, data ...string) Zone {
		z := Zone{Name: name}
		for _, d := range data {
			z.Records = append(z.Records, Record{Name: "www." + name, Type: "A", Data: d})
		}
		return z
	}
	old, next := sound(), sound()
	old.Zones = []Zone{zone("example.org", "192.0.2.1", "192.0.2.2"), zone("example.net", "192.0.2.1")}
	next.Zones = []Zone{zone("example.edu", "192.0.2.1", "192.0.2.2"), zone("example.org", "192.0.2.2", "192.0.2.3")}
	next.Zones[1].Records[0].TTL = time.Minute
	var got []string
	for _, c := range Diff(old, next) {
		got = append(got, c.String())
	}
	want := []string{
		"+ zone example.edu: name example.edu, records 2",
		"- zone example.net: name example.net, records 1",
		"- zone example.org: record www.example.org A 192.0.2.1: name www.example.org, type A, data 192.0.2.1",
		"~ zone example.org: record www.example.org A 192.0.2.2 ttl: (none) -> 1m0s",
		"+ zone example.org: record www.example.org A 192.0.2.3: name www.example.org, type A, data 192.0.2.3",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestCloneSharesNothing(t *testing.T) {
	m := sound()
	m.Nodes[0].Sealing.MLKEM = []byte{1}
	m.Zones, m.Nodes[0].Protocols = []Zone{{Name: "example.org", Records: []Record{{Name: "example.org"}}}}, []string{"http/1.1"}
	c := m.Clone()
	c.Zones[0].Records[0].Name, c.Nodes[0].Protocols[0] = "other", "h2"
	if m.Zones[0].Records[0].Name == "other" || m.Nodes[0].Protocols[0] == "h2" {
		t.Error("a clone shares records or protocols")
	}
	m.Zones, m.Nodes[0].Protocols = nil, nil
	c.Regions[0].ID, c.Nodes[0].Roles[0], c.Nodes[0].Sealing.MLKEM[0] = "xxx", RoleDNS, 2
	c.Nodes[0].Advertised[0] = netip.IPv6Loopback()
	c.Services[0].Host = "other"
	if d := Diff(m, func() *Map { s := sound(); s.Nodes[0].Sealing.MLKEM = []byte{1}; return s }()); len(d) != 0 {
		t.Errorf("changing a clone changed its source: %v", d)
	}
}
