package locate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"landfall"
)

// FileConfig is what a File is made of.
type FileConfig struct {
	Sources   Sources
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

// File follows databases in files. Whatever is wrong with a new one, the Table
// of the old ones stays.
type File struct {
	cfg  FileConfig
	wake chan struct{} // overrides are new

	checking sync.Mutex // held through a look; before mu

	mu    sync.Mutex
	over  []landfall.Override
	dirty bool    // over has not been laid over the databases yet
	seen  version // of the files that were read last, whole or not
	table *Table  // nil before the first
	stats Stats
}

// NewFile checks the configuration. It reads nothing: see Check.
func NewFile(c FileConfig) (*File, error) {
	if c.Sources.Places == "" {
		return nil, errors.New("geo database: no file is named")
	}
	if c.Interval < 0 {
		return nil, fmt.Errorf("geo database: a look every %v is not possible", c.Interval)
	}
	if err := fit(c.Overrides, c.Sources.Networks != ""); err != nil {
		return nil, err
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
	return &File{cfg: c, over: slices.Clone(c.Overrides), wake: make(chan struct{}, 1)}, nil
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

// SetOverrides has other overrides laid over the databases, soon. If anything
// is wrong with them the error tells all of it, and those of before stay.
func (f *File) SetOverrides(over []landfall.Override) error {
	if err := fit(over, f.cfg.Sources.Networks != ""); err != nil {
		return err
	}
	f.mu.Lock()
	if !slices.Equal(f.over, over) {
		f.over, f.dirty = slices.Clone(over), true
	}
	f.mu.Unlock()
	select {
	case f.wake <- struct{}{}:
	default: // it will wake already
	}
	return nil
}

// Table is the newest Table that could be made; nil before the first.
func (f *File) Table() *Table {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.table
}

// Check looks at the files now and loads what is new. What is wrong with them
// it tells once for each version of them, and logs it where an older Table
// stays; while nothing is new, nothing is wrong.
func (f *File) Check() error {
	f.checking.Lock()
	defer f.checking.Unlock()
	v := look(f.cfg.Sources)
	f.mu.Lock()
	table, over := f.table, f.over
	files, again := !v.same(f.seen), f.dirty
	f.seen, f.dirty = v, false
	f.mu.Unlock()
	if !files && !again {
		return nil
	}
	begun := time.Now()
	var err error
	if files || table == nil {
		table, err = Open(f.cfg.Sources, over)
	} else {
		table, err = table.With(over)
	}
	if err != nil {
		f.refuse(err)
		return err
	}
	f.accept(table, time.Since(begun))
	return nil
}

func (f *File) refuse(err error) {
	f.mu.Lock()
	f.stats.Refused++
	had := f.table != nil
	f.mu.Unlock()
	if had { // else whoever asked is told
		f.cfg.Log.Error("geography refused: the old one stays", "err", err)
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

// version tells whether files are other files, or longer or younger ones.
type version []stamp

// stamp is one file; info is nil if there is none.
type stamp struct{ info os.FileInfo }

func look(s Sources) version {
	var v version
	for _, path := range []string{s.Places, s.Networks} {
		info, err := os.Stat(path)
		if err != nil {
			info = nil
		}
		v = append(v, stamp{info})
	}
	return v
}

func (v version) same(w version) bool {
	return slices.EqualFunc(v, w, func(a, b stamp) bool {
		if a.info == nil || b.info == nil {
			return a.info == nil && b.info == nil
		}
		return os.SameFile(a.info, b.info) && a.info.Size() == b.info.Size() && a.info.ModTime().Equal(b.info.ModTime())
	})
}
