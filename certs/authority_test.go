package certs

import (
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

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
	request := csr(t, newKey(t, elliptic.P256()), x509.CertificateRequest{DNSNames: []string{"ignored.test"}})
	chain, err := a.Sign(t.Context(), request, []string{"chat.landfall.test", "landfall.test"})
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
		if _, err := a.Sign(t.Context(), request, hosts); err == nil {
			t.Errorf("signed for %v", hosts)
		}
	}
	request.Signature[len(request.Signature)-1] ^= 1
	if _, err := a.Sign(t.Context(), request, []string{"chat.landfall.test"}); err == nil {
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

func TestKeysThatOthersMayReadAreRefused(t *testing.T) {
	dir := t.TempDir()
	openAuthority(t, dir)
	path := filepath.Join(dir, keyFile)
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenAuthority(openRoot(t, dir), "dev", "landfall.test"); err == nil || !strings.Contains(err.Error(), path+" may be read by others") {
		t.Errorf("got %v", err)
	}
}
