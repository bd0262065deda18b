package gdnsd_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"landfall/geodns/prefix"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"
)

// edges are web servers on loopback addresses, all on one port.
type edges struct {
	port string
	down []atomic.Bool
}

func newEdges(t *testing.T, n int) *edges {
	t.Helper()
	if testing.Short() {
		t.Skip("gdnsd is a Debian package; make test has it")
	}
	e := &edges{down: make([]atomic.Bool, n)}
	for try := range 20 {
		listeners := e.listen(t, n)
		if listeners == nil && try == 19 {
			t.Fatal("no port is free on all addresses")
		}
		for i, l := range listeners {
			s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if e.down[i].Load() || r.URL.Path != "/ok" {
					w.WriteHeader(http.StatusServiceUnavailable)
				}
			}))
			s.Listener = l
			s.Start()
			t.Cleanup(s.Close)
		}
		if listeners != nil {
			break
		}
	}
	return e
}

// listen opens a port that is free on n addresses; nil if it was not.
func (e *edges) listen(t *testing.T, n int) (out []net.Listener) {
	port := "0"
	for i := range n {
		l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", fmt.Sprintf("127.0.9.%d:%s", i+1, port))
		if err != nil {
			for _, l := range out {
				l.Close()
			}
			return nil
		}
		_, port, _ = net.SplitHostPort(l.Addr().String())
		out = append(out, l)
	}
	e.port = port
	return out
}

// world is a directory with a configuration, and who asks.
type world struct {
	dir     string
	config  string // with LISTEN in it
	clients []netip.Prefix
}

// newWorld fills the frame: each name is followed by what stands for it.
func newWorld(t *testing.T, fill ...string) *world {
	t.Helper()
	if testing.Short() {
		t.Skip("gdnsd is a Debian package; make test has it")
	}
	w := &world{dir: t.TempDir()}
	w.config = strings.NewReplacer(append(fill, "DIR", w.dir)...).Replace(frame)
	for _, dir := range []string{"zones", "geoip"} {
		if err := os.Mkdir(filepath.Join(w.dir, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	w.write(t, "zones/example.com", zoneFile)
	w.write(t, "geoip/nets", nets+"\n")
	w.write(t, "geoip/City.mmdb", w.database(t))
	return w
}

func (w *world) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

type city struct {
	continent, country string
	lat, lon           float64
}

// cities are on all continents, some of them nearer to another one's edges.
func cities() []city {
	return []city{
		{"EU", "DE", 52.52, 13.4}, {"EU", "GB", 51.5, -0.1}, {"EU", "PT", 38.7, -9.1}, {"EU", "RU", 43.1, 131.9}, {"NA", "US", 37.8, -122.4},
		{"NA", "CA", 43.7, -79.4}, {"NA", "MX", 19.4, -99.1}, {"SA", "BR", -3.1, -60}, {"SA", "CL", -33.4, -70.7}, {"AF", "KE", -1.3, 36.8},
		{"AF", "MA", 33.6, -7.6}, {"AS", "JP", 35.7, 139.7}, {"AS", "IN", 28.6, 77.2}, {"AS", "TR", 39.9, 32.9}, {"OC", "NZ", -41.3, 174.8},
		{"OC", "AU", -31.9, 115.9}, {"AN", "AQ", -77.8, 166.7},
	}
}

// database makes a database of random networks in some cities, and clients in
// and beside them.
func (w *world) database(t *testing.T) string {
	t.Helper()
	cities := cities()
	tree, err := mmdbwriter.New(mmdbwriter.Options{
		DatabaseType: "GeoLite2-City", Description: map[string]string{"en": "Random networks. No MaxMind data."}, Languages: []string{"en"},
		RecordSize: 24, IncludeReservedNetworks: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 250 {
		a := [16]byte{12: byte(12 + random.IntN(200)), byte(random.IntN(256)), byte(random.IntN(256))}
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte(a[12:])), 10+random.IntN(15)).Masked()
		if i%5 == 0 {
			a = [16]byte{0x2a, byte(random.IntN(8)), byte(random.IntN(256)), byte(random.IntN(256)), 5: byte(random.IntN(256))}
			p = netip.PrefixFrom(netip.AddrFrom16(a), 20+random.IntN(29)).Masked()
		}
		c := cities[random.IntN(len(cities))]
		record := mmdbtype.Map{
			"continent": mmdbtype.Map{"code": mmdbtype.String(c.continent)},
			"country":   mmdbtype.Map{"iso_code": mmdbtype.String(c.country)},
			"location":  mmdbtype.Map{"latitude": mmdbtype.Float64(c.lat), "longitude": mmdbtype.Float64(c.lon)},
		}
		if err := tree.Insert(&net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}, record); err != nil {
			t.Fatal(err)
		}
		w.clients = append(w.clients, client(p.Addr()), client(prefix.Last(p)), client(prefix.Last(p).Next()))
	}
	for _, a := range []string{
		"10.1.2.3", "10.20.1.1", "10.20.29.1", "10.20.30.40", "10.20.31.1", "10.255.255.1", "11.0.0.1", "11.200.1.1", "9.9.9.9", "5.6.7.8", "7.255.255.1", "8.0.0.1",
		"2001:db8:ffff::1", "2001:db8:fffe::1", "2620::1", "240.1.1.1",
	} {
		w.clients = append(w.clients, client(netip.MustParseAddr(a)))
	}
	var b bytes.Buffer
	if _, err := tree.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// client is what resolvers tell of a client.
func client(a netip.Addr) netip.Prefix {
	bits := 24
	if a.Is6() {
		bits = 48
	}
	p, _ := a.Prefix(bits)
	return p
}
