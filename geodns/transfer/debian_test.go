package transfer_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"fmt"
	"math/big"
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

	"landfall"
	"landfall/geodns"
	"landfall/geodns/dnssec"
	"landfall/geodns/tsig"
	"landfall/geodns/zone"

	"github.com/miekg/dns"
)

// patience bounds whatever other programs have to do: loaded machines are slow.
const patience = time.Minute

const (
	keyName = "transfer.test"
	secret  = "thirty-two bytes of a shared secret"
)

func encoded() string { return base64.StdEncoding.EncodeToString([]byte(secret)) }

// primary is a name server on loopback whose secondary is at an address.
type primary struct {
	*geodns.Server
	addr netip.AddrPort
	m    *landfall.Map

	tls, https net.Listener
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// certificate is one for ns.test that signed itself.
func certificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ns.test"}, DNSNames: []string{"ns.test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func startPrimary(t *testing.T, secondary netip.AddrPort) *primary {
	t.Helper()
	if testing.Short() {
		t.Skip("needs Debian packages")
	}
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", conn.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	name, err := zone.ParseName(keyName)
	if err != nil {
		t.Fatal(err)
	}
	cert := certificate(t)
	p := &primary{addr: conn.LocalAddr().(*net.UDPAddr).AddrPort(), tls: listen(t), https: listen(t)}
	p.Server, err = geodns.New(geodns.Config{
		UDP: []*net.UDPConn{conn}, TCP: []net.Listener{l}, TLS: []net.Listener{p.tls}, HTTPS: []net.Listener{p.https},
		Certificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &cert, nil },
		Secrets:     tsig.NewRing(tsig.Key{Name: name, Algorithm: tsig.SHA256, Secret: []byte(secret)}),
	})
	if err != nil {
		t.Fatal(err)
	}
	p.m = &landfall.Map{
		Network: "landfall", Domain: "landfall.test", Serial: 7,
		Regions: []landfall.Region{{ID: "fra", Home: true}},
		Nodes: []landfall.Node{
			{ID: "fra1", Region: "fra", Roles: []landfall.Role{landfall.RoleEdge, landfall.RoleDNS}, Advertised: addrs("192.0.2.1", "2001:db8::1")},
			{ID: "fra2", Region: "fra", Roles: []landfall.Role{landfall.RoleEdge}, Advertised: addrs("192.0.2.2", "2001:db8::2")},
		},
		Services:    []landfall.Service{{Host: "chat.landfall.test", Upstream: "chat"}},
		Records:     []landfall.Record{{Name: "*.wild.landfall.test", Type: "TXT", Data: "any"}, {Name: "sub.landfall.test", Type: "NS", Data: "ns.sub"}, {Name: "ns.sub.landfall.test", Type: "A", Data: "192.0.2.53"}},
		Secondaries: []landfall.Secondary{{Address: secondary, Key: keyName}},
		Steering:    landfall.Steering{Answers: 1},
	}
	p.SetMap(p.m)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return p
}

func addrs(all ...string) (out []netip.Addr) {
	for _, a := range all {
		out = append(out, netip.MustParseAddr(a))
	}
	return out
}

// add puts a record into the zone.
func (p *primary) add(name, rrtype, data string) {
	m := p.m.Clone()
	m.Serial++
	m.Records = append(m.Records, landfall.Record{Name: name + ".landfall.test", Type: rrtype, Data: data})
	p.m = m
	p.SetMap(m)
}

// start runs a program in a folder, until the test ends.
func start(t *testing.T, dir, name string, args ...string) {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		path = filepath.Join("/usr/sbin", name)
	}
	cmd, out := exec.Command(path, args...), new(bytes.Buffer)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, out, out
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v: make deps installs it", err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		select {
		case <-ended:
		case <-time.After(patience):
			cmd.Process.Kill()
			<-ended
		}
		if t.Failed() {
			t.Logf("%s said:\n%s", name, out)
		}
	})
}

// free finds a port of loopback that nobody has, by UDP or TCP.
func free(t *testing.T) netip.AddrPort {
	t.Helper()
	for range 100 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addr := l.Addr().(*net.TCPAddr).AddrPort()
		c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(addr))
		l.Close()
		if err == nil {
			c.Close()
			return addr
		}
	}
	t.Fatal("no free port")
	return netip.AddrPort{}
}

// answer asks a server until it answers as wanted.
func answer(t *testing.T, at netip.AddrPort, name string, rrtype uint16, want func(*dns.Msg) bool) (got *dns.Msg) {
	t.Helper()
	m := new(dns.Msg).SetQuestion(strings.TrimPrefix(name+".landfall.test.", "."), rrtype)
	eventually(t, func() (err error) {
		c := dns.Client{Timeout: time.Second}
		if got, _, err = c.Exchange(m, at.String()); err == nil && want(got) {
			return nil
		}
		return fmt.Errorf("%s %s: %w\n%v", name, dns.Type(rrtype), err, got)
	})
	return got
}

// holds reports whether an answer has records with these ends, and no others.
func holds(ends ...string) func(*dns.Msg) bool {
	return func(m *dns.Msg) bool {
		if len(m.Answer) != len(ends) {
			return false
		}
		for i, rr := range m.Answer {
			if !strings.HasSuffix(rr.String(), "\t"+ends[i]) {
				return false
			}
		}
		return true
	}
}

// follows goes through what a secondary has to take over.
func follows(t *testing.T, p *primary, at netip.AddrPort) {
	t.Helper()
	answer(t, at, "chat", dns.TypeA, holds("192.0.2.1"))
	answer(t, at, "x.wild", dns.TypeTXT, holds(`"any"`))
	answer(t, at, "chat", dns.TypeHTTPS, func(m *dns.Msg) bool { return len(m.Answer) == 1 })
	soa := answer(t, p.addr, "", dns.TypeSOA, func(m *dns.Msg) bool { return len(m.Answer) == 1 }).Answer[0].String()
	answer(t, at, "", dns.TypeSOA, func(m *dns.Msg) bool { return len(m.Answer) == 1 && m.Answer[0].String() == soa })
	before := p.TransferStats()

	p.add("late", "A", "192.0.2.77")
	answer(t, at, "late", dns.TypeA, holds("192.0.2.77"))
	p.SetHealth(map[landfall.NodeID]bool{"fra1": true})
	answer(t, at, "chat", dns.TypeA, holds("192.0.2.2"))

	eventually(t, func() error { // the last message may be on its way
		now := p.TransferStats()
		if now.Sent["differences"] == before.Sent["differences"]+2 && now.Sent["whole"] == before.Sent["whole"] && now.Notified["heard"] >= 2 && now.Unbelieved == 0 {
			return nil
		}
		return fmt.Errorf("figures: %+v, before %+v", now, before)
	})
}

// eventually tries until something is so.
func eventually(t *testing.T, try func() error) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	enough := time.After(patience)
	for {
		err := try()
		if err == nil {
			return
		}
		select {
		case <-enough:
			t.Fatal(err)
		case <-tick.C:
		}
	}
}

func TestKnotFollows(t *testing.T) {
	at, dir := free(t), t.TempDir()
	p := startPrimary(t, at)
	conf := fmt.Sprintf(`
server:
    rundir: %[1]q
    listen: 127.0.0.1@%[2]d
database:
    storage: %[1]q
log:
  - target: stderr
    any: info
key:
  - id: %[3]s
    algorithm: hmac-sha256
    secret: %[4]s
remote:
  - id: primary
    address: 127.0.0.1@%[5]d
    key: %[3]s
acl:
  - id: told
    address: 127.0.0.1
    key: %[3]s
    action: notify
zone:
  - domain: landfall.test
    storage: %[1]q
    master: primary
    acl: told
`, dir, at.Port(), keyName, encoded(), p.addr.Port())
	start(t, dir, "knotd", "-c", write(t, dir, "knot.conf", conf))
	follows(t, p, at)
}

func TestNSDFollows(t *testing.T) {
	at, dir := free(t), t.TempDir()
	p := startPrimary(t, at)
	conf := fmt.Sprintf(`
server:
    ip-address: 127.0.0.1@%[2]d
    username: ""
    zonesdir: %[1]q
    database: ""
    pidfile: ""
    zonelistfile: "%[1]s/zone.list"
    xfrdfile: "%[1]s/xfrd.state"
    xfrdir: %[1]q
    server-count: 1
    verbosity: 2
remote-control:
    control-enable: no
key:
    name: %[3]q
    algorithm: hmac-sha256
    secret: %[4]q
zone:
    name: landfall.test
    zonefile: landfall.test.zone
    request-xfr: 127.0.0.1@%[5]d %[3]s
    allow-notify: 127.0.0.1 %[3]s
`, dir, at.Port(), keyName, encoded(), p.addr.Port())
	start(t, dir, "nsd", "-d", "-c", write(t, dir, "nsd.conf", conf))
	follows(t, p, at)
}

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// lines are what a program says.
func lines(t *testing.T, name string, args ...string) []string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v: make deps installs it\n%s", name, err, out)
	}
	var got []string
	for line := range strings.SplitSeq(string(out), "\n") {
		if words := strings.Fields(line); len(words) > 4 && !strings.HasPrefix(line, ";") {
			got = append(got, strings.Join(words, " "))
		}
	}
	return got
}

// TestToolsTransfer has dig and kdig fetch a signed zone, and ldns look whether
// it is whole.
func TestToolsTransfer(t *testing.T) {
	p := startPrimary(t, netip.MustParseAddrPort("127.0.0.1:9"))
	name, err := zone.ParseName("landfall.test")
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
	keys, err := dnssec.Local(name, ksk, zsk, time.Now(), time.Now().Add(30*24*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	p.SetKeys([]dnssec.Keys{keys})
	port := fmt.Sprint(p.addr.Port())
	key := "hmac-sha256:" + keyName + ":" + encoded()
	var byDig []string
	eventually(t, func() error { // keys are in what is copied a little later
		byDig = lines(t, "dig", "@127.0.0.1", "-p", port, "-y", key, "+onesoa", "landfall.test", "AXFR")
		byDig = slices.DeleteFunc(byDig, func(s string) bool { return strings.Contains(s, " TSIG ") })
		if !slices.ContainsFunc(byDig, func(s string) bool { return strings.Contains(s, " DNSKEY ") }) {
			return fmt.Errorf("no keys in\n%s", strings.Join(byDig, "\n"))
		}
		return nil
	})
	byKdig := lines(t, "kdig", "@127.0.0.1", "-p", port, "-y", key, "landfall.test", "AXFR")
	if len(byDig) < 20 || len(byKdig) < len(byDig) {
		t.Fatalf("%d records by dig, %d by kdig\n%s\n%s", len(byDig), len(byKdig), strings.Join(byDig, "\n"), strings.Join(byKdig, "\n"))
	}
	file := write(t, t.TempDir(), "zone", strings.Join(byDig, "\n")+"\n")
	if out, err := exec.Command("ldns-verify-zone", file).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestToolsAskEncrypted has kdig ask by TLS and HTTPS, several questions by one
// connection, and fetch a zone by TLS (RFC 9103).
func TestToolsAskEncrypted(t *testing.T) {
	p := startPrimary(t, netip.MustParseAddrPort("127.0.0.1:9"))
	_, byTLS, _ := net.SplitHostPort(p.tls.Addr().String())
	_, byHTTPS, _ := net.SplitHostPort(p.https.Addr().String())
	for how, args := range map[string][]string{
		"tls": {"-p", byTLS, "+tls", "+padding"}, "https": {"-p", byHTTPS, "+https=/dns-query", "+padding"}, "https get": {"-p", byHTTPS, "+https-get=/dns-query"},
	} {
		got := lines(t, "kdig", append(append([]string{"@127.0.0.1"}, args...), "+keepopen", "chat.landfall.test", "A", "chat.landfall.test", "AAAA")...)
		if len(got) != 2 || !strings.HasPrefix(got[0], "chat.landfall.test. 30 IN A 192.0.2.") || !strings.HasPrefix(got[1], "chat.landfall.test. 30 IN AAAA 2001:db8::") {
			t.Errorf("%s: %q", how, got)
		}
	}
	eventually(t, func() error {
		zone := lines(t, "kdig", "@127.0.0.1", "-p", byTLS, "+tls", "-y", "hmac-sha256:"+keyName+":"+encoded(), "landfall.test", "AXFR")
		if len(zone) < 8 {
			return fmt.Errorf("by TLS came %q", zone)
		}
		return nil
	})
	if s := p.Stats(); s.Queries["tls"] < 2 || s.Queries["https"] != 4 {
		t.Errorf("figures: %v", s.Queries)
	}
}
