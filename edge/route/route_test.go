package route

import (
	"slices"
	"testing"

	"landfall"
)

func network() *landfall.Map {
	return &landfall.Map{
		Domain:  "landfall.test",
		Regions: []landfall.Region{{ID: "fra", Home: true}, {ID: "nyc"}},
		Nodes: []landfall.Node{
			{ID: "nyc1", Region: "nyc", Roles: []landfall.Role{landfall.RoleOrigin, landfall.RoleEdge}},
			{ID: "fra1", Region: "fra", Roles: []landfall.Role{landfall.RoleOrigin}},
			{ID: "fra2", Region: "fra", Roles: []landfall.Role{landfall.RoleOrigin}, State: landfall.Gone},
			{ID: "fra3", Region: "fra", Roles: []landfall.Role{landfall.RoleOrigin}, State: landfall.Draining},
		},
		Services: []landfall.Service{
			{Host: "chat.landfall.test", Upstream: landfall.UpstreamChat},
			{Host: "shop.landfall.test", Kind: landfall.HTTP, Upstream: "http://127.0.0.1:3000"},
			{Host: "mail.landfall.test", Kind: landfall.TCP, Upstream: "tcp://127.0.0.1:993"},
			{Host: "cache.landfall.test", Kind: landfall.TCP, Port: 443, Upstream: "tcp://127.0.0.1:6379"},
			{Host: "db.landfall.test", Kind: landfall.TCP, Port: 5432, Upstream: "tcp://127.0.0.1:5432"},
			{Host: "a.landfall.test", Kind: landfall.TCP, Port: 8883, Upstream: "tcp://127.0.0.1:1883"},
			{Host: "b.landfall.test", Kind: landfall.TCP, Port: 8883, Upstream: "tcp://127.0.0.1:1884"},
			{Host: "*.apps.test", Upstream: "http://127.0.0.1:4000"},
			{Host: "one.apps.test", Upstream: landfall.UpstreamChat},
		},
	}
}

func TestFind(t *testing.T) {
	table := New(network())
	for _, c := range []struct {
		host    string
		service landfall.MeshService // empty: not found
	}{
		{"chat.landfall.test", landfall.MeshChat},
		{"shop.landfall.test", landfall.MeshHTTP},
		{"mail.landfall.test", ""}, // kind tcp
		{"landfall.test", ""},
		{"x.chat.landfall.test", ""},
		{"two.apps.test", landfall.MeshHTTP},
		{"one.apps.test", landfall.MeshChat}, // exact before wildcard
		{"a.two.apps.test", ""},              // one label only
		{"apps.test", ""},
		{"*.apps.test", ""}, // not a host, a pattern
		{".apps.test", ""},
		{"", ""},
	} {
		r, ok := table.Find(c.host)
		if ok != (c.service != "") {
			t.Errorf("%q: found %v", c.host, ok)
			continue
		}
		if ok && r.Targets[0].Service != c.service {
			t.Errorf("%q goes to %q, want %q", c.host, r.Targets[0].Service, c.service)
		}
	}
}

func TestStream(t *testing.T) {
	table := New(network())
	for _, c := range []struct {
		port       uint16
		name, host string // empty host: not found
	}{
		{0, "mail.landfall.test", "mail.landfall.test"},
		{0, "cache.landfall.test", "cache.landfall.test"}, // its port is that of HTTPS
		{443, "cache.landfall.test", ""},
		{0, "db.landfall.test", ""},
		{0, "", ""},
		{0, "chat.landfall.test", ""}, // kind http
		{5432, "db.landfall.test", "db.landfall.test"},
		{5432, "", "db.landfall.test"},
		{5432, "mail.landfall.test", ""},
		{8883, "a.landfall.test", "a.landfall.test"},
		{8883, "b.landfall.test", "b.landfall.test"},
		{8883, "", ""}, // which of the two?
		{9999, "", ""},
	} {
		r, ok := table.Stream(c.port, c.name)
		if r.Service.Host != c.host || ok != (c.host != "") {
			t.Errorf("%q on %d: %q, %v; want %q", c.name, c.port, r.Service.Host, ok, c.host)
		}
		if ok && r.Targets[0] != (landfall.Target{Node: "fra1", Service: landfall.MeshTCP}) {
			t.Errorf("%q on %d goes to %v", c.name, c.port, r.Targets)
		}
	}
	if got := table.Ports(); !slices.Equal(got, []uint16{5432, 8883}) {
		t.Errorf("ports %v", got)
	}
}

func TestTargetsAreTheOriginsOfHomeThatAreNotGone(t *testing.T) {
	got := New(network()).Targets()
	want := []landfall.Target{
		{Node: "fra1", Service: landfall.MeshChat},
		{Node: "fra3", Service: landfall.MeshChat},
		{Node: "fra1", Service: landfall.MeshHTTP},
		{Node: "fra3", Service: landfall.MeshHTTP},
		{Node: "fra1", Service: landfall.MeshTCP},
		{Node: "fra3", Service: landfall.MeshTCP},
	}
	if !slices.Equal(got, want) {
		t.Errorf("targets %v, want %v", got, want)
	}
}

func TestHost(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"chat.landfall.test", "chat.landfall.test"},
		{"Chat.Landfall.TEST.", "chat.landfall.test"},
		{"chat.landfall.test:8443", "chat.landfall.test"},
		{"chat.landfall.test.:443", "chat.landfall.test"},
		{"chat.landfall.test:", "chat.landfall.test"},
		{"chat.landfall.test:80a", ""},
		{"chat.landfall.test:1:2", ""},
		{"[2001:db8::1]:443", ""},
		{"", ""},
		{":443", ""},
	} {
		got, ok := Host(c.in)
		if got != c.want && ok || ok != (c.want != "") {
			t.Errorf("Host(%q) = %q, %v; want %q", c.in, got, ok, c.want)
		}
	}
}

func FuzzHost(f *testing.F) {
	for _, s := range []string{"chat.landfall.test", "CHAT.landfall.test.:443", "*.apps.test", "a:b", "[::1]:1", "..", "two.apps.test:1"} {
		f.Add(s)
	}
	table := New(network())
	f.Fuzz(func(t *testing.T, in string) {
		host, ok := Host(in)
		if !ok {
			return
		}
		if r, found := table.Find(host); found && !matches(r.Service.Host, host) {
			t.Errorf("%q was routed to %q", in, r.Service.Host)
		}
	})
}

// matches is RFC 9525, 6.3 in the plainest way.
func matches(pattern, host string) bool {
	if pattern[0] != '*' {
		return pattern == host
	}
	cut := len(host) - len(pattern[1:])
	return cut > 0 && host[cut:] == pattern[1:] && !slices.Contains([]byte(host[:cut]), '.')
}
