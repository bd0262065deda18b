package gdnsd_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"

	"landfall/cmd/internal/cli"
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
	several := strings.NewReplacer("192.0.2.1,", "[ 192.0.2.1, 192.0.2.11, 192.0.2.12 ],", "2001:db8::1 ", "[ 2001:db8::1, 2001:db8::11, 2001:db8::12 ] ").Replace(addresses)
	for _, story := range []struct{ name, places, centers string }{
		{"distance", byDistance, addresses}, {"lists", byLists, addresses}, {"mixed", mixed, addresses}, {"several", byDistance, several},
	} {
		t.Run(story.name, func(t *testing.T) {
			w := newWorld(t, "MAP", story.places, "DCMAP", story.centers, "SERVICE", "plugin => null", "WATCH", "up")
			theirs, ours := w.gdnsd(t), w.landfall(t, "none")
			seen := map[string]int{}
			for _, client := range w.clients {
				for _, rrtype := range []uint16{dns.TypeA, dns.TypeAAAA} {
					a, b := theirs.all(t, "www.example.com.", rrtype, client), ours.first(t, "www.example.com.", rrtype, client)
					if !slices.Contains(a, b) { // where gdnsd names several, which one is first changes all the time
						t.Errorf("%v asks for %s: gdnsd names %q, landfall %q", client, dns.Type(rrtype), a, b)
					}
					seen[b]++
				}
			}
			t.Logf("first of %d clients: %v", len(w.clients), seen)
			if len(seen) < 6 {
				t.Error("the clients prove little")
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

// What is imported in the other tests is what gdnsd takes, too.
func TestGdnsdTakesTheSameConfigurations(t *testing.T) {
	folders, err := filepath.Glob("testdata/*/want.txt")
	if err != nil {
		t.Fatal(err)
	}
	w, taken := newWorld(t), 0
	for _, file := range folders {
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		folder := filepath.Dir(file)
		if !strings.HasPrefix(string(want), "database") || folder == "testdata/beside" {
			continue
		}
		dir := t.TempDir()
		if err := errors.Join(os.CopyFS(dir, os.DirFS(folder)), os.MkdirAll(filepath.Join(dir, "geoip"), 0o755)); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"City.mmdb", "C.mmdb"} {
			if err := os.Link(filepath.Join(w.dir, "geoip/City.mmdb"), filepath.Join(dir, "geoip", name)); err != nil {
				t.Fatal(err)
			}
		}
		if out, err := exec.CommandContext(t.Context(), program(), "-c", dir, "checkconf").CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", folder, err, out)
		}
		taken++
	}
	if taken < 4 {
		t.Errorf("only %d configurations were tried", taken)
	}
}

// gdnsd starts gdnsd (Debian: gdnsd) on a port that is free.
func (w *world) gdnsd(t *testing.T) *server {
	t.Helper()
	for range 5 {
		l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addr := l.Addr().String()
		l.Close()
		w.write(t, "config", strings.Replace(w.config, "LISTEN", addr, 1)+"\n")
		if w.started(t) {
			return dial(t, addr)
		}
	}
	t.Fatal("gdnsd does not start")
	return nil
}

// program is gdnsd, which not everybody's PATH has.
func program() string {
	if found, err := exec.LookPath("gdnsd"); err == nil {
		return found
	}
	return "/usr/sbin/gdnsd"
}

// started runs gdnsd until the end of the test.
func (w *world) started(t *testing.T) bool {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, program(), "-c", w.dir, "start")
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
	args := []string{"dns", "import-gdnsd", "config", "--output", "network.toml"}
	if !strings.Contains(w.config, "auto_dc_coords") {
		for _, place := range []string{"fra=50.11,8.68", "nyc=40.71,-74.01", "sin=1.29,103.85", "gru=-23.55,-46.63", "syd=-33.87,151.21"} {
			args = append(args, "--place", place)
		}
	}
	var said bytes.Buffer
	env := cli.Env{Stdin: strings.NewReader(""), Stdout: &said, Stderr: &said, Dir: w.dir, Getenv: func(string) string { return "" }}
	for _, args := range [][]string{args, {"check"}} {
		if status := cli.Main(t.Context(), env, args); status != cli.ExitOK {
			t.Fatalf("landfall %q: exit status %d\n%s", args, status, said.String())
		}
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

// all are the addresses of an answer.
func (s *server) all(t *testing.T, name string, rrtype uint16, client netip.Prefix) (out []string) {
	t.Helper()
	for _, rr := range s.ask(t, name, rrtype, client).Answer {
		switch rr := rr.(type) {
		case *dns.A:
			out = append(out, rr.A.String())
		case *dns.AAAA:
			out = append(out, rr.AAAA.String())
		}
	}
	return out
}

// first is the first address of an answer; empty if there is none.
func (s *server) first(t *testing.T, name string, rrtype uint16, client netip.Prefix) string {
	t.Helper()
	if all := s.all(t, name, rrtype, client); len(all) > 0 {
		return all[0]
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
