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
	"strings"
	"syscall"
	"testing"
	"time"

	"landfall"
	"landfall/geodns"
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
	conn, l := pair(t)
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
	p.m = copied(secondary)
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

// copied is what a secondary is to take over.
func copied(secondary netip.AddrPort) *landfall.Map {
	return &landfall.Map{
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
	c, l := pair(t)
	defer l.Close()
	defer c.Close()
	return l.Addr().(*net.TCPAddr).AddrPort()
}

// pair opens a port of loopback by UDP and TCP.
func pair(t *testing.T) (*net.UDPConn, net.Listener) {
	t.Helper()
	for range 100 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(l.Addr().(*net.TCPAddr).AddrPort()))
		if err == nil {
			return c, l
		}
		l.Close()
	}
	t.Fatal("no free port")
	return nil, nil
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
