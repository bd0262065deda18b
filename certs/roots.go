package certs

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"time"

	"landfall"
)

// Roots are the authorities that users of a network trust. Where the terms of
// an ACME authority are agreed to they are the system's and those of the
// policy; elsewhere it is the network's own authority alone.
func Roots(m *landfall.Map) (*x509.CertPool, error) {
	if !m.ACME.Agreed {
		pool := x509.NewCertPool()
		return pool, appendRoots(pool, "the network's authority", m.Authority)
	}
	return publicRoots(m.ACME)
}

// publicRoots are the system's authorities and those of a policy.
func publicRoots(p landfall.ACME) (*x509.CertPool, error) {
	pool, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("the system's certificate authorities: %w", err)
	}
	return pool, appendRoots(pool, "acme.roots", p.Roots)
}

func appendRoots(pool *x509.CertPool, what, text string) error {
	if text != "" && !pool.AppendCertsFromPEM([]byte(text)) {
		return fmt.Errorf("%s: no certificate in PEM", what)
	}
	return nil
}

// vouched finds out whether one of roots vouches for a certificate. Whether
// its time has come or passed is another question.
func vouched(c *tls.Certificate, roots *x509.CertPool, now time.Time) error {
	between := x509.NewCertPool()
	for _, raw := range c.Certificate[1:] {
		if cert, err := x509.ParseCertificate(raw); err == nil {
			between.AddCert(cert)
		}
	}
	if now.Before(c.Leaf.NotBefore) || now.After(c.Leaf.NotAfter) {
		now = c.Leaf.NotBefore
	}
	if _, err := c.Leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: now}); err != nil {
		return fmt.Errorf("certificate for %s, signed by %q: nobody that users of the network trust vouches for it: %w (a staging or private authority's root belongs under [acme] as roots)",
			names(c.Leaf.DNSNames), c.Leaf.Issuer, err)
	}
	return nil
}
