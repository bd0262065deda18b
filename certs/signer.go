package certs

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"landfall"
)

// Signer is an authority that signs certificates. Authority and ACME are two.
type Signer interface {
	// Name tells authorities apart: what another one signed is replaced.
	Name() string
	// Sign makes a chain in PEM, leaf first and without the root, for the key
	// of a request and for hosts, which the request names too. What the
	// authority itself objects to is a *Refusal.
	Sign(ctx context.Context, csr *x509.CertificateRequest, hosts []string) ([]byte, error)
	// Revoke takes back a certificate whose key others may know (reason
	// keyCompromise: RFC 5280, 5.3.1). Of an authority that nobody asks about
	// what it took back it is ErrNoRevocation.
	Revoke(ctx context.Context, leaf *x509.Certificate) error
}

// ErrNoRevocation says that an authority has no means to take certificates
// back: they end by themselves.
var ErrNoRevocation = errors.New("this authority cannot take certificates back")

// Challenges publishes what proves to an authority that names are ours.
type Challenges interface {
	// Present replaces the whole set of TXT records, by their names, which are
	// in the network's domain and without the final dot. It returns once every
	// name server that can be asked serves the set, and those that cannot will
	// answer SERVFAIL.
	Present(ctx context.Context, records map[string][]string) error
}

// challengeLabel is where an authority looks (RFC 8555, 8.4).
const challengeLabel = "_acme-challenge."

// ChallengeName is the name in the zones of a map whose TXT records prove a
// host. The owner of a host outside of them makes "_acme-challenge." and the
// host an alias of it.
func ChallengeName(host string, m *landfall.Map) string {
	return challengeLabel + m.SteeredName(host)
}

// Refusal is an authority's objection.
type Refusal struct {
	Host  string    // that it objects to; empty if it does not say
	Type  string    // its last word for it, such as "rateLimited" (RFC 8555, 6.7); may be empty
	Words string    // the authority's own
	Cure  string    // what to do about it
	Again time.Time // when to ask again at the earliest; zero if it does not say
}

// Error says it all in one line.
func (r *Refusal) Error() string {
	text := fmt.Sprintf("the authority refuses: %.400q", r.Words)
	if r.Type != "" {
		text += fmt.Sprintf(" (%s)", r.Type)
	}
	if r.Host != "" {
		text = fmt.Sprintf("host %q: %s", r.Host, text)
	}
	return text + ": " + r.Cure
}
