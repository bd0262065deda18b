package certs

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"landfall"
)

// Lifetimes. A leaf lives as long as public authorities will soon allow at
// most (CA/Browser Forum ballot SC-081), and is renewed at two thirds.
const (
	RootLife = 10 * 365 * 24 * time.Hour
	LeafLife = 47 * 24 * time.Hour
)

// skew is how far clocks may be behind ours.
const skew = time.Hour

// The files of an authority.
const (
	rootFile = "authority.crt"
	keyFile  = "authority.key"
)

// Authority is a certificate authority for the names of one domain. Its root
// says so itself, in critical name constraints (RFC 5280, 4.2.1.10): who
// trusts it has put nothing else at risk.
type Authority struct {
	domain string
	path   string
	root   *x509.Certificate
	key    crypto.Signer
}

// OpenAuthority reads the authority of a network from a directory, or makes
// one at the first start. Files that do not fit together, or belong to
// another domain, are an error, and are left as they are.
func OpenAuthority(dir *os.Root, network, domain string) (*Authority, error) {
	if domain == "" {
		return nil, errors.New("certs: an authority needs a domain")
	}
	a := &Authority{domain: domain, path: filepath.Join(dir.Name(), rootFile)}
	if err := a.openKey(dir); err != nil {
		return nil, err
	}
	if err := a.openRoot(dir, network); err != nil {
		return nil, err
	}
	return a, nil
}

// openKey reads the key, or makes one if there is no root either.
func (a *Authority) openKey(dir *os.Root) error {
	name := filepath.Join(dir.Name(), keyFile)
	b, err := readSecret(dir, keyFile)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := dir.Stat(rootFile); err == nil {
			return fmt.Errorf("%s: missing, but %s is there (bring it back, or remove the other too and trust a new root)", name, rootFile)
		}
		return a.makeKey(dir)
	}
	if err != nil {
		return fmt.Errorf("authority's key: %w", err)
	}
	key, err := parseKey(b)
	if err != nil {
		return fmt.Errorf("%s: %w (bring it back from a backup, or remove it and %s and trust a new root)", name, err, rootFile)
	}
	a.key = key
	return nil
}

func (a *Authority) makeKey(dir *os.Root) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("authority's key: %w", err)
	}
	b, err := formatKey(key)
	if err != nil {
		return fmt.Errorf("authority's key: %w", err)
	}
	a.key = key
	return writeFile(dir, keyFile, b, 0o600)
}

// openRoot reads the root certificate, or makes one for the key: a start that
// was cut short after the key was written leaves no more than that.
func (a *Authority) openRoot(dir *os.Root, network string) error {
	b, err := dir.ReadFile(rootFile)
	if errors.Is(err, fs.ErrNotExist) {
		return a.makeRoot(dir, network)
	}
	if err != nil {
		return fmt.Errorf("authority's root: %w", err)
	}
	chain, err := parseChain(b)
	if err != nil {
		return fmt.Errorf("%s: %w (remove it to have it made again from %s)", a.path, err, keyFile)
	}
	a.root = chain[0]
	return a.check(time.Now())
}

// check finds out whether the root on disk is the one we would make.
func (a *Authority) check(now time.Time) error {
	switch r := a.root; {
	case !samePublic(r.PublicKey, a.key.Public()):
		return fmt.Errorf("%s: it does not belong to %s (bring back the right pair, or remove both and trust a new root)", a.path, keyFile)
	case !r.IsCA || len(r.PermittedDNSDomains) != 1 || r.PermittedDNSDomains[0] != a.domain:
		return fmt.Errorf("%s: it is for %q, not for %q (remove it and %s to trust a new root for this domain)", a.path, strings.Join(r.PermittedDNSDomains, " "), a.domain, keyFile)
	case now.Add(LeafLife).After(r.NotAfter):
		return fmt.Errorf("%s: it ends on %s (remove it and %s, and trust the new root)", a.path, r.NotAfter.Format(time.DateOnly), keyFile)
	}
	return nil
}

func (a *Authority) makeRoot(dir *os.Root, network string) error {
	now := time.Now()
	template := &x509.Certificate{
		Subject:               pkix.Name{Organization: []string{"Landfall"}, CommonName: "Landfall authority of " + network},
		NotBefore:             now.Add(-skew),
		NotAfter:              now.Add(RootLife),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
		// The names of the domain, and no address at all.
		PermittedDNSDomainsCritical: true,
		PermittedDNSDomains:         []string{a.domain},
		ExcludedIPRanges: []*net.IPNet{
			{IP: make([]byte, 4), Mask: make([]byte, 4)},
			{IP: make([]byte, 16), Mask: make([]byte, 16)},
		},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, a.key.Public(), a.key)
	if err != nil {
		return fmt.Errorf("authority's root: %w", err)
	}
	if a.root, err = x509.ParseCertificate(der); err != nil {
		return fmt.Errorf("authority's root: %w", err)
	}
	return writeFile(dir, rootFile, formatChain(der), 0o644)
}

// Root is the certificate to trust.
func (a *Authority) Root() *x509.Certificate { return a.root }

// Path is the file with the certificate to trust, in PEM.
func (a *Authority) Path() string { return a.path }

// PEM is the certificate to trust, as landfall.Map.Authority takes it.
func (a *Authority) PEM() string { return string(formatChain(a.root.Raw)) }

// Name implements Signer: another root has another name.
func (a *Authority) Name() string {
	sum := sha256.Sum256(a.root.Raw)
	return "own authority " + hex.EncodeToString(sum[:4])
}

// Revoke implements Signer: nobody asks this authority for a list of what it
// took back.
func (a *Authority) Revoke(context.Context, *x509.Certificate) error { return ErrNoRevocation }

// Sign makes a certificate for the key of a request and for hosts, whatever
// hosts the request itself names. The request's signature, which proves that
// the key is the asker's, is checked. The result is in PEM, leaf first, and
// without the root, which whoever trusts it has.
func (a *Authority) Sign(_ context.Context, csr *x509.CertificateRequest, hosts []string) ([]byte, error) {
	if err := csr.CheckSignature(); err != nil {
		return nil, fmt.Errorf("signing request: %w", err)
	}
	if len(hosts) == 0 {
		return nil, errors.New("signing request: no hosts")
	}
	for _, h := range hosts {
		if !landfall.InZone(h, a.domain) {
			return nil, &Refusal{Host: h, Words: "not in " + a.domain + ", the only domain that this authority signs for",
				Cure: "agree to the terms of a public one: agreed = true under [acme] in network.toml"}
		}
	}
	now := time.Now()
	template := &x509.Certificate{
		NotBefore:             now.Add(-skew),
		NotAfter:              earlier(now.Add(LeafLife), a.root.NotAfter),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		DNSNames:              hosts, // critical, for the subject is empty (RFC 5280, 4.2.1.6)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.root, csr.PublicKey, a.key)
	if err != nil {
		return nil, fmt.Errorf("sign for %v: %w", hosts, err)
	}
	return formatChain(der), nil
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
