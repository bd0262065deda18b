package measure

import (
	"fmt"
	"log/slog"
	"os"
	"time"

	"landfall"
)

// Config says how a Book learns. Its zero value is a Book with all defaults
// that is kept nowhere.
type Config struct {
	// Epoch is how long the answers stay as one View has them; 0 means
	// DefaultEpoch. Epochs are counted from 1970, so that all name servers have
	// the same ones.
	Epoch time.Duration
	// Prefixes is how many are remembered at most; 0 means DefaultPrefixes.
	Prefixes int
	// Explore is the part of the answers, by traffic and by prefixes, that may
	// lead to edges on trial; 0 means DefaultExplore, below 0: none.
	Explore landfall.Share
	// Cap is the part of the traffic that the samples of the edges at one place
	// may bring there beyond what geography gives it; 0 means DefaultCap.
	Cap landfall.Share
	// Step is how much of the traffic more in one epoch; 0 means DefaultStep.
	Step landfall.Share

	// Keep is the directory in which Run keeps what was learnt; nil: nowhere.
	Keep *os.Root
	// World is asked by Run at the beginning of each epoch for what the next
	// View depends on, and Changed is told that View. World may be nil if Run is
	// not used.
	World   func() World
	Changed func(*View)

	Now func() time.Time // nil means time.Now
	Log *slog.Logger     // nil: nothing is logged
}

// What Config means where it says nothing. Five minutes let an edge on trial
// see some clients, and cost little if it is far; the rest are the promises
// that operators are given.
const (
	DefaultEpoch    = 5 * time.Minute
	DefaultPrefixes = 200_000
	DefaultExplore  = landfall.Share(0.02)
	DefaultCap      = landfall.Share(0.10)
	DefaultStep     = landfall.Share(0.005)
)

// EpochAt is the number of the epoch at a time, for all who go by DefaultEpoch.
func EpochAt(t time.Time) uint64 { return uint64(max(t.UnixNano(), 0)) / uint64(DefaultEpoch) }

// filled is c with its defaults, or what is wrong with it.
func (c Config) filled() (Config, error) {
	if c.Epoch == 0 {
		c.Epoch = DefaultEpoch
	}
	if c.Prefixes == 0 {
		c.Prefixes = DefaultPrefixes
	}
	for _, d := range []struct {
		share      *landfall.Share
		unsaid     landfall.Share
		name, cure string
	}{
		{&c.Explore, DefaultExplore, "explored", "want at most 1"},
		{&c.Cap, DefaultCap, "an edge may draw", "want 0 to 1"},
		{&c.Step, DefaultStep, "an edge may draw in an epoch", "want 0 to 1"},
	} {
		if *d.share == 0 {
			*d.share = d.unsaid
		}
		if !(*d.share <= 1) {
			return c, fmt.Errorf("measure: share %v that is %s: %s", *d.share, d.name, d.cure)
		}
	}
	switch {
	case c.Epoch < time.Second:
		return c, fmt.Errorf("measure: an epoch of %v: want at least a second", c.Epoch)
	case c.Prefixes < 0:
		return c, fmt.Errorf("measure: %d prefixes: want at least one", c.Prefixes)
	case c.Cap < 0 || c.Step < 0:
		return c, fmt.Errorf("measure: shares %v and %v that an edge may draw: want 0 to 1", c.Cap, c.Step)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c, nil
}
