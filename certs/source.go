package certs

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"landfall"
)

// bundleFile holds the last bundle, sealed as it came.
const bundleFile = "bundle.sealed"

// SourceConfig is what a Source needs.
type SourceConfig struct {
	Dir     *os.Root // where the sealed bundle is kept
	Network string   // the network's name
	Self    landfall.NodeID
	Key     *SealingPrivate // what bundles for this node are sealed to
	// Dial opens a stream to the Server.
	Dial func(context.Context) (net.Conn, error)
	Log  *slog.Logger // nil discards
}

// Source holds one edge's certificates. They come from the Server at home; the
// last ones that came are kept on disk, sealed, so that an edge starts while
// home is dark.
type Source struct {
	cfg  SourceConfig
	http *http.Transport
	use  atomic.Pointer[table]
	full chan struct{} // closed when use first covers all hosts of the domain

	next    atomic.Pointer[landfall.Map]
	changed chan struct{} // tells Run that next was replaced
	heard   atomic.Int64  // when home answered last, UnixNano; 0 never

	// Run's own.
	now    *landfall.Map
	latest *bundle // the newest that came; nil before the first
	said   string  // of its certificates that are not used

	received, failures, refused atomic.Uint64
}

// NewSource checks the configuration.
func NewSource(cfg SourceConfig) (*Source, error) {
	if cfg.Dir == nil || cfg.Dial == nil || cfg.Key == nil || cfg.Network == "" || cfg.Self == "" {
		return nil, errors.New("certs: a source needs a Dir, a Network, a Self, a Key and a Dial")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s := &Source{cfg: cfg, full: make(chan struct{}), changed: make(chan struct{}, 1)}
	s.use.Store(&table{})
	s.http = &http.Transport{
		DialContext:            func(ctx context.Context, _, _ string) (net.Conn, error) { return cfg.Dial(ctx) },
		DisableCompression:     true,
		IdleConnTimeout:        MaxWait,
		MaxResponseHeaderBytes: 16 << 10,
	}
	return s, nil
}

// SetMap says which hosts there are, and whom users trust.
func (s *Source) SetMap(m *landfall.Map) {
	s.next.Store(m)
	select {
	case s.changed <- struct{}{}:
	default: // Run has not yet seen the change before, and will see both
	}
}

// Certificate fits edge.Certificates. A certificate that has ended is not
// shown: no client would take it.
func (s *Source) Certificate(_ context.Context, host string) (*tls.Certificate, error) {
	c := (*s.use.Load())[host]
	if c == nil {
		return nil, fmt.Errorf("no certificate for %q yet (landfall certs list at home tells why)", host)
	}
	if end := c.Leaf.NotAfter; time.Now().After(end) {
		return nil, fmt.Errorf("certificate for %q ended at %s (landfall certs list at home tells why there is no other)", host, end.UTC().Format(time.RFC3339))
	}
	return c, nil
}

// Ready is closed once there are certificates for all hosts of the map that
// lie in its domain. Those outside depend on others.
func (s *Source) Ready() <-chan struct{} { return s.full }

// Run starts from disk and follows home until ctx ends. A file that cannot be
// read is an error and is left as it is.
func (s *Source) Run(ctx context.Context) error {
	have, err := s.load()
	if err != nil {
		return err
	}
	arrived := make(chan *bundle)
	var work sync.WaitGroup
	work.Go(func() { s.follow(ctx, have, arrived) })
	defer work.Wait()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.changed:
			s.now = s.next.Load()
		case s.latest = <-arrived:
		}
		s.adopt(time.Now())
	}
}

// load takes up what an earlier run kept, and says which version it is. That
// it was vouched for was made sure of before it was kept.
func (s *Source) load() (version string, err error) {
	if _, err := sweep(s.cfg.Dir); err != nil {
		return "", fmt.Errorf("certificates: %w", err)
	}
	sealed, err := s.cfg.Dir.ReadFile(bundleFile)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("certificates: %w", err)
	}
	b, err := s.open(sealed)
	if err != nil {
		return "", fmt.Errorf("%s: %w (remove it to have it sent again from home)", filepath.Join(s.cfg.Dir.Name(), bundleFile), err)
	}
	s.use.Store(new(b.table(nil)))
	return b.version, nil
}

// SourceStats are the counts of a Source.
type SourceStats struct {
	Received uint64             `metric:"bundles_received_total" help:"Bundles of certificates that came from home."`
	Failures uint64             `metric:"failures_total" help:"Questions to home without a good answer."`
	Refused  uint64             `metric:"refused_total" help:"Certificates that nobody vouches for whom users trust."`
	Silent   float64            `metric:"home_silent_seconds" help:"Time since home answered; -1 if it never did."`
	Days     map[string]float64 `metric:"days_left" label:"host" help:"Days until the certificate of a host ends; negative if it has."`
}

// Stats returns the counts so far.
func (s *Source) Stats() SourceStats {
	out := SourceStats{
		Received: s.received.Load(), Failures: s.failures.Load(), Refused: s.refused.Load(),
		Silent: -1, Days: map[string]float64{},
	}
	now := time.Now()
	if at := s.heard.Load(); at != 0 {
		out.Silent = now.Sub(time.Unix(0, at)).Seconds()
	}
	for host, c := range *s.use.Load() {
		out.Days[host] = c.Leaf.NotAfter.Sub(now).Hours() / 24
	}
	return out
}
