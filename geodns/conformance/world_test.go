package conformance

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"
)

// The zones of this world: what a network serves by itself, and a master file.
const (
	domain = "edge.test"
	static = "conf.test"
)

// steered are the names of services.
var steered = []string{"chat.edge.test", "irc.edge.test", "app.conf.test"}

// edge is a region with one edge.
type edge struct {
	id       string
	lat, lon float64
	v4, v6   string
}

var edges = []edge{
	{"fra", 50.11, 8.68, "192.0.2.11", "2001:db8:e::1"},
	{"nyc", 40.71, -74.01, "192.0.2.12", "2001:db8:e::2"},
	{"sin", 1.35, 103.82, "192.0.2.13", "2001:db8:e::3"},
	{"gru", -23.55, -46.63, "192.0.2.14", "2001:db8:e::4"},
	{"syd", -33.87, 151.21, "192.0.2.15", "2001:db8:e::5"},
}

// network is a network file for the world.
func network(zoneFile, more string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "name = \"conformance\"\ndomain = %q\n\n[steering]\nttl = \"5m\"\nanswers = 1\n", domain)
	for i, e := range edges {
		fmt.Fprintf(&b, "\n[[region]]\nid = %q\nplace = \"%v,%v\"\n", e.id, e.lat, e.lon)
		roles := `"edge", "dns"`
		if i == 0 {
			b.WriteString("home = true\n")
			roles += `, "origin"`
		}
		fmt.Fprintf(&b, "\n[[node]]\nid = \"%s1\"\nregion = %q\nroles = [%s]\naddresses = [%q, %q]\n", e.id, e.id, roles, e.v4, e.v6)
	}
	for _, host := range steered {
		kind := `upstream = "http://127.0.0.1:3000"`
		if strings.HasPrefix(host, "irc") {
			kind = "kind = \"tcp\"\nupstream = \"tcp://127.0.0.1:6667\""
		}
		fmt.Fprintf(&b, "\n[[service]]\nhost = %q\n%s\n", host, kind)
	}
	fmt.Fprintf(&b, "\n[[record]]\nname = \"www.%s\"\ntype = \"CNAME\"\ndata = \"chat\"\n", domain)
	fmt.Fprintf(&b, "\n[[record]]\nname = \"*.wild.%s\"\ntype = \"TXT\"\ndata = \"any name\"\n", domain)
	fmt.Fprintf(&b, "\n[[record]]\nname = \"a.b.c.%s\"\ntype = \"TXT\"\ndata = \"deep\"\n", domain)
	fmt.Fprintf(&b, "\n[[zone]]\nname = %q\nfile = %q\n%s", static, zoneFile, more)
	return b.String()
}

// client is a prefix of which the database knows where it is.
type client struct {
	prefix   netip.Prefix
	lat, lon float64
}

// clients are prefixes all over the world, longer ones within shorter.
func clients() []client {
	r := rand.New(rand.NewPCG(7, 8871))
	var out []client
	add := func(p netip.Prefix) {
		out = append(out, client{p.Masked(), float64(r.IntN(1400))/10 - 60, float64(r.IntN(3600))/10 - 180})
	}
	for i := range 64 {
		base := netip.AddrFrom4([4]byte{60, byte(i * 4)})
		add(netip.PrefixFrom(base, 14))
		for j := range 4 {
			add(netip.PrefixFrom(netip.AddrFrom4([4]byte{60, byte(i*4 + j), byte(r.IntN(256))}), 17+r.IntN(8)))
		}
		add(netip.PrefixFrom(netip.AddrFrom16([16]byte{0x2a, 0x01, byte(i), 0}), 32))
		add(netip.PrefixFrom(netip.AddrFrom16([16]byte{0x2a, 0x01, byte(i), 0, byte(r.IntN(256))}), 40+r.IntN(17)))
	}
	return out
}

// nearest is the edge that a client is nearest to, by the longest prefix that
// it lies in. It looks at every client and every edge, and knows nothing of
// how a name server goes about it.
func nearest(all []client, who netip.Prefix) (best edge, ok bool) {
	var where client
	for _, c := range all {
		if c.prefix.Bits() <= who.Bits() && c.prefix.Contains(who.Addr()) && (!ok || c.prefix.Bits() >= where.prefix.Bits()) {
			where, ok = c, true
		}
	}
	for i, e := range edges {
		if i == 0 || distance(where, e) < distance(where, best) {
			best = e
		}
	}
	return best, ok
}

// database is a geographic database that knows the clients.
func database(t *testing.T, dir string, all []client) string {
	t.Helper()
	tree, err := mmdbwriter.New(mmdbwriter.Options{
		DatabaseType: "GeoLite2-City", IncludeReservedNetworks: true, RecordSize: 24,
		Description: map[string]string{"en": "made by a test"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		n := &net.IPNet{IP: c.prefix.Addr().AsSlice(), Mask: net.CIDRMask(c.prefix.Bits(), c.prefix.Addr().BitLen())}
		at := mmdbtype.Map{"latitude": mmdbtype.Float64(c.lat), "longitude": mmdbtype.Float64(c.lon)}
		if err := tree.Insert(n, mmdbtype.Map{"location": at}); err != nil {
			t.Fatal(err)
		}
	}
	var b bytes.Buffer
	if _, err := tree.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	return write(t, dir, "geo.mmdb", b.String())
}

// zoneText is the master file of the static zone.
func zoneText(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", static+".zone"))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// landfallServer runs the program itself as a name server alone; more goes to
// the end of its network file.
func landfallServer(t *testing.T, more string, flags ...string) *server {
	t.Helper()
	dir, addr := t.TempDir(), free(t)
	write(t, dir, static+".zone", zoneText(t))
	write(t, dir, "network.toml", network(static+".zone", more))
	argv := []string{ours.program(t), "dns", "serve", "--network", filepath.Join(dir, "network.toml"),
		"--geo", database(t, dir, clients()), "--listen", addr.String(), "--probe", "none"}
	return run(t, "landfall", addr, static, append(argv, flags...)...)
}

// distance is that on a globe, of any size: only what is nearer matters.
func distance(c client, e edge) float64 {
	const rad = math.Pi / 180
	cos := math.Sin(c.lat*rad)*math.Sin(e.lat*rad) + math.Cos(c.lat*rad)*math.Cos(e.lat*rad)*math.Cos((c.lon-e.lon)*rad)
	return math.Acos(max(-1, min(cos, 1)))
}
