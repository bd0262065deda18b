package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"landfall"
)

// pairFile holds the edge's chain and its private key.
const pairFile = "edge.pem"

// How a Source asks.
const (
	askTimeout = 15 * time.Second
	retryMin   = 100 * time.Millisecond // the mesh may need a moment at the start
	retryMax   = time.Minute
	maxChain   = 256 << 10
)

// SourceConfig is what a Source needs.
type SourceConfig struct {
	Dir *os.Root // where the certificate and its key are kept
	// Dial opens a stream to the Issuer.
	Dial func(context.Context) (net.Conn, error)
	// Roots are the authorities that users trust. A certificate of another is
	// not shown to them: an old one is replaced, a new one refused. nil takes
	// any.
	Roots *x509.CertPool
	Log   *slog.Logger // nil discards
}

// Source holds one edge's certificate for all hosts of the map that lie in
// its domain, and renews it in time. It starts from disk while no Issuer can
// be reached.
type Source struct {
	cfg  SourceConfig
	now  atomic.Pointer[tls.Certificate]
	ask  http.Client
	full chan struct{} // closed when now first covers all hosts

	mu     sync.Mutex // guards hosts and opened
	hosts  []string
	opened bool // full is closed

	changed chan struct{} // tells Run that hosts was replaced

	renewals, failures atomic.Uint64
}

// NewSource checks the configuration.
func NewSource(cfg SourceConfig) (*Source, error) {
	if cfg.Dir == nil || cfg.Dial == nil {
		return nil, errors.New("certs: a source needs a Dir and a Dial")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s := &Source{cfg: cfg, full: make(chan struct{}), changed: make(chan struct{}, 1)}
	s.ask = http.Client{Timeout: askTimeout, Transport: &http.Transport{
		DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return cfg.Dial(ctx) },
		DisableKeepAlives: true, // the next time is a month away
	}}
	return s, nil
}

// SetMap says which hosts the certificate is for: those of all services in
// the map's domain. For others the authority cannot vouch.
func (s *Source) SetMap(m *landfall.Map) {
	var hosts []string
	for _, v := range m.Services {
		if landfall.InZone(v.Host, m.Domain) {
			hosts = append(hosts, v.Host)
		}
	}
	slices.Sort(hosts)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hosts = slices.Compact(hosts)
	s.announce()
	select {
	case s.changed <- struct{}{}:
	default: // Run has not yet seen the change before, and will see both
	}
}

// Certificate fits edge.Certificates.
func (s *Source) Certificate(_ context.Context, host string) (*tls.Certificate, error) {
	c := s.now.Load()
	if c == nil {
		return nil, errors.New("no certificate yet: the issuer has not answered")
	}
	if err := c.Leaf.VerifyHostname(host); err != nil {
		return nil, err
	}
	return c, nil
}

// Ready is closed once there is a certificate for all hosts of the map.
func (s *Source) Ready() <-chan struct{} { return s.full }

// announce closes full if it is time; mu is held.
func (s *Source) announce() {
	if !s.opened && len(s.hosts) > 0 && covers(s.now.Load(), s.hosts) {
		s.opened = true
		close(s.full)
	}
}

// Run reads the certificate from disk and renews it until ctx ends. A file
// that cannot be read is an error and is left as it is.
func (s *Source) Run(ctx context.Context) error {
	if err := s.load(); err != nil {
		return err
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for retry := retryMin; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-s.changed:
		case <-timer.C:
		}
		pause, err := s.tend(ctx, time.Now())
		if err != nil {
			pause = retry/2 + mathrand.N(retry)
			retry = min(2*retry, retryMax)
			s.lament(ctx, pause, err)
		} else {
			retry = retryMin
		}
		timer.Reset(pause)
	}
}

func (s *Source) lament(ctx context.Context, pause time.Duration, err error) {
	if ctx.Err() == nil {
		s.failures.Add(1)
		s.cfg.Log.Warn("certificate not renewed", "retry", pause, "err", err)
	}
}

// tend gets a new certificate if one is due, and says when to look again.
func (s *Source) tend(ctx context.Context, now time.Time) (time.Duration, error) {
	s.mu.Lock()
	hosts := s.hosts
	s.mu.Unlock()
	c := s.now.Load()
	if len(hosts) == 0 {
		return time.Hour, nil // SetMap wakes us
	}
	if !covers(c, hosts) || !now.Before(due(c.Leaf)) {
		var err error
		if c, err = s.renew(ctx, hosts); err != nil {
			return 0, err
		}
	}
	return max(due(c.Leaf).Sub(now), time.Minute), nil
}

// due is when a certificate should be renewed: at two thirds of its life, or
// up to a twentieth before, by its serial number, so that not all edges come
// at once.
func due(leaf *x509.Certificate) time.Time {
	life := leaf.NotAfter.Sub(leaf.NotBefore)
	early := life / 20 * time.Duration(leaf.SerialNumber.Bit(0)+2*leaf.SerialNumber.Bit(1)+4*leaf.SerialNumber.Bit(2)) / 8
	return leaf.NotBefore.Add(life*2/3 - early)
}

func covers(c *tls.Certificate, hosts []string) bool {
	return c != nil && !slices.ContainsFunc(hosts, func(h string) bool { return c.Leaf.VerifyHostname(h) != nil })
}

// SourceStats are the counts of a Source.
type SourceStats struct {
	Renewals uint64 `metric:"renewals_total" help:"Certificates obtained."`
	Failures uint64 `metric:"failures_total" help:"Attempts that brought no certificate."`
	Expiry   int64  `metric:"expiry_seconds" help:"When the certificate ends, in seconds since 1970; 0 if there is none."`
}

// Stats returns the counts so far.
func (s *Source) Stats() SourceStats {
	out := SourceStats{Renewals: s.renewals.Load(), Failures: s.failures.Load()}
	if c := s.now.Load(); c != nil {
		out.Expiry = c.Leaf.NotAfter.Unix()
	}
	return out
}
