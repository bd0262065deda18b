package gdnsd_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"
	"github.com/miekg/dns"

	"landfall"
	"landfall/cmd/internal/cli"
	"landfall/cmd/internal/config"
	"landfall/cmd/internal/gdnsd"
)

// Both servers are given the same database and are asked by the same clients.
// The configuration of each test maps fully: whatever gdnsd names first,
// Landfall has to name first.

const (
	frame = `
options => { listen => [ LISTEN ], run_dir => "DIR/run", state_dir => "DIR/state" }
service_types => { web => { SERVICE } }
plugins => {
  geoip => {
    service_types => WATCH
    maps => { world => { geoip2_db => City.mmdb, datacenters => [ nyc, fra, sin, gru, syd ], MAP } }
    resources => { www => { map => world, dcmap => DCMAP } }
  }
  weighted => { gru => { addrs_v4 => { a => [ 192.0.2.4, 1 ] }, addrs_v6 => { a => [ 2001:db8::4, 1 ] } } }
  static => { fixed => 192.0.2.77 }
}
`
	coordinates = `auto_dc_coords => {
      fra => [ 50.11, 8.68 ], nyc => [ 40.71, -74.01 ], sin => [ 1.29, 103.85 ], gru => [ -23.55, -46.63 ], syd => [ -33.87, 151.21 ]
    }
    `
	byDistance = coordinates + `nets => nets, map => { AF => [ fra, gru ], NA => { MX => [ gru ], CA => auto } }`
	mixed      = coordinates + `map => { default => [ gru, sin, nyc, fra, syd ], AS => auto, EU => auto }`
	byLists    = `nets => nets, map => {
      default => [ fra, nyc ], SA => [ gru, nyc ], OC => syd, NA => nyc
      AS => { default => [ sin, syd ], JP => [ syd ], IN => { default => [ fra, sin ] } }
      EU => { GB => [ nyc, fra ] }
    }`
	addresses = `{
      fra => { addrs_v4 => 192.0.2.1, addrs_v6 => 2001:db8::1 }
      nyc => { addrs_v4 => [ 192.0.2.2 ], addrs_v6 => [ 2001:db8::2 ] }
      sin => { addrs_v4 => { a => 192.0.2.3 }, addrs_v6 => { a => 2001:db8::3 } }
      gru => %weighted!gru
      syd => { plugin => simplefo, addrs_v4 => { primary => 192.0.2.5, secondary => 192.0.2.6 }, addrs_v6 => { primary => 2001:db8::5, secondary => 2001:db8::6 } }
    }`
	nets = `10.0.0.0/8 => [ sin ], 10.20.0.0/16 => [ gru, fra ], 10.20.30.0/24 => syd
::0b00:0000/104 => fra  # 11.0.0.0/8
2001:db8:ffff::/48 => [ sin, fra ], 2001:db8:ffff:8000::/49 => syd
0.0.0.0/5 => gru`
	zoneFile = `@ SOA ns1 hostmaster 1 7200 1800 259200 900
@ NS ns1
ns1 A 192.0.2.53
www 300/300 DYNA geoip!www
@ 60 DYNA geoip!www
fixed 90 DYNA static!fixed
web 77 CNAME www
@ MX 10 mail
mail 2H A 192.0.2.25
	AAAA 2001:db8:25::1
*.wild TXT "any" "\"name\"" plain\;text
_sip._tcp SRV 5 10 5060 mail
@ CAA 0 issue "ca.example.net"
raw TYPE65280 \# 4 0A0B 0C0D
num NAPTR 10 20 "u" "E2U+sip" "!^.*$!sip:info@example.com!" .
ptr PTR mail.@Z
$ORIGIN deep
x A 192.0.2.9
sub NS ns.sub
ns.sub A 192.0.2.11
`
)

func TestClientsGetTheSameFirstAddressFromBoth(t *testing.T) {
	for _, story := range []struct{ name, places string }{{"distance", byDistance}, {"lists", byLists}, {"mixed", mixed}} {
		t.Run(story.name, func(t *testing.T) {
			w := newWorld(t, "MAP", story.places, "DCMAP", addresses, "SERVICE", "plugin => null", "WATCH", "up")
			theirs, ours := w.gdnsd(t), w.landfall(t, "none")
			seen := map[string]int{}
			for _, client := range w.clients {
				for _, rrtype := range []uint16{dns.TypeA, dns.TypeAAAA} {
					a, b := theirs.first(t, "www.example.com.", rrtype, client), ours.first(t, "www.example.com.", rrtype, client)
					if a != b || a == "" {
						t.Errorf("%v asks for %s: gdnsd names %q, landfall %q", client, dns.Type(rrtype), a, b)
					}
					seen[a]++
				}
			}
			if len(seen) < 6 {
				t.Errorf("only %v were named: the clients prove little", seen)
			}
			w.sameRecords(t, theirs, ours)
		})
	}
}

// sameRecords compares the answers about what is the same for everybody.
func (w *world) sameRecords(t *testing.T, theirs, ours *server) {
	t.Helper()
	for _, q := range []string{
		"fixed A", "fixed AAAA", "web CNAME", " MX", "mail A", "mail AAAA", "a.b.wild TXT", "_sip._tcp SRV", " CAA", "raw TYPE65280",
		"num NAPTR", "ptr PTR", "x.deep A", "y.sub.deep A", "nothing A", "mail MX", "deep A",
	} {
		name, rrtype, _ := strings.Cut(q, " ")
		number, ok := dns.StringToType[rrtype]
		if !ok {
			number = 65280
		}
		name = strings.TrimPrefix(name+".example.com.", ".")
		a, b := theirs.ask(t, name, number, netip.Prefix{}), ours.ask(t, name, number, netip.Prefix{})
		if x, y := said(a), said(b); !slices.Equal(x, y) {
			t.Errorf("%s:\ngdnsd says    %q\nlandfall says %q", q, x, y)
		}
	}
}

// said is what an answer says, but for the zone's own authority.
func said(m *dns.Msg) []string {
	out := []string{dns.RcodeToString[m.Rcode]}
	for _, rr := range slices.Concat(m.Answer, m.Ns) {
		if rr.Header().Rrtype != dns.TypeSOA {
			out = append(out, rr.String())
		}
	}
	slices.Sort(out)
	return out
}

// Edges that are down are left for the next of the list by both, and come
// back.
func TestHealthOfTheSameEdgesIsHeededByBoth(t *testing.T) {
	edges := newEdges(t, 5)
	w := newWorld(t, "MAP", byDistance, "WATCH", "web",
		"DCMAP", "{ fra => 127.0.9.1, nyc => 127.0.9.2, sin => 127.0.9.3, gru => 127.0.9.4, syd => 127.0.9.5 }",
		"SERVICE", "plugin => http_status, url_path => /ok, vhost => www.example.com, interval => 2, timeout => 1, up_thresh => 1, ok_thresh => 1, down_thresh => 1, port => "+edges.port)
	theirs, ours := w.gdnsd(t), w.landfall(t, "http")
	listed := netip.MustParsePrefix("10.20.1.0/24") // gru, then fra
	w.settle(t, theirs, ours, listed, "127.0.9.4")
	edges.down[3].Store(true)
	w.settle(t, theirs, ours, listed, "127.0.9.1")
	for _, client := range w.clients {
		a, b := theirs.first(t, "www.example.com.", dns.TypeA, client), ours.first(t, "www.example.com.", dns.TypeA, client)
		// Where a list ends, gdnsd names who is down, and we the next.
		if b == "127.0.9.4" || a != "127.0.9.4" && a != b {
			t.Errorf("%v: gdnsd names %q, landfall %q", client, a, b)
		}
	}
	edges.down[3].Store(false)
	w.settle(t, theirs, ours, listed, "127.0.9.4")
}

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

// database makes a database of random networks in some cities, and clients in
// and beside them.
func (w *world) database(t *testing.T) string {
	t.Helper()
	cities := []struct {
		continent, country string
		lat, lon           float64
	}{
		{"EU", "DE", 52.52, 13.4}, {"EU", "GB", 51.5, -0.1}, {"EU", "PT", 38.7, -9.1}, {"EU", "RU", 43.1, 131.9}, {"NA", "US", 37.8, -122.4},
		{"NA", "CA", 43.7, -79.4}, {"NA", "MX", 19.4, -99.1}, {"SA", "BR", -3.1, -60}, {"SA", "CL", -33.4, -70.7}, {"AF", "KE", -1.3, 36.8},
		{"AF", "MA", 33.6, -7.6}, {"AS", "JP", 35.7, 139.7}, {"AS", "IN", 28.6, 77.2}, {"AS", "TR", 39.9, 32.9}, {"OC", "NZ", -41.3, 174.8},
		{"OC", "AU", -31.9, 115.9}, {"AN", "AQ", -77.8, 166.7},
	}
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
		w.clients = append(w.clients, client(p.Addr()), client(last(p)), client(last(p).Next()))
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

func last(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

// gdnsd starts gdnsd (Debian: gdnsd) on a port that is free.
func (w *world) gdnsd(t *testing.T) *server {
	t.Helper()
	program, err := exec.LookPath("gdnsd")
	if err != nil {
		program = "/usr/sbin/gdnsd" // not everybody's PATH has it
	}
	for range 5 {
		l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addr := l.Addr().String()
		l.Close()
		w.write(t, "config", strings.Replace(w.config, "LISTEN", addr, 1)+"\n")
		if w.started(t, program) {
			return dial(t, addr)
		}
	}
	t.Fatal("gdnsd does not start")
	return nil
}

// started runs gdnsd until the end of the test.
func (w *world) started(t *testing.T, program string) bool {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, program, "-c", w.dir, "start")
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	stderr, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		cancel()
		t.Fatalf("gdnsd: %v", err)
	}
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		if strings.Contains(lines.Text(), "DNS listeners started") {
			read := make(chan struct{})
			go func() {
				defer close(read)
				io.Copy(io.Discard, stderr)
			}()
			t.Cleanup(func() { cancel(); <-read; cmd.Wait() })
			return true
		}
		t.Log(lines.Text())
	}
	cancel()
	cmd.Wait()
	return false
}

// landfall imports the configuration and serves what comes of it.
func (w *world) landfall(t *testing.T, probe string) *server {
	t.Helper()
	o := gdnsd.Options{}
	if !strings.Contains(w.config, "auto_dc_coords") {
		o.Places = map[string]landfall.Place{
			"fra": {Lat: 50.11, Lon: 8.68}, "nyc": {Lat: 40.71, Lon: -74.01}, "sin": {Lat: 1.29, Lon: 103.85}, "gru": {Lat: -23.55, Lon: -46.63}, "syd": {Lat: -33.87, Lon: 151.21},
		}
	}
	r, err := gdnsd.Import(os.DirFS("/"), w.dir, o)
	if bad, ok := errors.AsType[*config.Error](err); ok {
		t.Fatal(bad.Explain())
	}
	if err != nil {
		t.Fatal(err)
	}
	w.write(t, "network.toml", r.Text)
	var said bytes.Buffer
	env := cli.Env{Stdin: strings.NewReader(""), Stdout: &said, Stderr: &said, Dir: w.dir, Getenv: func(string) string { return "" }}
	if status := cli.Main(t.Context(), env, []string{"check"}); status != cli.ExitOK {
		t.Fatalf("landfall check: exit status %d\n%s", status, said.String())
	}
	ctx, cancel := context.WithCancel(context.Background())
	read, write := io.Pipe()
	env.Stdout, env.Stderr = write, t.Output()
	done := make(chan int)
	go func() {
		defer close(done)
		if status := cli.Main(ctx, env, []string{"dns", "serve", "--geo", "geoip/City.mmdb", "--listen", "127.0.0.1:0", "--probe", probe}); status != cli.ExitOK {
			t.Errorf("landfall dns serve: exit status %d", status)
		}
		write.Close()
	}()
	t.Cleanup(func() { cancel(); read.Close(); <-done })
	lines := bufio.NewScanner(read)
	if !lines.Scan() {
		t.Fatal("landfall dns serve says nothing")
	}
	_, addr, ok := strings.Cut(lines.Text(), " on ")
	if !ok {
		t.Fatal(lines.Text())
	}
	return dial(t, addr)
}

// server is one of the two, asked over TCP, which is not limited.
type server struct{ *dns.Conn }

func dial(t *testing.T, addr string) *server {
	t.Helper()
	c, err := dns.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &server{c}
}

// ask asks on behalf of a client, if there is one.
func (s *server) ask(t *testing.T, name string, rrtype uint16, client netip.Prefix) *dns.Msg {
	t.Helper()
	m := new(dns.Msg).SetQuestion(name, rrtype)
	m.SetEdns0(4096, false)
	if client.IsValid() {
		family := uint16(1)
		if client.Addr().Is6() {
			family = 2
		}
		m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_SUBNET{Code: dns.EDNS0SUBNET, Family: family, SourceNetmask: uint8(client.Bits()), Address: client.Addr().AsSlice()}}
	}
	answer, _, err := (&dns.Client{Timeout: 5 * time.Second}).ExchangeWithConn(m, s.Conn)
	if err != nil {
		t.Fatalf("%s %s: %v", name, dns.Type(rrtype), err)
	}
	return answer
}

// first is the first address of an answer.
func (s *server) first(t *testing.T, name string, rrtype uint16, client netip.Prefix) string {
	t.Helper()
	for _, rr := range s.ask(t, name, rrtype, client).Answer {
		switch rr := rr.(type) {
		case *dns.A:
			return rr.A.String()
		case *dns.AAAA:
			return rr.AAAA.String()
		}
	}
	return ""
}

// settle waits until both name the address first for a client.
func (w *world) settle(t *testing.T, theirs, ours *server, client netip.Prefix, want string) {
	t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(time.Minute)
	for {
		a, b := theirs.first(t, "www.example.com.", dns.TypeA, client), ours.first(t, "www.example.com.", dns.TypeA, client)
		if a == want && b == want {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("gdnsd names %q, landfall %q; want %q", a, b, want)
		}
	}
}
