package certs

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"landfall"
)

func network(hosts ...string) *landfall.Map {
	m := &landfall.Map{
		Network: "test", Domain: "landfall.test", Serial: 7,
		Nodes: []landfall.Node{
			{ID: "fra1", Roles: []landfall.Role{landfall.RoleOrigin}},
			{ID: "nyc1", Roles: []landfall.Role{landfall.RoleEdge}},
			{ID: "old1", Roles: []landfall.Role{landfall.RoleEdge}, State: landfall.Gone},
			{ID: "sin1", Roles: []landfall.Role{landfall.RoleEdge}, State: landfall.Draining},
		},
	}
	for _, h := range hosts {
		m.Services = append(m.Services, landfall.Service{Host: h, Upstream: landfall.UpstreamChat})
	}
	return m
}

func openRoot(t *testing.T, dir string) *os.Root {
	t.Helper()
	r, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func openAuthority(t *testing.T, dir string) *Authority {
	t.Helper()
	a, err := OpenAuthority(openRoot(t, dir), "test", "landfall.test")
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// csr is a signing request, in both forms.
func csr(t *testing.T, key any, template x509.CertificateRequest) (*x509.CertificateRequest, string) {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, &template, key)
	if err != nil {
		t.Fatal(err)
	}
	r, err := x509.ParseCertificateRequest(der)
	if err != nil {
		t.Fatal(err)
	}
	return r, string(pem.EncodeToMemory(&pem.Block{Type: pemRequest, Bytes: der}))
}

func newKey(t *testing.T, c elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(c, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// contents are all files of a directory, with their modes.
func contents(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&all, "%s %v\n%s\n", e.Name(), info.Mode(), b)
	}
	return all.String()
}

func TestAuthorityStaysTheSame(t *testing.T) {
	dir := t.TempDir()
	a := openAuthority(t, dir)
	first := contents(t, dir)
	if !strings.Contains(first, "authority.key -rw-------") || strings.Count(first, "authority.") != 2 {
		t.Errorf("directory:\n%s", first)
	}
	b := openAuthority(t, dir)
	if !a.Root().Equal(b.Root()) || contents(t, dir) != first {
		t.Error("the second start made another authority")
	}
	if a.Path() != filepath.Join(dir, "authority.crt") {
		t.Errorf("path %s", a.Path())
	}
	// A first start that was cut short between the two files.
	if err := os.Remove(a.Path()); err != nil {
		t.Fatal(err)
	}
	if c := openAuthority(t, dir); !samePublic(c.Root().PublicKey, a.Root().PublicKey) {
		t.Error("the root was made again for another key")
	}
}

func TestAuthorityRefusesWhatDoesNotFit(t *testing.T) {
	otherDir := t.TempDir()
	openAuthority(t, otherDir)
	otherKey, err := os.ReadFile(filepath.Join(otherDir, keyFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		spoil  func(dir string) error
		domain string
		want   string
	}{
		{"key of another", func(d string) error { return os.WriteFile(filepath.Join(d, keyFile), otherKey, 0o600) }, "landfall.test", "authority.crt: it does not belong to authority.key"},
		{"no key", func(d string) error { return os.Remove(filepath.Join(d, keyFile)) }, "landfall.test", "authority.key: missing"},
		{"empty key", func(d string) error { return os.Truncate(filepath.Join(d, keyFile), 0) }, "landfall.test", "authority.key: it holds no private key"},
		{"cut key", func(d string) error { return os.Truncate(filepath.Join(d, keyFile), 60) }, "landfall.test", "authority.key: "},
		{"cut root", func(d string) error { return os.Truncate(filepath.Join(d, rootFile), 60) }, "landfall.test", "authority.crt: it holds no certificate"},
		{"another domain", func(string) error { return nil }, "other.test", `authority.crt: it is for "landfall.test", not for "other.test"`},
		{"no domain", func(string) error { return nil }, "", "needs a domain"},
	} {
		dir := t.TempDir()
		openAuthority(t, dir)
		if err := c.spoil(dir); err != nil {
			t.Fatal(err)
		}
		before := contents(t, dir)
		_, err := OpenAuthority(openRoot(t, dir), "test", c.domain)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
		if contents(t, dir) != before {
			t.Errorf("%s: the files were changed", c.name)
		}
	}
}

func TestAuthoritySignsForItsDomainOnly(t *testing.T) {
	a := openAuthority(t, t.TempDir())
	request, _ := csr(t, newKey(t, elliptic.P256()), x509.CertificateRequest{DNSNames: []string{"ignored.test"}})
	chain, err := a.Sign(request, []string{"chat.landfall.test", "landfall.test"})
	if err != nil {
		t.Fatal(err)
	}
	certs, err := parseChain(chain)
	if err != nil {
		t.Fatal(err)
	}
	leaf, pool := certs[0], x509.NewCertPool()
	pool.AddCert(a.Root())
	for name, good := range map[string]bool{"chat.landfall.test": true, "landfall.test": true, "ignored.test": false, "x.landfall.test": false} {
		if _, err := leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: pool}); (err == nil) != good {
			t.Errorf("%s: %v", name, err)
		}
	}
	if life := leaf.NotAfter.Sub(leaf.NotBefore); life > 90*24*time.Hour || leaf.IsCA {
		t.Errorf("life %v, CA %v", life, leaf.IsCA)
	}
	for _, hosts := range [][]string{nil, {"other.test"}, {"chat.landfall.test", "evillandfall.test"}} {
		if _, err := a.Sign(request, hosts); err == nil {
			t.Errorf("signed for %v", hosts)
		}
	}
	request.Signature[len(request.Signature)-1] ^= 1
	if _, err := a.Sign(request, []string{"chat.landfall.test"}); err == nil {
		t.Error("signed for a key that the asker may not have")
	}
}

// The root's constraints hold even if its key is stolen: that is why trusting
// it is harmless.
func TestRootIsWorthNothingOutsideItsDomain(t *testing.T) {
	a := openAuthority(t, t.TempDir())
	pool := x509.NewCertPool()
	pool.AddCert(a.Root())
	for _, template := range []x509.Certificate{
		{DNSNames: []string{"bank.example"}},
		{IPAddresses: []net.IP{net.IPv4(192, 0, 2, 1)}},
		{IPAddresses: []net.IP{net.ParseIP("2001:db8::1")}},
	} {
		template.NotAfter = time.Now().Add(time.Hour)
		key := newKey(t, elliptic.P256())
		der, err := x509.CreateCertificate(rand.Reader, &template, a.root, key.Public(), a.key)
		if err != nil {
			t.Fatal(err)
		}
		leaf, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := leaf.Verify(x509.VerifyOptions{Roots: pool}); err == nil {
			t.Errorf("a leaf for %v %v is trusted", leaf.DNSNames, leaf.IPAddresses)
		}
	}
}

func TestIssuerServesEdgesOfTheMapOnly(t *testing.T) {
	a := openAuthority(t, t.TempDir())
	i, err := NewIssuer(IssuerConfig{Signer: a, Caller: func(r *http.Request) (landfall.NodeID, bool) {
		id := landfall.NodeID(r.Header.Get("Caller"))
		return id, id != ""
	}})
	if err != nil {
		t.Fatal(err)
	}
	i.SetMap(network("chat.landfall.test", "shop.landfall.test", "shop.other.test"))
	key := newKey(t, elliptic.P256())
	_, good := csr(t, key, x509.CertificateRequest{DNSNames: []string{"shop.landfall.test", "chat.landfall.test", "chat.landfall.test"}})
	_, foreign := csr(t, key, x509.CertificateRequest{DNSNames: []string{"chat.landfall.test", "fra1.landfall.test"}})
	_, outside := csr(t, key, x509.CertificateRequest{DNSNames: []string{"shop.other.test"}})
	_, none := csr(t, key, x509.CertificateRequest{})
	_, address := csr(t, key, x509.CertificateRequest{DNSNames: []string{"chat.landfall.test"}, IPAddresses: []net.IP{{192, 0, 2, 1}}})
	_, uri := csr(t, key, x509.CertificateRequest{DNSNames: []string{"chat.landfall.test"}, URIs: []*url.URL{{Scheme: "x", Opaque: "y"}}})
	_, p384 := csr(t, newKey(t, elliptic.P384()), x509.CertificateRequest{DNSNames: []string{"chat.landfall.test"}})
	weak, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, rsaRequest := csr(t, weak, x509.CertificateRequest{DNSNames: []string{"chat.landfall.test"}})
	for _, c := range []struct {
		method, path, caller, body string
		status                     int
	}{
		{"POST", RequestPath, "nyc1", good, 200},
		{"POST", RequestPath, "sin1", good, 200},
		{"POST", RequestPath, "", good, 403},
		{"POST", RequestPath, "fra1", good, 403},
		{"POST", RequestPath, "old1", good, 403},
		{"POST", RequestPath, "who", good, 403},
		{"POST", RequestPath, "nyc1", foreign, 400},
		{"POST", RequestPath, "nyc1", outside, 500},
		{"POST", RequestPath, "nyc1", none, 400},
		{"POST", RequestPath, "nyc1", address, 400},
		{"POST", RequestPath, "nyc1", uri, 400},
		{"POST", RequestPath, "nyc1", p384, 400},
		{"POST", RequestPath, "nyc1", rsaRequest, 400},
		{"POST", RequestPath, "nyc1", "", 400},
		{"POST", RequestPath, "nyc1", good[:len(good)/2], 400},
		{"POST", RequestPath, "nyc1", strings.Repeat("x", maxRequest+1), 400},
		{"GET", RequestPath, "nyc1", "", 405},
		{"POST", "/other", "nyc1", good, 404},
	} {
		r := httptest.NewRequest(c.method, c.path, strings.NewReader(c.body))
		r.Header.Set("Caller", c.caller)
		w := httptest.NewRecorder()
		i.ServeHTTP(w, r)
		if w.Code != c.status {
			t.Errorf("%s %s by %q, %.60q: %d %s, want %d", c.method, c.path, c.caller, c.body, w.Code, w.Body, c.status)
		}
		if w.Code != 200 {
			continue
		}
		got, err := accept(w.Body.Bytes(), key, []string{"chat.landfall.test", "shop.landfall.test"}, time.Now())
		if err != nil || len(got.Leaf.DNSNames) != 2 {
			t.Errorf("got %v, %v", got, err)
		}
	}
	if s := i.Stats(); s.Issued != 2 || s.Refused != 13 || s.Failed != 1 {
		t.Errorf("%+v", s)
	}
}

func FuzzReadRequest(f *testing.F) {
	m := network("chat.landfall.test")
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	for _, hosts := range [][]string{{"chat.landfall.test"}, {"other.test"}, nil} {
		der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: hosts}, key)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(pem.EncodeToMemory(&pem.Block{Type: pemRequest, Bytes: der}))
	}
	f.Add([]byte("-----BEGIN CERTIFICATE REQUEST-----\n-----END CERTIFICATE REQUEST-----\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		csr, hosts, err := readRequest(b, m)
		if err != nil {
			return
		}
		if csr.CheckSignature() != nil || !slices.Equal(hosts, []string{"chat.landfall.test"}) {
			t.Errorf("admitted %v", hosts)
		}
	})
}

func FuzzReadPair(f *testing.F) {
	f.Add([]byte(""))
	f.Add([]byte("-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, err := readPair(b); err == nil && !samePublic(c.Leaf.PublicKey, c.PrivateKey.(*ecdsa.PrivateKey).Public()) {
			t.Error("a pair that does not fit")
		}
	})
}

// home is an issuer that can be out of reach.
type home struct {
	handler http.Handler

	mu   sync.Mutex
	down bool
	asks int
}

func (h *home) set(down bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.down = down
}

func (h *home) asked() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.asks
}

func (h *home) dial(context.Context) (net.Conn, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asks++
	if h.down {
		return nil, fmt.Errorf("no path to fra1")
	}
	near, far := net.Pipe()
	l := &once{conn: make(chan net.Conn, 1)}
	l.conn <- far
	go http.Serve(l, h.handler)
	return near, nil
}

// once is a listener with one connection.
type once struct{ conn chan net.Conn }

func (o *once) Accept() (net.Conn, error) {
	select {
	case c := <-o.conn:
		return c, nil
	default:
		return nil, net.ErrClosed
	}
}
func (o *once) Close() error   { return nil }
func (o *once) Addr() net.Addr { return &net.TCPAddr{} }

func newHome(t *testing.T, a *Authority, m *landfall.Map) (*home, *Issuer) {
	t.Helper()
	i, err := NewIssuer(IssuerConfig{Signer: a, Caller: func(*http.Request) (landfall.NodeID, bool) { return "nyc1", true }})
	if err != nil {
		t.Fatal(err)
	}
	i.SetMap(m)
	return &home{handler: i}, i
}

// runSource starts a source; what it returns stops it.
func runSource(t *testing.T, dir string, h *home, m *landfall.Map) (*Source, func()) {
	t.Helper()
	s, err := NewSource(SourceConfig{Dir: openRoot(t, dir), Dial: h.dial})
	if err != nil {
		t.Fatal(err)
	}
	s.SetMap(m)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return s, stop
}

func serial(t *testing.T, s *Source, host string) string {
	t.Helper()
	c, err := s.Certificate(t.Context(), host)
	if err != nil {
		t.Fatal(err)
	}
	return c.Leaf.SerialNumber.String()
}

func TestSourceGetsKeepsAndRenews(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		m := network("chat.landfall.test", "shop.landfall.test", "far.other.test")
		a := openAuthority(t, t.TempDir())
		h, issuer := newHome(t, a, m)
		h.set(true)
		s, stop := runSource(t, dir, h, m)
		time.Sleep(time.Minute)
		if _, err := s.Certificate(t.Context(), "chat.landfall.test"); err == nil {
			t.Error("a certificate out of nowhere")
		}
		if n := h.asked(); n < 6 || n > 20 {
			t.Errorf("asked %d times in a minute without an issuer", n)
		}
		h.set(false)
		start := time.Now()
		<-s.Ready()
		if d := time.Since(start); d > 2*retryMax {
			t.Errorf("ready %v after the issuer was back", d)
		}
		first := serial(t, s, "chat.landfall.test")
		if serial(t, s, "shop.landfall.test") != first {
			t.Error("two certificates for two hosts")
		}
		if _, err := s.Certificate(t.Context(), "far.other.test"); err == nil {
			t.Error("a certificate outside of the domain")
		}
		if got := contents(t, dir); !strings.HasPrefix(got, "edge.pem -rw-------") || strings.Count(got, "BEGIN") != 2 {
			t.Errorf("directory:\n%s", got)
		}

		// Nothing happens before it is due, and then it does in time.
		time.Sleep(LeafLife / 2)
		if serial(t, s, "chat.landfall.test") != first {
			t.Error("renewed too early")
		}
		time.Sleep(LeafLife / 4)
		second := serial(t, s, "chat.landfall.test")
		if second == first {
			t.Error("not renewed when due")
		}

		// A new service needs a new certificate.
		m = network("chat.landfall.test", "shop.landfall.test", "wiki.landfall.test")
		issuer.SetMap(m)
		s.SetMap(m)
		time.Sleep(time.Second)
		third := serial(t, s, "wiki.landfall.test")

		// A start without an issuer lives on what is on disk.
		stop()
		h.set(true)
		s, _ = runSource(t, dir, h, m)
		<-s.Ready()
		if got := serial(t, s, "chat.landfall.test"); got != third {
			t.Errorf("after the restart: %s, want %s", got, third)
		}
		if st := s.Stats(); st.Renewals != 0 || st.Failures != 0 || st.Expiry == 0 {
			t.Errorf("%+v", st)
		}
		// The issuer is down when renewal is due: the old one serves on.
		time.Sleep(LeafLife*2/3 + time.Hour)
		if got := serial(t, s, "chat.landfall.test"); got != third {
			t.Error("renewed without an issuer")
		}
		h.set(false)
		time.Sleep(2 * retryMax)
		if got := serial(t, s, "chat.landfall.test"); got == third {
			t.Error("not renewed although the issuer is back")
		}
	})
}

func TestSourceLeavesAFileItCannotReadAlone(t *testing.T) {
	m := network("chat.landfall.test")
	h, _ := newHome(t, openAuthority(t, t.TempDir()), m)
	for _, content := range []string{"", "half a certif", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, pairFile), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		before := contents(t, dir)
		s, err := NewSource(SourceConfig{Dir: openRoot(t, dir), Dial: h.dial})
		if err != nil {
			t.Fatal(err)
		}
		s.SetMap(m)
		if err := s.Run(t.Context()); err == nil || !strings.Contains(err.Error(), filepath.Join(dir, pairFile)) {
			t.Errorf("%q: %v", content, err)
		}
		if contents(t, dir) != before || h.asked() != 0 {
			t.Errorf("%q: it was overwritten", content)
		}
	}
}

func TestSourceRefusesABadAnswer(t *testing.T) {
	a := openAuthority(t, t.TempDir())
	key := newKey(t, elliptic.P256())
	request, _ := csr(t, key, x509.CertificateRequest{})
	chain, err := a.Sign(request, []string{"chat.landfall.test"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		chain []byte
		key   *ecdsa.PrivateKey
		host  string
		at    time.Time
		want  string
	}{
		{"good", chain, key, "chat.landfall.test", time.Now(), ""},
		{"empty", nil, key, "chat.landfall.test", time.Now(), "no certificate"},
		{"another key", chain, newKey(t, elliptic.P256()), "chat.landfall.test", time.Now(), "does not belong"},
		{"another host", chain, key, "shop.landfall.test", time.Now(), "not for [shop.landfall.test]"},
		{"not yet valid", chain, key, "chat.landfall.test", time.Now().Add(-2 * skew), "do the clocks agree"},
		{"soon over", chain, key, "chat.landfall.test", time.Now().Add(LeafLife * 9 / 10), "do the clocks agree"},
	} {
		_, err := accept(c.chain, c.key, []string{c.host}, c.at)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

// A real handshake between a source's certificate and who trusts the root.
func TestClientThatTrustsTheRootIsServed(t *testing.T) {
	m := network("chat.landfall.test")
	a := openAuthority(t, t.TempDir())
	h, _ := newHome(t, a, m)
	s, _ := runSource(t, t.TempDir(), h, m)
	select {
	case <-s.Ready():
	case <-time.After(10 * time.Second):
		t.Fatal("no certificate")
	}
	near, far := net.Pipe()
	defer near.Close()
	go tls.Server(far, &tls.Config{GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		return s.Certificate(hello.Context(), hello.ServerName)
	}}).Handshake()
	b, err := os.ReadFile(a.Path())
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(b)
	if err := tls.Client(near, &tls.Config{RootCAs: pool, ServerName: "chat.landfall.test"}).Handshake(); err != nil {
		t.Error(err)
	}
}
