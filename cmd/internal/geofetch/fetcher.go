package geofetch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"path/filepath"
	"sync"
	"time"

	"landfall"
	"landfall/geodns/locate"
)

// Config is what a Fetcher is made of.
type Config struct {
	Provider string // "dbip" or "maxmind"
	// Editions are "city" or "country", and "asn" if networks are to have
	// numbers; empty means city and asn. MaxMind's own names, such as
	// GeoIP2-City, are editions too.
	Editions []string
	// Dir is where the files are kept; it must exist.
	Dir string

	// Account and the licence key are MaxMind's. The key is in KeyFile, or is
	// Key itself. The file is read for each fetch.
	Account string
	KeyFile string
	Key     string

	// Base is where the provider's files are, instead of its own host: a
	// mirror such as "https://mirror.example/geo".
	Base string
	// Every is the time from one successful fetch to the next; 0 means
	// DefaultEvery.
	Every time.Duration
	// MaxMove is how much of the known address space may be elsewhere with one
	// new database; 0 means DefaultMaxMove.
	MaxMove landfall.Share
	// Force takes a new database however much moves.
	Force bool
	// MaxBytes is how large a database may be, unpacked; 0 means
	// DefaultMaxBytes.
	MaxBytes int64

	// Progress hears how many octets of an edition have arrived, and how many
	// there will be; -1 if the provider does not say.
	Progress func(edition string, got, all int64)

	HTTP *http.Client // nil means one of our own
	Log  *slog.Logger
}

// What Config means where it says nothing.
const (
	DefaultEvery    = 24 * time.Hour
	DefaultMaxMove  = landfall.Share(0.2)
	DefaultMaxBytes = 1 << 30
)

// deadline is how long one fetch may take.
const deadline = time.Hour

// Fetcher fetches databases.
type Fetcher struct {
	cfg      Config
	editions []edition
	client   *http.Client

	mu    sync.Mutex
	stats Stats
	last  time.Time // when the provider was last heard to have nothing newer than we
}

// New checks the configuration. It asks nobody.
func New(c Config) (*Fetcher, error) {
	f := &Fetcher{cfg: c, stats: Stats{Refused: map[string]uint64{}}}
	if err := f.cfg.complete(); err != nil {
		return nil, fmt.Errorf("fetch geographic databases: %w", err)
	}
	var err error
	if f.editions, err = f.cfg.editions(); err != nil {
		return nil, fmt.Errorf("fetch geographic databases: %w", err)
	}
	f.client = careful(f.cfg.HTTP)
	return f, nil
}

// complete fills in defaults, and tells what is missing.
func (c *Config) complete() error {
	if c.Every == 0 {
		c.Every = DefaultEvery
	}
	if c.MaxMove == 0 {
		c.MaxMove = DefaultMaxMove
	}
	if c.MaxBytes == 0 {
		c.MaxBytes = DefaultMaxBytes
	}
	if c.Progress == nil {
		c.Progress = func(string, int64, int64) {}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	switch {
	case c.Dir == "":
		return errors.New("no directory is named to keep them in")
	case c.Every < time.Minute:
		return fmt.Errorf("every %v is more often than any provider bears", c.Every)
	case !(c.MaxMove > 0 && c.MaxMove <= 1):
		return fmt.Errorf("a share of %v cannot move", float64(c.MaxMove))
	case c.MaxBytes < 0:
		return fmt.Errorf("no database has %d octets", c.MaxBytes)
	}
	return c.credentials()
}

// Sources are the files that will be there after the first fetch.
func (f *Fetcher) Sources() locate.Sources {
	var s locate.Sources
	for _, e := range f.editions {
		path := filepath.Join(f.cfg.Dir, e.file)
		if e.networks {
			s.Networks = path
		} else {
			s.Places = path
		}
	}
	return s
}

// Run fetches when Every is over, until ctx ends. What goes wrong is logged
// and tried again.
func (f *Fetcher) Run(ctx context.Context) error {
	wait := f.cfg.Every - time.Since(f.checked())
	for failures := 0; ; {
		timer := time.NewTimer(max(wait, 0))
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
		_, err := f.Once(ctx)
		if ctx.Err() != nil {
			return nil
		}
		wait = f.cfg.Every
		if err != nil {
			failures++
			wait = f.after(err, failures)
			f.cfg.Log.Error("geographic databases not fetched", "provider", f.cfg.Provider, "unconfirmed", f.age().Round(time.Second), "again", wait, "err", err)
			continue
		}
		failures = 0
	}
}

// firstRetry is the wait after a first failure; each further one doubles it.
const firstRetry = time.Minute

// after is how long to wait after an error: longer each time, as long as the
// provider wants, and a whole period for what will not be better sooner.
func (f *Fetcher) after(err error, failures int) time.Duration {
	wait := firstRetry << min(failures-1, 20)
	if status, ok := errors.AsType[*statusError](err); ok {
		wait = max(wait, status.retry)
	}
	if refused, ok := errors.AsType[*RefusedError](err); ok && !refused.passing() {
		wait = f.cfg.Every
	}
	return min(wait, f.cfg.Every)
}

// Stats are the counters of a Fetcher.
type Stats struct {
	Fetches   uint64            `metric:"fetches_total" help:"Times that the provider was asked for something new."`
	Updates   uint64            `metric:"updates_total" help:"Databases that were replaced by newer ones."`
	Refused   map[string]uint64 `metric:"refused_total" label:"reason" help:"Databases that were fetched and not used; the old ones stayed."`
	Failed    uint64            `metric:"failures_total" help:"Fetches that brought no answer to the question whether there is something new."`
	Bytes     uint64            `metric:"received_bytes_total" help:"Octets received from the provider."`
	Confirmed float64           `metric:"confirmed_seconds" help:"When the files were last known to be the provider's newest, in seconds of Unix time; 0 is never."`
	Age       float64           `metric:"confirmed_age_seconds" help:"Time since then."`
}

// Stats are the counters of now.
func (f *Fetcher) Stats() Stats {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.stats
	s.Refused = maps.Clone(s.Refused)
	if !f.last.IsZero() {
		s.Confirmed = float64(f.last.UnixMilli()) / 1000
		s.Age = time.Since(f.last).Seconds()
	}
	return s
}

// age is the time since the files were last known to be the newest.
func (f *Fetcher) age() time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.last.IsZero() {
		return 0
	}
	return time.Since(f.last)
}

// count changes the counters.
func (f *Fetcher) count(change func(*Stats)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(&f.stats)
}
