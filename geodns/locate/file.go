package locate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"landfall"
)

// FileConfig is what a File is made of.
type FileConfig struct {
	Sources Sources
	// Awaited are those of the Sources that somebody will bring: it is no
	// fault that they are not there yet.
	Awaited Sources
	// Fallback is a database of places in memory, for as long as that of the
	// Sources cannot be used; networks have no numbers as long as theirs
	// cannot. Empty: there is no Table before all Sources could be used.
	Fallback  []byte
	Overrides []landfall.Override
	// Interval is the time between two looks at the files; 0 means
	// DefaultInterval.
	Interval time.Duration
	// Changed hears each new Table, the first too, one at a time.
	Changed func(*Table)
	Log     *slog.Logger
}

// DefaultInterval is what FileConfig.Interval means where it says nothing: a
// look costs microseconds, and nobody waits long for what he just put there.
const DefaultInterval = 5 * time.Second

// File follows databases in files, each for itself. Whatever is wrong with a
// new one, what is known from the old one stays.
type File struct {
	cfg  FileConfig
	wake chan struct{} // overrides are new

	checking sync.Mutex // held through a look; before mu; guards what follows
	files    []*followed
	bare     *Table // what the databases say

	mu    sync.Mutex // guards what follows
	over  []landfall.Override
	dirty bool   // over has not been laid over the databases yet
	table *Table // nil before the first
	stats Stats
}

// NewFile checks the configuration. It reads no file: see Check.
func NewFile(c FileConfig) (*File, error) {
	if c.Sources.Places == "" && c.Fallback == nil {
		return nil, errors.New("geo database: no file is named")
	}
	if c.Interval < 0 {
		return nil, fmt.Errorf("geo database: a look every %v is not possible", c.Interval)
	}
	over, err := sift(c.Overrides, c.Sources.Networks != "")
	if err != nil {
		return nil, err
	}
	f := &File{over: over, wake: make(chan struct{}, 1)}
	if c.Fallback != nil {
		if f.bare, err = f.bare.withPlaces("", c.Fallback); err != nil {
			return nil, err
		}
	}
	for _, s := range c.Sources.list() {
		f.files = append(f.files, &followed{source: s, awaited: slices.Contains(c.Awaited.list(), s)})
	}
	if c.Interval == 0 {
		c.Interval = DefaultInterval
	}
	if c.Changed == nil {
		c.Changed = func(*Table) {}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	f.cfg = c
	return f, nil
}

// Run looks at the files until ctx ends. What is wrong with them is logged.
func (f *File) Run(ctx context.Context) error {
	tick := time.NewTicker(f.cfg.Interval)
	defer tick.Stop()
	for {
		if err := f.Check(); err != nil && f.Table() == nil {
			f.cfg.Log.Error("no geography", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-f.wake:
		}
	}
}

// SetOverrides has other overrides laid over the databases, soon. What is wrong
// with any of them the error tells; those are left out, the others are heeded
// all the same.
func (f *File) SetOverrides(over []landfall.Override) error {
	good, err := sift(over, f.cfg.Sources.Networks != "")
	f.mu.Lock()
	if err != nil {
		f.stats.Refused++
	}
	if !slices.Equal(f.over, good) {
		f.over, f.dirty = good, true
	}
	f.mu.Unlock()
	select {
	case f.wake <- struct{}{}:
	default: // it will wake already
	}
	return err
}

// Table is the newest Table that could be made; nil before the first.
func (f *File) Table() *Table {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.table
}

// Check looks at the files now and loads what is new. What is wrong with them
// it tells once for each version of them, and logs it where there is a Table
// all the same; while nothing is new, nothing is wrong.
func (f *File) Check() error {
	f.checking.Lock()
	defer f.checking.Unlock()
	begun := time.Now()
	fresh, err := f.renew()
	f.mu.Lock()
	over, again := f.over, f.dirty || f.table == nil
	f.dirty = false
	f.mu.Unlock()
	if (fresh || again) && f.complete() {
		f.accept(f.bare.lay(over), time.Since(begun))
	}
	return err
}

// renew loads the databases that are new.
func (f *File) renew() (fresh bool, err error) {
	var faults []error
	for _, s := range f.files {
		next, err := s.renew(f.bare)
		switch {
		case err != nil:
			faults = append(faults, err)
			f.refuse(s, err)
		case next != nil:
			f.bare, fresh = next, true
			f.cure(s)
		}
	}
	return fresh, errors.Join(faults...)
}

// complete reports whether all is known that has to be.
func (f *File) complete() bool {
	return f.cfg.Fallback != nil || !slices.ContainsFunc(f.files, func(s *followed) bool { return !s.loaded })
}

func (f *File) refuse(s *followed, err error) {
	s.refused = true
	f.mu.Lock()
	f.stats.Refused++
	f.mu.Unlock()
	switch {
	case s.loaded:
		f.cfg.Log.Error("geography refused: the old one stays", "err", err)
	case f.cfg.Fallback != nil: // else whoever asked is told
		f.cfg.Log.Error("geography refused: going on without it", "err", err)
	}
}

// cure tells that a file which was refused is as it should be.
func (f *File) cure(s *followed) {
	if s.refused {
		s.refused = false
		f.cfg.Log.Warn("geography is whole again", "file", s.path)
	}
}

func (f *File) accept(t *Table, took time.Duration) {
	f.mu.Lock()
	f.table = t
	f.stats.Loads++
	f.stats.describe(t)
	f.mu.Unlock()
	f.cfg.Log.Info("geography loaded", "type", t.about.Places.Type, "built", t.about.Places.Built, "networks", t.about.Networks.Type, "took", took, "faults", t.about.Faults)
	f.cfg.Changed(t)
}

// Missing are the files that are not in use, though they were asked for.
func (f *File) Missing() []string {
	f.checking.Lock()
	defer f.checking.Unlock()
	var out []string
	for _, s := range f.files {
		if !s.loaded {
			out = append(out, s.path)
		}
	}
	return out
}
