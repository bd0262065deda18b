package edge

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// writePair puts a certificate and its key into two files.
func writePair(t *testing.T, dir string, c *tls.Certificate) (cert, key string) {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for name, block := range map[string]*pem.Block{
		cert: {Type: "CERTIFICATE", Bytes: c.Certificate[0]},
		key:  {Type: "PRIVATE KEY", Bytes: der},
	} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

func TestAloneServesTheHostsOfItsCertificate(t *testing.T) {
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Host, " ", r.Header.Get("X-Forwarded-Proto"))
	}))
	t.Cleanup(app.Close)
	upstream, err := url.Parse(app.URL)
	if err != nil {
		t.Fatal(err)
	}
	ca, dir := newAuthority(t), t.TempDir()
	cert, key := writePair(t, dir, ca.leaf(t, "app.test", "*.app.test"))
	a, err := NewAlone(AloneConfig{Cert: cert, Key: key, Upstream: upstream})
	if err != nil {
		t.Fatal(err)
	}
	l := listen(t)
	s := &stage{t: t, ca: ca, address: l.Addr().String()}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx, l) }()
	for _, host := range []string{"app.test", "www.app.test"} {
		res, body := get(t, s.client(host, true), host, "/")
		if res.StatusCode != 200 || body != host+" https" {
			t.Errorf("%s: %s %q", host, res.Status, body)
		}
	}
	if _, err := tls.Dial("tcp", s.address, s.tls("other.test")); err == nil || !strings.Contains(err.Error(), "unrecognized name") {
		t.Errorf("a foreign host: %v", err)
	}

	// An operator replaces the files: first with nonsense, then properly.
	if err := os.WriteFile(cert, []byte("half a certif"), 0o600); err != nil {
		t.Fatal(err)
	}
	get(t, s.client("app.test", false), "app.test", "/")
	writePair(t, dir, ca.leaf(t, "new.test"))
	a.files.reread(func() { a.server.SetMap(a.network()) })
	if _, body := get(t, s.client("new.test", true), "new.test", "/"); body != "new.test https" {
		t.Errorf("after the reload: %q", body)
	}
	stop()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("the edge did not stop")
	}
}

func TestAloneSaysWhatIsWrong(t *testing.T) {
	ca, dir := newAuthority(t), t.TempDir()
	cert, key := writePair(t, dir, ca.leaf(t, "app.test"))
	other := t.TempDir()
	_, otherKey := writePair(t, other, ca.leaf(t, "app.test"))
	nameless, namelessKey := writePair(t, t.TempDir(), ca.leaf(t))
	for _, c := range []struct {
		cert, key, upstream, want string
	}{
		{cert, key, "ftp://127.0.0.1", "no HTTP URL"},
		{cert, key, "/path", "no HTTP URL"},
		{cert, key, "http://127.0.0.1/path", "more than a host and a port"},
		{"", key, "http://127.0.0.1", "a certificate and a key are needed"},
		{cert, filepath.Join(dir, "absent"), "http://127.0.0.1", "absent: no such file"},
		{cert, otherKey, "http://127.0.0.1", "private key does not match"},
		{key, cert, "http://127.0.0.1", key},
		{nameless, namelessKey, "http://127.0.0.1", "names no host"},
	} {
		u, err := url.Parse(c.upstream)
		if err != nil {
			t.Fatal(err)
		}
		a, err := NewAlone(AloneConfig{Cert: c.cert, Key: c.key, Upstream: u})
		if err == nil {
			err = a.Run(t.Context(), listen(t))
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.upstream, err, c.want)
		}
	}
	if _, err := NewAlone(AloneConfig{Cert: cert, Key: key}); err == nil {
		t.Error("no upstream, and no error")
	}
}
