package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"landfall"
)

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
