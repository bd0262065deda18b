package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"landfall"
	"landfall/cmd/internal/admin"

	"github.com/miekg/dns"
	"golang.org/x/sys/unix"
)

// listen is an open port of loopback whose connections get f.
func listen(t *testing.T, f func(net.Conn)) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			f(c)
			c.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-ended })
	return l.Addr().(*net.TCPAddr).AddrPort()
}

// shut is a TCP port of all addresses that nobody listens on, and nobody can
// for as long as the test runs.
func shut(t *testing.T) netip.AddrPort {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := unix.Bind(fd, &unix.SockaddrInet4{}); err != nil {
		t.Fatal(err)
	}
	at, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return netip.AddrPortFrom(addr("127.0.0.1"), uint16(at.(*unix.SockaddrInet4).Port))
}

// deaf is a UDP port that strangers are turned away from: it is connected.
func deaf(t *testing.T) netip.AddrPort {
	t.Helper()
	c, err := net.DialUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}, net.UDPAddrFromAddrPort(silence(t)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.LocalAddr().(*net.UDPAddr).AddrPort()
}

// silence is a UDP port that never answers.
func silence(t *testing.T) netip.AddrPort {
	t.Helper()
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.LocalAddr().(*net.UDPAddr).AddrPort()
}

func secure(t *testing.T) (*httptest.Server, *x509.CertPool) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, `{"newOrder":"https://ca/o","meta":{"caaIdentities":["ca.example"]}}`)
	}))
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)
	s.StartTLS()
	t.Cleanup(s.Close)
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate()) // of example.com, among others
	return s, pool
}

func TestTries(t *testing.T) {
	web, pool := secure(t)
	at := netip.MustParseAddrPort(web.Listener.Addr().String())
	w := newTown(t)
	names := netip.AddrPortFrom(addr("127.0.0.11"), w.cfg.Map.Ports.DNS)
	foreign := netip.AddrPortFrom(addr("127.0.0.1"), serveDNS(t, func(rw dns.ResponseWriter, q *dns.Msg) { rw.WriteMsg(new(dns.Msg).SetRcode(q, dns.RcodeRefused)) }, "127.0.0.1"))
	m := testMap()
	m.Services = []landfall.Service{{Host: "example.com", Upstream: landfall.UpstreamChat}}
	other := m.Clone()
	other.Services[0].Host = "other.example"
	for _, tt := range []struct {
		when string
		try  Try
		m    *landfall.Map
		want Fault
	}{
		{"web", Try{Network: "tcp", Addr: at, What: "https"}, m, ""},
		{"service", Try{Network: "tcp", Addr: at, What: "example.com"}, m, ""},
		{"certificate of another", Try{Network: "tcp", Addr: at, What: "https"}, other, Wrong},
		{"plain", Try{Network: "tcp", Addr: at, What: "http"}, m, ""},
		{"nobody", Try{Network: "tcp", Addr: shut(t), What: "http"}, m, Refused},
		{"no TLS", Try{Network: "tcp", Addr: listen(t, func(c net.Conn) { io.WriteString(c, "hello\r\n") }), What: "https"}, m, Wrong},
		{"names by UDP", Try{Network: "udp", Addr: names, What: "dns"}, m, ""},
		{"names by TCP", Try{Network: "tcp", Addr: names, What: "dns"}, m, ""},
		{"names of others", Try{Network: "udp", Addr: foreign, What: "dns"}, m, Wrong},
		{"nobody by UDP", Try{Network: "udp", Addr: deaf(t), What: "dns"}, m, Refused},
		{"silence", Try{Network: "udp", Addr: silence(t), What: "dns"}, m, Silent},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		if tt.want == Silent {
			ctx, cancel = context.WithTimeout(t.Context(), 100*time.Millisecond)
		}
		try := tt.try
		try.run(ctx, ReachConfig{Map: tt.m, From: "nyc1", To: "fra1", Roots: pool, Log: slog.New(slog.DiscardHandler)})
		cancel()
		if try.Fault != tt.want || try.Took <= 0 {
			t.Errorf("%s: %+v", tt.when, try)
		}
	}
}

func TestReachTriesAllOfANode(t *testing.T) {
	w := newTown(t)
	w.cfg.Map.Ports.HTTP, w.cfg.Map.Ports.HTTPS = shut(t).Port(), shut(t).Port()
	r := Reach(t.Context(), ReachConfig{Map: w.cfg.Map, From: "fra1", To: "nyc1"})
	var got []string
	for _, try := range r.Tries {
		got = append(got, try.Network+" "+try.What+" "+string(try.Fault))
	}
	if want := []string{"tcp http refused", "tcp https refused", "udp dns ", "tcp dns "}; !slices.Equal(got, want) || r.From != "fra1" || r.To != "nyc1" {
		t.Errorf("%q of %+v", got, r)
	}
}

func TestUpstreams(t *testing.T) {
	status := 200
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(status) }))
	t.Cleanup(web.Close)
	tlsWeb, _ := secure(t)
	plain := strings.TrimPrefix(web.URL, "http://")
	mail := listen(t, func(c net.Conn) {
		io.WriteString(c, "220 mail ready\r\n")
		io.Copy(io.Discard, c) // until the client has gone
	}).String()
	for _, tt := range []struct {
		when, upstream string
		kind           landfall.Kind
		status         int
		want           string
	}{
		{"good", web.URL, "", 200, "ok app.edge.example.com: " + web.URL + " answers 200"},
		{"its own fault", web.URL, "", 404, "ok answers 404"},
		{"down behind", web.URL, "", 503, "warn answers 503 Service Unavailable | curl -v " + web.URL},
		{"TLS asked of plain", "https://" + plain, "", 200, "fail speaks plain HTTP, not TLS | write http:// for https:// in network.toml"},
		{"unknown authority", tlsWeb.URL, "", 200, "fail does not answer as a web server: | curl -v"},
		{"mail", "http://" + mail, "", 200, `fail does not speak HTTP | write kind = "tcp"`},
		{"mail as tcp", "tcp://" + mail, landfall.TCP, 200, "ok tcp://" + mail + " takes connections"},
		{"nobody", "http://" + shut(t).String(), "", 200, "fail nothing answers for app.edge.example.com | start the application"},
	} {
		status = tt.status
		m := testMap()
		m.Services = []landfall.Service{{Host: "app.edge.example.com", Upstream: tt.upstream, Kind: tt.kind}, {Host: "chat.edge.example.com", Upstream: landfall.UpstreamChat}}
		p := &patient{Config: Config{Map: m}}
		p.self, _ = m.Node("fra1")
		n := notes{check: "upstreams"}
		p.upstreams(t.Context(), &n)
		expect(t, tt.when, n.list, tt.want)
		p.self, _ = m.Node("nyc1")
		n = notes{check: "upstreams"}
		p.upstreams(t.Context(), &n)
		expect(t, tt.when+", elsewhere", n.list)
	}
	expect(t, "TLS", judgeUpstream(landfall.Service{Host: "app.edge.example.com", Upstream: "http://127.0.0.1:1"}, 0, errors.New(`net/http: HTTP/1.x transport connection broken: malformed HTTP response "\x15\x03\x01\x00\x02\x02"`)),
		"fail http://127.0.0.1:1 speaks TLS | write https://")
}

func TestAuthorityIsAsked(t *testing.T) {
	s, _ := secure(t)
	ca := landfall.ACME{Agreed: true, Directory: s.URL + "/dir", Roots: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))}
	got := fetchAuthority(t.Context(), ca, time.Now)
	if got.err != nil || !slices.Equal(got.names, []string{"ca.example"}) || time.Since(got.date) > time.Minute || got.date.IsZero() {
		t.Errorf("%+v", got)
	}
	m := testMap()
	m.ACME = ca
	p := &patient{Config: Config{Map: m}, acme: got}
	n := notes{check: "authority"}
	p.authority(t.Context(), &n)
	expect(t, "there", n.list, "ok the certificate authority "+ca.Directory+" answers")
	ca.Roots = ""
	p.acme = fetchAuthority(t.Context(), ca, time.Now)
	n = notes{check: "authority"}
	p.authority(t.Context(), &n)
	expect(t, "not vouched for", n.list, "fail is out of reach, and no certificate can be renewed | curl -v "+ca.Directory)
	if _, ok := errors.AsType[*tls.CertificateVerificationError](p.acme.err); !ok {
		t.Errorf("%v", p.acme.err)
	}
}

func TestStateDirectory(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	check := func(cfg Config) []Finding {
		n := notes{check: "state"}
		(&patient{Config: cfg}).state(t.Context(), &n)
		return n.list
	}
	expect(t, "good", check(Config{Dir: dir}), "ok the state directory "+dir+" is ours alone")
	key := filepath.Join(dir, "node.key")
	if err := os.WriteFile(key, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	expect(t, "open key", check(Config{Dir: dir}), "fail others may read the secret "+key+" | chmod 600 "+key)
	expect(t, "none", check(Config{Dir: filepath.Join(dir, "no")}), "fail no such file | landfall join")
	expect(t, "of another network", check(Config{State: errors.New("it is of the network x")}), "fail it is of the network x | landfall join TOKEN --dir DIR")
}

func TestTimingLeavesNothingBehind(t *testing.T) {
	dir := t.TempDir()
	took, err := timeWrites(t.Context(), dir)
	if err != nil || len(took) == 0 || len(took) > writes || slices.Min(took) <= 0 {
		t.Fatalf("%v, %v", took, err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if _, err := timeWrites(t.Context(), filepath.Join(dir, "no")); err == nil {
		t.Error("wrote to a directory that is not there")
	}
}

func TestPathMTUOfLoopback(t *testing.T) {
	lo, err := net.InterfaceByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	for _, to := range []netip.AddrPort{silence(t), deaf(t)} {
		if got, err := pathMTU(t.Context(), to); err != nil || got != min(lo.MTU, 65535) { // RFC 791, 3.1
			t.Errorf("%v: %d, %v; want %d", to, got, err, lo.MTU)
		}
	}
}

// Examine of a network where all is well, but for what this machine is.
func TestExamine(t *testing.T) {
	w := newTown(t)
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	w.cfg.Dir = dir
	w.cfg.Overview = func(context.Context) admin.Overview {
		return admin.Overview{Nodes: []admin.Status{
			{Node: "fra1", Clock: time.Now(), Paths: []admin.Path{{Peer: "nyc1", Endpoint: "127.0.0.12:51820", Alive: true}}},
			{Node: "nyc1", Clock: time.Now()},
		}}
	}
	w.cfg.Reports = func(ctx context.Context) []Report {
		self, _ := w.cfg.Map.Node("fra1")
		return []Report{{From: "nyc1", To: "fra1", Tries: tries(w.cfg.Map, self)}}
	}
	var wrong []Finding
	seen := map[string]bool{}
	for _, f := range Examine(t.Context(), w.cfg) {
		seen[f.Check] = true
		machine := slices.Contains([]string{"disk", "limits", "kernel"}, f.Check)
		if f.Level != OK && !machine && !strings.Contains(f.What, "on 53 alone") {
			wrong = append(wrong, f)
		}
		if f.Level != OK && f.Cure == "" {
			t.Errorf("no cure: %+v", f)
		}
	}
	if len(wrong) > 0 {
		t.Errorf("not well: %+v", wrong)
	}
	for _, c := range []string{"state", "disk", "limits", "kernel", "clock", "mesh", "mtu", "reach", "name servers", "delegation", "aliases"} {
		if !seen[c] {
			t.Errorf("nothing of %s", c)
		}
	}
	w.cfg.Self = "ams1"
	if got := Examine(t.Context(), w.cfg); !Failed(got) {
		t.Errorf("a node that the map has not: %+v", got)
	}
	expect(t, "a stranger", Examine(t.Context(), Config{Self: "fra1"}), `fail the map has no node "fra1" | landfall status`)
}
