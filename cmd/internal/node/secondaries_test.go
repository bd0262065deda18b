package node

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// writeCertificate makes a certificate and writes it into a folder.
func writeCertificate(t *testing.T, dir string, serial int64) (cert, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(serial), DNSNames: []string{"ns.test"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: raw}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

func TestCertificateIsReadAgainWhenItChanges(t *testing.T) {
	dir := t.TempDir()
	cert, key := writeCertificate(t, dir, 1)
	c, err := OpenCertificate(cert, key, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	serial := func() int64 {
		t.Helper()
		c.mu.Lock()
		c.checked = time.Now().Add(-certificateEvery)
		c.mu.Unlock()
		got, err := c.Get(nil)
		if err != nil {
			t.Fatal(err)
		}
		return got.Leaf.SerialNumber.Int64()
	}
	if got := serial(); got != 1 {
		t.Errorf("serial %d", got)
	}
	writeCertificate(t, dir, 2)
	later := time.Now().Add(time.Minute)
	if err := os.Chtimes(cert, later, later); err != nil {
		t.Fatal(err)
	}
	if got := serial(); got != 2 {
		t.Errorf("serial %d after a change", got)
	}
	// Another key than the certificate's, and no file at all.
	if err := os.WriteFile(key, []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := serial(); got != 2 {
		t.Errorf("serial %d with a damaged key", got)
	}
	if err := os.Chmod(key, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenCertificate(cert, key, nil); err == nil || !strings.Contains(err.Error(), "chmod o=") {
		t.Errorf("error %v of a key that everybody may read", err)
	}
	if err := os.Remove(cert); err != nil {
		t.Fatal(err)
	}
	if got := serial(); got != 2 {
		t.Errorf("serial %d without a file", got)
	}
	if _, err := OpenCertificate(cert, key, nil); err == nil {
		t.Error("a certificate that is not there is opened")
	}
}

func TestSecretsAreSecret(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys")
	const good = `key "transfer.test" { algorithm hmac-sha256; secret "c2l4dGVlbiBieXRlcyBvZiBhIHNlY3JldA=="; };`
	for _, tt := range []struct {
		text string
		mode os.FileMode
		want string
	}{{good, 0o600, ""}, {good, 0o640, ""}, {good, 0o644, "chmod o="}, {"key", 0o600, "not a domain name"}} {
		if err := os.WriteFile(file, []byte(tt.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(file, tt.mode); err != nil {
			t.Fatal(err)
		}
		ring, err := OpenSecrets(file)
		if tt.want == "" && (err != nil || ring.Len() != 1) || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%q %v: %v, want %q", tt.text, tt.mode, err, tt.want)
		}
	}
	if ring, err := OpenSecrets(""); ring != nil || err != nil {
		t.Errorf("no file: %v, %v", ring, err)
	}
	if _, err := OpenSecrets(file + "-missing"); err == nil {
		t.Error("a file that is not there is opened")
	}
}
