package certs

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"landfall"
)

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

// A source that starts with the certificate of an authority that is no more
// asks for another, and takes none from an authority that nobody trusts.
func TestSourceShowsOnlyWhatIsTrusted(t *testing.T) {
	dir, m := t.TempDir(), network("chat.landfall.test")
	synctest.Test(t, func(t *testing.T) {
		old, now := openAuthority(t, t.TempDir()), openAuthority(t, t.TempDir())
		h, _ := newHome(t, old, m)
		_, stop := runSource(t, dir, h, m)
		synctest.Wait()
		stop()
		roots := x509.NewCertPool()
		roots.AddCert(now.Root())
		run := func(h *home) (*Source, func()) {
			s, err := NewSource(SourceConfig{Dir: openRoot(t, dir), Dial: h.dial, Roots: roots})
			if err != nil {
				t.Fatal(err)
			}
			s.SetMap(m)
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- s.Run(ctx) }()
			return s, func() { cancel(); <-ended }
		}
		s, stop := run(h)
		time.Sleep(time.Second)
		if _, err := s.Certificate(t.Context(), "chat.landfall.test"); err == nil {
			t.Error("took a certificate of an authority that nobody trusts")
		}
		stop()
		h, _ = newHome(t, now, m)
		s, stop = run(h)
		defer stop()
		time.Sleep(time.Second)
		c, err := s.Certificate(t.Context(), "chat.landfall.test")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Leaf.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: time.Now()}); err != nil {
			t.Error(err)
		}
	})
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

func FuzzReadPair(f *testing.F) {
	f.Add([]byte(""))
	f.Add([]byte("-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, err := readPair(b); err == nil && !samePublic(c.Leaf.PublicKey, c.PrivateKey.(*ecdsa.PrivateKey).Public()) {
			t.Error("a pair that does not fit")
		}
	})
}
