package certs

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"path/filepath"
	"strings"
	"time"
)

// load takes up what an earlier run kept.
func (s *Source) load() error {
	b, err := readSecret(s.cfg.Dir, pairFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("certificate: %w", err)
	}
	c, err := readPair(b)
	if err != nil {
		return fmt.Errorf("%s: %w (remove it to get a new certificate)", filepath.Join(s.cfg.Dir.Name(), pairFile), err)
	}
	if err := s.trusted(c); err != nil {
		s.cfg.Log.Warn("certificate on disk not used: a new one will replace it", "err", err)
		return nil
	}
	s.use(c)
	return nil
}

// trusted finds out whether one of Roots vouches for a certificate. Whether
// its time has come or passed is another question.
func (s *Source) trusted(c *tls.Certificate) error {
	if s.cfg.Roots == nil {
		return nil
	}
	between := x509.NewCertPool()
	for _, raw := range c.Certificate[1:] {
		if cert, err := x509.ParseCertificate(raw); err == nil {
			between.AddCert(cert)
		}
	}
	_, err := c.Leaf.Verify(x509.VerifyOptions{Roots: s.cfg.Roots, Intermediates: between, CurrentTime: c.Leaf.NotBefore})
	return err
}

func readPair(b []byte) (*tls.Certificate, error) {
	key, err := parseKey(b)
	if err != nil {
		return nil, err
	}
	return pair(b, key)
}

// pair joins a chain in PEM with the key of its leaf.
func pair(chain []byte, key crypto.Signer) (*tls.Certificate, error) {
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

// renew gets a certificate for a new key, keeps both on disk, and then uses
// them.
func (s *Source) renew(ctx context.Context, hosts []string) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: hosts}, key)
	if err != nil {
		return nil, fmt.Errorf("signing request: %w", err)
	}
	chain, err := s.post(ctx, pem.EncodeToMemory(&pem.Block{Type: pemRequest, Bytes: csr}))
	if err != nil {
		return nil, err
	}
	c, err := accept(chain, key, hosts, time.Now())
	if err == nil {
		err = s.trusted(c)
	}
	if err != nil {
		return nil, fmt.Errorf("issuer's answer: %w", err)
	}
	if err := s.save(chain, key); err != nil {
		return nil, err
	}
	s.renewals.Add(1)
	s.cfg.Log.Info("certificate renewed", "hosts", hosts, "until", c.Leaf.NotAfter)
	s.use(c)
	return c, nil
}

// accept finds out whether a chain is what was asked for.
func accept(chain []byte, key crypto.Signer, hosts []string, now time.Time) (*tls.Certificate, error) {
	c, err := pair(chain, key)
	switch {
	case err != nil:
		return nil, err
	case !covers(c, hosts):
		return nil, fmt.Errorf("its certificate is for %v, not for %v", c.Leaf.DNSNames, hosts)
	case now.Before(c.Leaf.NotBefore) || !now.Before(due(c.Leaf)):
		return nil, fmt.Errorf("its certificate is valid from %s to %s, and it is %s (do the clocks agree?)",
			c.Leaf.NotBefore.Format(time.RFC3339), c.Leaf.NotAfter.Format(time.RFC3339), now.Format(time.RFC3339))
	}
	return c, nil
}

// post sends a signing request to the issuer.
func (s *Source) post(ctx context.Context, csr []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://certs"+RequestPath, bytes.NewReader(csr))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-pem-file")
	res, err := s.ask.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask the issuer: %w", err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, maxChain))
	if err != nil {
		return nil, fmt.Errorf("ask the issuer: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the issuer refused: %s: %.200q", res.Status, strings.TrimSpace(string(b)))
	}
	return b, nil
}

func (s *Source) save(chain []byte, key *ecdsa.PrivateKey) error {
	b, err := formatKey(key)
	if err != nil {
		return err
	}
	return writeFile(s.cfg.Dir, pairFile, append(b, chain...), 0o600)
}

// use shows a certificate from now on.
func (s *Source) use(c *tls.Certificate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now.Store(c)
	s.announce()
}
