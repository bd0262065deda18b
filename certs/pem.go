package certs

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Types of PEM blocks (RFC 7468).
const (
	pemCertificate = "CERTIFICATE"
	pemKey         = "PRIVATE KEY"
)

func formatKey(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: pemKey, Bytes: der}), nil
}

// parseKey reads the first key in b. Its errors never repeat what they read.
func parseKey(b []byte) (*ecdsa.PrivateKey, error) {
	for block, rest := pem.Decode(b); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != pemKey {
			continue
		}
		key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return nil, errors.New("its private key cannot be read")
		}
		if k, ok := key.(*ecdsa.PrivateKey); ok {
			return k, nil
		}
		return nil, fmt.Errorf("its private key is a %T, not an ECDSA key", key)
	}
	return nil, errors.New("it holds no private key in PEM")
}

func formatChain(chain ...[]byte) []byte {
	var out []byte
	for _, der := range chain {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: pemCertificate, Bytes: der})...)
	}
	return out
}

// parseChain reads all certificates in b, at least one.
func parseChain(b []byte) ([]*x509.Certificate, error) {
	var chain []*x509.Certificate
	for block, rest := pem.Decode(b); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != pemCertificate {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("its certificate cannot be read: %w", err)
		}
		chain = append(chain, c)
	}
	if len(chain) == 0 {
		return nil, errors.New("it holds no certificate in PEM")
	}
	return chain, nil
}

func samePublic(a, b crypto.PublicKey) bool {
	k, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && k.Equal(b)
}

// pair joins a chain in PEM with the key of its leaf.
func pair(chain []byte, key *ecdsa.PrivateKey) (*tls.Certificate, error) {
	certs, err := parseChain(chain)
	if err != nil {
		return nil, err
	}
	if !samePublic(certs[0].PublicKey, key.Public()) {
		return nil, errors.New("its certificate does not belong to its key")
	}
	c := &tls.Certificate{PrivateKey: key, Leaf: certs[0]}
	for _, cert := range certs {
		c.Certificate = append(c.Certificate, cert.Raw)
	}
	return c, nil
}

// accept finds out whether a chain is what was asked for.
func accept(chain []byte, key *ecdsa.PrivateKey, hosts []string, now time.Time) (*tls.Certificate, error) {
	c, err := pair(chain, key)
	switch {
	case err != nil:
		return nil, fmt.Errorf("the authority's answer: %w", err)
	case !covers(c, hosts):
		return nil, fmt.Errorf("the authority's answer: its certificate is for %s, not for %s", names(c.Leaf.DNSNames), names(hosts))
	case now.Before(c.Leaf.NotBefore) || !now.Before(due(c.Leaf)):
		return nil, fmt.Errorf("the authority's answer: its certificate is valid from %s to %s, and it is %s (do the clocks agree?)",
			c.Leaf.NotBefore.Format(time.RFC3339), c.Leaf.NotAfter.Format(time.RFC3339), now.Format(time.RFC3339))
	}
	return c, nil
}

// covers reports whether a certificate is for all hosts; nil is for none.
func covers(c *tls.Certificate, hosts []string) bool {
	return c != nil && !slices.ContainsFunc(hosts, func(h string) bool { return c.Leaf.VerifyHostname(h) != nil })
}

// due is when a certificate should be renewed: at two thirds of its life, or
// up to a twentieth before, by its serial number, so that not all come at
// once.
func due(leaf *x509.Certificate) time.Time {
	life := leaf.NotAfter.Sub(leaf.NotBefore)
	early := life / 20 * time.Duration(leaf.SerialNumber.Bit(0)+2*leaf.SerialNumber.Bit(1)+4*leaf.SerialNumber.Bit(2)) / 8
	return leaf.NotBefore.Add(life*2/3 - early)
}

// names lists hosts for people, who need no more than a few to know which.
func names(hosts []string) string {
	const few = 5
	if len(hosts) <= few {
		return strings.Join(hosts, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(hosts[:few], ", "), len(hosts)-few)
}
