package keyring

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"landfall/geodns/dnssec/bundle"
	"landfall/geodns/dnssec/roll"
)

// How often a Keeper looks: at its files, and at name servers while something
// waits for them.
const (
	fileEvery = 2 * time.Second
	lookEvery = time.Minute
)

// Warn is how long before a bundle ends operators hear of it, if it was brought.
const Warn = 30 * 24 * time.Hour

// remade is the part of a bundle's time after which a new one is made.
const remade = 3

// KeeperConfig is what a Keeper needs.
type KeeperConfig struct {
	Dir Dir
	// Look sees what the name servers of a zone, and its parent's, show now.
	// The notes are for people.
	Look func(ctx context.Context, s roll.State, now time.Time) (f roll.Facts, notes []string)
	// Every is the time between two looks at name servers; 0 means a minute. It
	// is less where the TTL of keys is.
	Every time.Duration
	// Watch is the time between two looks at files; 0 means two seconds.
	Watch time.Duration
	// Apply hears of all that name servers are to sign with, each time that
	// something is different.
	Apply func([]bundle.Bundle)
	Log   *slog.Logger // nil discards
}

// Keeper has the keys of a directory change in time, and hands on what name
// servers sign with.
type Keeper struct {
	cfg KeeperConfig

	// Run's own.
	files  map[string]stamp     // that bundles were made of, by zone
	looked map[string]time.Time // when name servers were looked at, by zone
	said   map[string]string    // what the log has heard of a zone
	office *os.File             // the lock of who looks after the directory; nil: another one does
	waits  time.Time            // since when another one does

	mu    sync.Mutex // guards what follows
	zones map[string]*kept
}

// kept is what is known of a zone.
type kept struct {
	state roll.State // none if there is a bundle alone
	keys  bundle.Bundle
	made  time.Time
	lent  bool     // the keys are from a bundle that was brought
	ended bool     // the zone is unsigned
	notes []string // what was not as it should be when it was looked at
	err   error
}

type stamp struct {
	changed time.Time
	size    int64
}

// NewKeeper checks the configuration.
func NewKeeper(cfg KeeperConfig) (*Keeper, error) {
	if cfg.Dir == "" || cfg.Apply == nil || cfg.Look == nil {
		return nil, errors.New("keys: a keeper needs a Dir, Look and Apply")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	cfg.Every, cfg.Watch = cmp.Or(cfg.Every, lookEvery), cmp.Or(cfg.Watch, fileEvery)
	return &Keeper{cfg: cfg, files: map[string]stamp{}, looked: map[string]time.Time{}, said: map[string]string{}, zones: map[string]*kept{}}, nil
}

// Load reads the directory before Run does, and applies what is there. It fails
// where there is nothing that could be used.
func (k *Keeper) Load() error {
	k.tend(context.Background(), false)
	k.mu.Lock()
	defer k.mu.Unlock()
	var errs []error
	for _, z := range k.zones {
		errs = append(errs, z.err)
	}
	if len(k.zones) == 0 {
		_, err := k.cfg.Dir.Zones()
		return cmp.Or(err, fmt.Errorf("%s: %w (landfall dns keys init makes some)", k.cfg.Dir, ErrNoKeys))
	}
	return errors.Join(errs...)
}

// Run keeps keys until ctx ends.
func (k *Keeper) Run(ctx context.Context) error {
	tick := time.NewTicker(k.cfg.Watch)
	defer tick.Stop()
	defer k.resign()
	for {
		k.stand()
		k.tend(ctx, true)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// tend does what is due, for all zones.
func (k *Keeper) tend(ctx context.Context, look bool) {
	names, err := k.cfg.Dir.Zones()
	k.say("", err)
	if err != nil {
		return
	}
	changed := false
	for _, name := range names {
		if ctx.Err() != nil {
			return
		}
		changed = k.tendOne(ctx, name, look) || changed
	}
	k.mu.Lock()
	for name, z := range k.zones {
		if !slices.Contains(names, name) {
			z.err = fmt.Errorf("the files of %s are gone from %s: what there was stays in service (landfall dns keys remove is the way to have a zone unsigned)", name, k.cfg.Dir)
			k.say(name, z.err)
		}
	}
	k.mu.Unlock()
	if changed {
		k.cfg.Apply(k.Bundles())
	}
}

// tendOne does what is due for a zone. What fails leaves what there was.
func (k *Keeper) tendOne(ctx context.Context, name string, look bool) (changed bool) {
	k.mu.Lock()
	before := k.zones[name]
	k.mu.Unlock()
	now := kept{}
	if before != nil {
		now = *before
	}
	now.err = k.advance(ctx, name, look, &now)
	if now.err == nil {
		changed, now.err = k.renew(name, &now)
	}
	k.say(name, now.err)
	k.mu.Lock()
	k.zones[name] = &now
	k.mu.Unlock()
	return changed
}

// advance moves the keys of a zone on.
func (k *Keeper) advance(ctx context.Context, name string, look bool, z *kept) error {
	s, err := k.cfg.Dir.State(name)
	if errors.Is(err, ErrNoKeys) {
		z.state = roll.State{}
		return nil
	}
	now := second(time.Now())
	if err == nil {
		err = k.cfg.Dir.rival(s, now)
	}
	if err != nil || k.office == nil {
		z.state = s
		return err
	}
	var f roll.Facts
	if look && s.Waits(now) && now.Sub(k.looked[name]) >= min(k.cfg.Every, s.Policy.KeyTTL) {
		k.looked[name] = now
		f, z.notes = k.cfg.Look(ctx, s, now)
	} else if !s.Waits(now) {
		z.notes = nil
	}
	var steps []roll.Step
	z.state, err = k.cfg.Dir.Change(name, func(at roll.State) (roll.State, error) {
		if !at.Equal(s) { // somebody changed it meanwhile
			return at, nil
		}
		at, steps, _ = at.Next(now, f)
		return at, nil
	})
	for _, step := range steps {
		of, _ := z.state.Key(step.Key)
		k.cfg.Log.Info("dnssec: keys move on", "zone", name, "step", step.What, "key", tagOf(of), "at", step.At)
	}
	return err
}

// renew makes the bundle of a zone anew where there is reason to.
func (k *Keeper) renew(name string, z *kept) (changed bool, err error) {
	now := time.Now()
	stale, err := k.stale(name, z, now)
	if err != nil || !stale {
		return false, err
	}
	b, err := k.cfg.Dir.Bundle(name, now)
	lent := z.state.Zone == ""
	if err == nil && lent && z.lent {
		if err = succeeds(b, z.keys); err != nil {
			err = fmt.Errorf("%s: %w", k.cfg.Dir.file(name, bundleEnd), err)
		}
	}
	if err == nil && !b.Ended(now) {
		_, err = b.At(now)
	}
	if err != nil {
		delete(k.files, name) // what is missing may come
		return false, err
	}
	changed = !same(b, z.keys) || b.Ended(now) != z.ended
	z.keys, z.made, z.lent, z.ended = b, now, lent, b.Ended(now)
	return changed, nil
}

// stale reports whether a bundle is to be made or read anew: a file has changed,
// a third of its time is over, or it has ended.
func (k *Keeper) stale(name string, z *kept, now time.Time) (bool, error) {
	end := stateEnd
	if z.state.Zone == "" {
		end = bundleEnd
	}
	info, err := os.Stat(k.cfg.Dir.file(name, end))
	if err != nil {
		return false, fmt.Errorf("keys: %w", err)
	}
	at, before := stamp{info.ModTime(), info.Size()}, k.files[name]
	k.files[name] = at
	old := z.state.Zone != "" && now.Sub(z.made) >= z.state.Policy.Ahead/remade
	return at != before || old || z.keys.Ended(now) != z.ended, nil
}

// same reports whether two bundles are the same.
func same(a, b bundle.Bundle) bool {
	x, err := bundle.Encode(a, true)
	y, err2 := bundle.Encode(b, true)
	return err == nil && err2 == nil && bytes.Equal(x, y)
}

// say has the log hear of a fault once.
func (k *Keeper) say(name string, err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text != "" && k.said[name] != text {
		k.cfg.Log.Error("dnssec: keys cannot be kept: what there was stays", "zone", name, "err", err)
	}
	k.said[name] = text
}

// Bundles are what name servers sign with now, by zone: of those that have
// ended, too.
func (k *Keeper) Bundles() (out []bundle.Bundle) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, z := range k.zones {
		if z.keys.Zone != "" {
			out = append(out, z.keys)
		}
	}
	slices.SortFunc(out, func(a, b bundle.Bundle) int { return a.Zone.Compare(b.Zone) })
	return out
}
