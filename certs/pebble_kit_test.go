package certs

import (
	"bytes"
	"context"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// world is the name servers as an authority sees them: ours, and that of the
// owners of hosts elsewhere.
type world struct {
	addr string

	mu      sync.Mutex
	txt     map[string][]string // by name without the final dot
	alias   map[string]string
	lie     bool     // answers something else
	history []string // how many names each Present had
}

func newWorld(t *testing.T) *world {
	t.Helper()
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	tcp, err := net.Listen("tcp", udp.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	w := &world{addr: udp.LocalAddr().String(), alias: map[string]string{}}
	for _, s := range []*dns.Server{{PacketConn: udp, Handler: w}, {Listener: tcp, Handler: w}} {
		ended := make(chan error, 1)
		go func() { ended <- s.ActivateAndServe() }()
		t.Cleanup(func() {
			udp.Close()
			tcp.Close()
			<-ended
		})
	}
	return w
}

// Present implements Challenges.
func (w *world) Present(_ context.Context, records map[string][]string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.txt = records
	w.history = append(w.history, fmt.Sprint(len(records)))
	return nil
}

func (w *world) set(lie bool, alias map[string]string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lie, w.alias = lie, alias
}

func (w *world) presented() (texts int, history string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.txt), strings.Join(w.history, " ")
}

// ServeDNS implements dns.Handler.
func (w *world) ServeDNS(out dns.ResponseWriter, q *dns.Msg) {
	w.mu.Lock()
	defer w.mu.Unlock()
	m := new(dns.Msg).SetReply(q)
	defer func() { out.WriteMsg(m) }()
	name := strings.ToLower(strings.TrimSuffix(q.Question[0].Name, "."))
	if target, ok := w.alias[name]; ok {
		m.Answer = append(m.Answer, &dns.CNAME{Hdr: header(name, dns.TypeCNAME), Target: dns.Fqdn(target)})
		name = target
	}
	if q.Question[0].Qtype != dns.TypeTXT {
		return
	}
	for _, text := range w.txt[name] {
		if w.lie {
			text = "something else"
		}
		m.Answer = append(m.Answer, &dns.TXT{Hdr: header(name, dns.TypeTXT), Txt: []string{text}})
	}
}

func header(name string, kind uint16) dns.RR_Header {
	return dns.RR_Header{Name: dns.Fqdn(name), Rrtype: kind, Class: dns.ClassINET}
}

// pebble is Let's Encrypt's authority for tests, as a process.
type pebble struct {
	program, dir string
	acme, manage string // addresses
	world        *world
	api          []byte // the certificate of its own listeners, in PEM

	cmd *exec.Cmd
	out *bytes.Buffer
}

// newPebble builds it, and starts it on free ports.
func newPebble(t *testing.T, w *world) *pebble {
	t.Helper()
	p := &pebble{dir: t.TempDir(), world: w}
	p.program = filepath.Join(p.dir, "pebble")
	build := exec.CommandContext(t.Context(), "go", "build", "-C", "../bench", "-o", p.program, "github.com/letsencrypt/pebble/v2/cmd/pebble")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build pebble: %v\n%s", err, out)
	}
	p.acme, p.manage = freePort(t), freePort(t)
	p.certify(t)
	config, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress": p.acme, "managementListenAddress": p.manage,
		"certificate": filepath.Join(p.dir, "api.crt"), "privateKey": filepath.Join(p.dir, "api.key"),
		"httpPort": 1, "tlsPort": 1, "ocspResponderURL": "", "externalAccountBindingRequired": false, "keyAlgorithm": "ecdsa",
		"domainBlocklist": []string{"blocked.example"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(p.dir, "config.json"), config, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.stop)
	p.start(t)
	return p
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// certify makes the certificate of its listeners.
func (p *pebble) certify(t *testing.T) {
	t.Helper()
	key := newKey(t, elliptic.P256())
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	text, err := formatKey(key)
	if err != nil {
		t.Fatal(err)
	}
	p.api = formatChain(der)
	for name, b := range map[string][]byte{"api.crt": p.api, "api.key": text} {
		if err := os.WriteFile(filepath.Join(p.dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func (p *pebble) start(t *testing.T) {
	t.Helper()
	p.out = &bytes.Buffer{}
	p.cmd = exec.Command(p.program, "-config", filepath.Join(p.dir, "config.json"), "-dnsserver", p.world.addr)
	p.cmd.Env = append(os.Environ(), "PEBBLE_VA_NOSLEEP=1", "PEBBLE_WFE_NONCEREJECT=20", "PEBBLE_AUTHZREUSE=0")
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	deadline, tick := time.After(20*time.Second), time.NewTicker(20*time.Millisecond)
	defer tick.Stop()
	for {
		if c, err := net.Dial("tcp", p.acme); err == nil {
			c.Close()
			if c, err := net.Dial("tcp", p.manage); err == nil {
				c.Close()
				return
			}
		}
		select {
		case <-deadline:
			p.stop()
			t.Fatalf("pebble does not start:\n%s", p.out)
		case <-tick.C:
		}
	}
}

func (p *pebble) stop() {
	p.cmd.Process.Kill()
	p.cmd.Wait()
}

// get asks its management.
func (p *pebble) get(t *testing.T, path string) string {
	t.Helper()
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(p.api)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, DisableKeepAlives: true}}
	res, err := client.Get("https://" + p.manage + path)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %v", path, res.Status, err)
	}
	return string(b)
}

// roots are what a map needs to trust it: its issuing root, which is another
// at each start, and the certificate of its listeners.
func (p *pebble) roots(t *testing.T) string { return p.get(t, "/roots/0") + string(p.api) }
