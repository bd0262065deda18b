package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

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

// rootOf is a fresh directory.
func rootOf(t testing.TB) *os.Root { return openRoot(t, t.TempDir()) }

func openRoot(t testing.TB, dir string) *os.Root {
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

// csr is a signing request.
func csr(t *testing.T, key any, template x509.CertificateRequest) *x509.CertificateRequest {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, &template, key)
	if err != nil {
		t.Fatal(err)
	}
	r, err := x509.ParseCertificateRequest(der)
	if err != nil {
		t.Fatal(err)
	}
	return r
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
