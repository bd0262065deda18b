package certs

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/acme"

	"landfall"
)

// ACMEConfig is what an ACME needs.
type ACMEConfig struct {
	Dir        *os.Root      // where the accounts' keys are kept
	Map        *landfall.Map // whose zones are the network's
	Policy     landfall.ACME // which authority, and whether its terms are agreed to
	Challenges Challenges    // how names are proved
	Log        *slog.Logger  // nil discards
}

// ACME is a public certificate authority (RFC 8555). Names are proved by TXT
// records (8.4, dns-01), all those of an order at once.
type ACME struct {
	cfg ACMEConfig

	mu     sync.Mutex   // held while an order is under way; guards client
	client *acme.Client // of our account; nil until there is one
}

// NewACME checks the configuration. The authority is first asked by Sign.
func NewACME(cfg ACMEConfig) (*ACME, error) {
	if cfg.Dir == nil || cfg.Map == nil || cfg.Challenges == nil {
		return nil, errors.New("certs: ACME needs a Dir, a Map and Challenges")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &ACME{cfg: cfg}, nil
}

// Name implements Signer: it is the directory's URL.
func (a *ACME) Name() string { return a.cfg.Policy.EffectiveDirectory() }

// Sign implements Signer.
func (a *ACME) Sign(ctx context.Context, csr *x509.CertificateRequest, hosts []string) (chain []byte, err error) {
	err = a.with(ctx, hosts, func(c *acme.Client) error {
		chain, err = a.order(ctx, c, csr, hosts)
		return err
	})
	return chain, err
}

// Revoke implements Signer, by the account's key (RFC 8555, 7.6). What is
// revoked already is no error.
func (a *ACME) Revoke(ctx context.Context, leaf *x509.Certificate) error {
	return a.with(ctx, leaf.DNSNames, func(c *acme.Client) error {
		return c.RevokeCert(ctx, nil, leaf.Raw, acme.CRLReasonKeyCompromise)
	})
}

// with lets do work with our account at the authority. After an error the
// account is looked up anew the next time: the authority may have lost it.
func (a *ACME) with(ctx context.Context, hosts []string, do func(*acme.Client) error) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	c, err := a.account(ctx)
	if err == nil {
		defer c.HTTPClient.CloseIdleConnections()
		err = do(c)
	}
	if err != nil {
		a.client = nil
		return a.explain(err, hosts, time.Now())
	}
	return nil
}

func (a *ACME) order(ctx context.Context, c *acme.Client, csr *x509.CertificateRequest, hosts []string) ([]byte, error) {
	o, err := c.AuthorizeOrder(ctx, acme.DomainIDs(hosts...))
	if err != nil {
		return nil, err
	}
	if err := a.prove(ctx, c, o, hosts); err != nil {
		return nil, err
	}
	if o, err = c.WaitOrder(ctx, o.URI); err != nil {
		return nil, err
	}
	chain, _, err := c.CreateCertFromOrder(ctx, o, csr.Raw, true)
	if err != nil {
		return nil, err
	}
	return formatChain(chain...), nil
}

// proof is one name of an order that the authority wants proved.
type proof struct {
	authorization string // its URL
	challenge     *acme.Challenge
}

// prove shows the authority that the hosts of an order are ours.
func (a *ACME) prove(ctx context.Context, c *acme.Client, o *acme.Order, hosts []string) error {
	proofs, records, err := a.proofs(ctx, c, o, hosts)
	if err != nil || len(proofs) == 0 {
		return err
	}
	defer a.clear(ctx)
	if err := a.cfg.Challenges.Present(ctx, records); err != nil {
		return fmt.Errorf("challenges to the name servers: %w", err)
	}
	for _, p := range proofs {
		if _, err := c.Accept(ctx, p.challenge); err != nil {
			return err
		}
	}
	var faults []error
	for _, p := range proofs { // the authority looks at all of them meanwhile
		_, err := c.WaitAuthorization(ctx, p.authorization)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}

// proofs are what is still to be proved of an order, and the records that do.
// Each host is proved once, and no other name: records in our zone that an
// authority picked the names of could prove to a third what nobody ordered.
func (a *ACME) proofs(ctx context.Context, c *acme.Client, o *acme.Order, hosts []string) ([]proof, map[string][]string, error) {
	var proofs []proof
	left := slices.Clone(hosts)
	records := map[string][]string{}
	for _, url := range o.AuthzURLs {
		z, err := c.GetAuthorization(ctx, url)
		if err != nil {
			return nil, nil, err
		}
		host := strings.ToLower(z.Identifier.Value)
		i := slices.Index(left, host)
		if z.Identifier.Type != "dns" || z.Wildcard || i < 0 {
			return nil, nil, fmt.Errorf("it wants %.100q proved, which is not, or no more, to be proved of the order for %s: nothing was; if it does so again, choose another authority", z.Identifier.Value, names(hosts))
		}
		left = slices.Delete(left, i, i+1)
		if z.Status == acme.StatusValid {
			continue
		}
		ch := dnsChallenge(z)
		if ch == nil {
			return nil, nil, fmt.Errorf("host %q: the authority offers no challenge dns-01, the only one that name servers can answer", host)
		}
		text, err := c.DNS01ChallengeRecord(ch.Token)
		if err != nil {
			return nil, nil, err
		}
		name := ChallengeName(host, a.cfg.Map)
		records[name] = append(records[name], text)
		proofs = append(proofs, proof{url, ch})
	}
	return proofs, records, nil
}

func dnsChallenge(z *acme.Authorization) *acme.Challenge {
	for _, c := range z.Challenges {
		if c.Type == "dns-01" {
			return c
		}
	}
	return nil
}

// clearTime is how long the name servers may take to forget challenges.
const clearTime = 15 * time.Second

// clear takes the challenges away, also when the order was given up.
func (a *ACME) clear(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), clearTime)
	defer cancel()
	if err := a.cfg.Challenges.Present(ctx, nil); err != nil {
		a.cfg.Log.Warn("challenges stay at the name servers until the next order", "err", err)
	}
}

// backoff fits acme.Client: how long to wait before a request is repeated. A
// nonce that the authority did not like is replaced at once (RFC 8555, 6.5);
// an authority that limits us is left alone, for as long as it says.
func backoff(n int, _ *http.Request, res *http.Response) time.Duration {
	switch {
	case n > 8 || res.StatusCode == http.StatusTooManyRequests:
		return 0
	case res.StatusCode < http.StatusInternalServerError:
		return time.Duration(n) * 20 * time.Millisecond
	}
	return min(time.Second<<n, 10*time.Second)
}
