package certs

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Reason says why certificates are renewed before their time.
type Reason string

// The reasons.
const (
	Wanted        Reason = "wanted"        // somebody asked
	KeyCompromise Reason = "keyCompromise" // others may know the keys: the old certificates are revoked
)

// taken is a certificate that is to be revoked.
type taken struct {
	Signer string `json:"signer"`
	Leaf   string `json:"leaf"` // in PEM
}

// record is what is kept of a group: one file, replaced as a whole.
type record struct {
	Hosts  []string `json:"hosts"`            // those of the group
	Signer string   `json:"signer,omitempty"` // whose chain it is
	Chain  string   `json:"chain,omitempty"`  // in PEM, leaf first; may name more hosts than the group has now
	Key    string   `json:"key,omitempty"`    // in PEM

	Renew  Reason  `json:"renew,omitempty"`  // asked for, and not yet done
	Revoke []taken `json:"revoke,omitempty"` // to be revoked, and not yet

	// The attempts since the last success. They are written down before an
	// authority is asked, so that one who starts over and over asks no more
	// often than one who runs on.
	Tried    string    `json:"tried,omitempty"` // what they were for; another aim starts anew
	Failures int       `json:"failures,omitempty"`
	Next     time.Time `json:"next,omitzero"` // no attempt before
	Error    string    `json:"error,omitempty"`
}

// maxRecord bounds the files that are read.
const maxRecord = 1 << 20

// parseRecord reads a file. The certificate is nil where there is none.
func parseRecord(b []byte) (record, *tls.Certificate, error) {
	var r record
	if len(b) > maxRecord {
		return record{}, nil, errors.New("it is too large")
	}
	if err := decodeStrict(b, &r); err != nil {
		return record{}, nil, errors.New("it is not the record of a certificate, or not all of it") // what json says may repeat the key
	}
	if r.Chain == "" {
		return r, nil, nil
	}
	c, err := member{r.Chain, r.Key}.read()
	if err != nil {
		return record{}, nil, err
	}
	return r, c, nil
}

func (r record) format() ([]byte, error) { return json.MarshalIndent(r, "", "  ") }

// How long attempts that fail are apart.
const (
	retryFirst = time.Minute
	retryLast  = 6 * time.Hour
)

// patience is how long to wait after a number of attempts without success. One
// attempt that nobody saw the end of is repeated at once.
func patience(failures int) time.Duration {
	if failures < 1 {
		return 0
	}
	return min(retryFirst<<min(failures-1, 20), retryLast)
}

// aim is what attempts are for.
func aim(signer string, hosts []string) string {
	return versionOf([]byte(signer + "\x00" + strings.Join(hosts, "\x00")))
}

// lacking says what a certificate lacks that another would have; empty if
// nothing.
func (r record) lacking(c *tls.Certificate, signer string, now time.Time) string {
	switch {
	case c == nil:
		return "there is none"
	case r.Renew != "":
		return "asked for"
	case r.Signer != signer:
		return "signed by another authority"
	case !covers(c, r.Hosts):
		return "hosts have come"
	case !now.Before(due(c.Leaf)):
		return "due"
	}
	return ""
}

// attend is when a group wants attention.
func (r record) attend(c *tls.Certificate, signer string, now time.Time) time.Time {
	at := now
	if r.lacking(c, signer, now) == "" && len(r.Revoke) == 0 {
		at = due(c.Leaf)
	}
	if r.Tried == aim(signer, r.Hosts) && at.Before(r.Next) {
		return r.Next
	}
	return at
}

// begin is the record before an attempt.
func (r record) begin(signer string, now time.Time) record {
	if what := aim(signer, r.Hosts); r.Tried != what {
		r.Tried, r.Failures = what, 0
	}
	r.Next = now.Add(patience(r.Failures))
	r.Failures++
	return r
}

// failed is the record after an attempt that failed.
func (r record) failed(err error, now time.Time) record {
	r.Error = err.Error()
	r.Next = now.Add(patience(r.Failures))
	if refusal, ok := errors.AsType[*Refusal](err); ok && r.Next.Before(refusal.Again) {
		r.Next = refusal.Again
	}
	return r
}

// done is the record after an attempt that brought all that was wanted.
func (r record) done() record {
	r.Tried, r.Failures, r.Next, r.Error = "", 0, time.Time{}, ""
	return r
}

// renewed is the record with another certificate.
func (r record) renewed(old *tls.Certificate, fresh member, signer string, now time.Time) record {
	r = r.retire(old, now)
	r.Chain, r.Key, r.Signer, r.Renew = fresh.Chain, fresh.Key, signer, ""
	return r
}

// retire notes that the certificate is to be revoked, if it must be: what has
// ended by itself need not.
func (r record) retire(c *tls.Certificate, now time.Time) record {
	if r.Renew == KeyCompromise && c != nil && now.Before(c.Leaf.NotAfter) {
		r.Revoke = append(slices.Clone(r.Revoke), taken{r.Signer, string(formatChain(c.Leaf.Raw))})
	}
	return r
}

func (t taken) leaf() (*x509.Certificate, error) {
	chain, err := parseChain([]byte(t.Leaf))
	if err != nil {
		return nil, fmt.Errorf("certificate to revoke: %w", err)
	}
	return chain[0], nil
}
