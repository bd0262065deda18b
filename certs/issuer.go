package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"sync/atomic"

	"landfall"
)

// maxRequest bounds the signing requests that are read.
const maxRequest = 64 << 10

// RequestPath is where an Issuer takes signing requests.
const RequestPath = "/v1/certificate"

// Signer turns a signing request into a chain in PEM; an Authority is one.
type Signer interface {
	Sign(csr *x509.CertificateRequest, hosts []string) ([]byte, error)
}

// IssuerConfig is what an Issuer needs.
type IssuerConfig struct {
	Signer Signer
	// Caller says which node a request comes from, by its address on the mesh.
	Caller func(*http.Request) (landfall.NodeID, bool)
	Log    *slog.Logger // nil discards
}

// Issuer is the home region's end of landfall.MeshCerts. An edge of the map
// posts a signing request in PEM to RequestPath and gets its chain back.
type Issuer struct {
	cfg IssuerConfig
	now atomic.Pointer[landfall.Map]

	issued, refused, failed atomic.Uint64
}

// NewIssuer checks the configuration. Until the first SetMap nobody is
// served.
func NewIssuer(cfg IssuerConfig) (*Issuer, error) {
	if cfg.Signer == nil || cfg.Caller == nil {
		return nil, errors.New("certs: an issuer needs a Signer and a Caller")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	i := &Issuer{cfg: cfg}
	i.now.Store(&landfall.Map{})
	return i, nil
}

// SetMap says which nodes may ask, and for which hosts.
func (i *Issuer) SetMap(m *landfall.Map) { i.now.Store(m) }

// ServeHTTP implements http.Handler.
func (i *Issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != RequestPath {
		http.NotFound(w, r)
		return
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "want POST", http.StatusMethodNotAllowed)
		return
	}
	m := i.now.Load()
	peer, err := i.admit(m, r)
	if err != nil {
		i.refuse(w, r, peer, http.StatusForbidden, err)
		return
	}
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil {
		i.refuse(w, r, peer, http.StatusBadRequest, err)
		return
	}
	csr, hosts, err := readRequest(b, m)
	if err != nil {
		i.refuse(w, r, peer, http.StatusBadRequest, err)
		return
	}
	i.issue(w, peer, csr, hosts)
}

// admit finds out who asks, and whether he may.
func (i *Issuer) admit(m *landfall.Map, r *http.Request) (landfall.NodeID, error) {
	id, ok := i.cfg.Caller(r)
	if !ok {
		return "", errors.New("the caller is no node of the mesh")
	}
	n, ok := m.Node(id)
	switch {
	case !ok:
		return id, fmt.Errorf("node %s is not in map %d", id, m.Serial)
	case n.State == landfall.Gone:
		return id, fmt.Errorf("node %s is gone", id)
	case !n.Has(landfall.RoleEdge):
		return id, fmt.Errorf("node %s is no edge", id)
	}
	return id, nil
}

func (i *Issuer) refuse(w http.ResponseWriter, r *http.Request, peer landfall.NodeID, status int, err error) {
	i.refused.Add(1)
	i.cfg.Log.Warn("certificate refused", "peer", peer, "remote", r.RemoteAddr, "err", err)
	http.Error(w, err.Error(), status)
}

func (i *Issuer) issue(w http.ResponseWriter, peer landfall.NodeID, csr *x509.CertificateRequest, hosts []string) {
	chain, err := i.cfg.Signer.Sign(csr, hosts)
	if err != nil {
		i.failed.Add(1)
		i.cfg.Log.Error("certificate not signed", "peer", peer, "hosts", hosts, "err", err)
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	i.issued.Add(1)
	i.cfg.Log.Info("certificate issued", "peer", peer, "hosts", hosts)
	w.Header().Set("Content-Type", "application/pem-certificate-chain") // RFC 8555, 9.1
	w.Write(chain)
}

// readRequest reads a signing request for hosts of a map: a P-256 key that
// the asker has, and names of services, nothing else.
func readRequest(b []byte, m *landfall.Map) (*x509.CertificateRequest, []string, error) {
	block, _ := pem.Decode(b)
	if block == nil || block.Type != pemRequest {
		return nil, nil, errors.New("want a certificate signing request in PEM")
	}
	csr, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return nil, nil, fmt.Errorf("signing request: %w", err)
	}
	// The kind of key first: a signature by an RSA key of the asker's choice
	// could take seconds to verify.
	if k, ok := csr.PublicKey.(*ecdsa.PublicKey); !ok || k.Curve != elliptic.P256() {
		return nil, nil, errors.New("signing request: want an ECDSA key on P-256")
	}
	if err := csr.CheckSignature(); err != nil {
		return nil, nil, fmt.Errorf("signing request: %w", err)
	}
	if len(csr.IPAddresses)+len(csr.EmailAddresses)+len(csr.URIs) > 0 || len(csr.DNSNames) == 0 {
		return nil, nil, errors.New("signing request: want host names and no other names")
	}
	hosts := slices.Compact(slices.Sorted(slices.Values(csr.DNSNames)))
	for _, h := range hosts {
		if _, ok := m.Service(h); !ok {
			return nil, nil, fmt.Errorf("host %q has no service in map %d", h, m.Serial)
		}
	}
	return csr, hosts, nil
}

// IssuerStats are the counts of an Issuer.
type IssuerStats struct {
	Issued  uint64 `metric:"issued_total" help:"Certificates signed."`
	Refused uint64 `metric:"refused_total" help:"Signing requests refused."`
	Failed  uint64 `metric:"failed_total" help:"Signing requests that the authority could not sign."`
}

// Stats returns the counts so far.
func (i *Issuer) Stats() IssuerStats {
	return IssuerStats{Issued: i.issued.Load(), Refused: i.refused.Load(), Failed: i.failed.Load()}
}
