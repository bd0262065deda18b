package node

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"landfall"
	"landfall/geodns/locate"
)

// AtlasConfig is what an Atlas is made of.
type AtlasConfig struct {
	// Sources are the databases.
	Sources locate.Sources
	// Fallback is followed as long as Sources are not there, as before a first
	// fetch; empty: they have to be.
	Fallback locate.Sources
	Log      *slog.Logger
}

// Atlas says where addresses are, by databases in files that it follows and
// by the overrides of the map. It is a node's one copy, for its edge and its
// name server.
type Atlas struct {
	cfg     AtlasConfig
	table   atomic.Pointer[locate.Table]
	changed atomic.Pointer[func(*locate.Table)]

	mu      sync.Mutex // guards what follows
	file    *locate.File
	sources locate.Sources // of file
	m       *landfall.Map  // whose overrides are laid over it; nil before the first
	warned  bool           // of overrides that need a database of networks
}

// OpenAtlas reads the databases.
func OpenAtlas(cfg AtlasConfig) (*Atlas, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	a := &Atlas{cfg: cfg}
	sources := cfg.Sources
	if !there(sources) && cfg.Fallback != (locate.Sources{}) {
		sources = cfg.Fallback
	}
	return a, a.open(sources)
}

// there reports whether all files of sources are.
func there(s locate.Sources) bool {
	for _, path := range []string{s.Places, s.Networks} {
		if _, err := os.Stat(path); path != "" && err != nil {
			return false
		}
	}
	return s.Places != ""
}

// open follows other files from now on; after an error the same as before.
func (a *Atlas) open(sources locate.Sources) error {
	file, err := locate.NewFile(locate.FileConfig{Sources: sources, Changed: a.accept, Log: a.cfg.Log})
	if err != nil {
		return err
	}
	a.mu.Lock()
	m := a.m
	a.mu.Unlock()
	if m != nil {
		if err := file.SetOverrides(heeded(sources, m)); err != nil {
			return err
		}
	}
	if err := file.Check(); err != nil {
		return err
	}
	if file.Table() == nil {
		return fmt.Errorf("geo database %s: there is no such file", sources.Places)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.file, a.sources = file, sources
	return nil
}

func (a *Atlas) accept(t *locate.Table) {
	a.table.Store(t)
	if changed := a.changed.Load(); changed != nil {
		(*changed)(t)
	}
}

// Follow has a function hear of each new table.
func (a *Atlas) Follow(changed func(*locate.Table)) { a.changed.Store(&changed) }

// Table is what is known now.
func (a *Atlas) Table() *locate.Table { return a.table.Load() }

// Locate implements edge.Locator.
func (a *Atlas) Locate(addr netip.Addr) (landfall.Location, netip.Prefix) {
	return a.Table().Locate(addr)
}

// Stats are those of the files that are followed.
func (a *Atlas) Stats() locate.Stats {
	file, _ := a.following()
	return file.Stats()
}

func (a *Atlas) following() (*locate.File, locate.Sources) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.file, a.sources
}

// SetMap lays the overrides of a map over the databases before it returns.
// Those by ASN are left out where there is no database of networks: one server
// that lacks a file must not lose the rest.
func (a *Atlas) SetMap(m *landfall.Map) {
	a.mu.Lock()
	a.m = m
	file, over := a.file, heeded(a.sources, m)
	warn := len(over) < len(m.Overrides) && !a.warned
	a.warned = a.warned || warn
	a.mu.Unlock()
	if warn {
		a.cfg.Log.Warn("overrides by ASN have no effect here: this server has no database of networks (asn in its node.toml)", "serial", m.Serial)
	}
	if err := file.SetOverrides(over); err != nil {
		a.cfg.Log.Error("overrides refused", "serial", m.Serial, "err", err)
		return
	}
	_ = file.Check() // has logged what is wrong, and kept the table before
}

// heeded are the overrides of a map that databases allow.
func heeded(s locate.Sources, m *landfall.Map) []landfall.Override {
	if s.Networks != "" {
		return m.Overrides
	}
	return slices.DeleteFunc(slices.Clone(m.Overrides), func(o landfall.Override) bool { return o.ASN != 0 })
}

// Try is the table that there would be with another map.
func (a *Atlas) Try(m *landfall.Map) (*locate.Table, error) {
	_, sources := a.following()
	return a.Table().With(heeded(sources, m))
}

// Run follows the files until ctx ends, and leaves the fallback as soon as
// there is better.
func (a *Atlas) Run(ctx context.Context) error {
	file, sources := a.following()
	if sources == a.cfg.Sources {
		return file.Run(ctx)
	}
	tick := time.NewTicker(locate.DefaultInterval)
	defer tick.Stop()
	said := ""
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if !there(a.cfg.Sources) {
			continue
		}
		err := a.open(a.cfg.Sources)
		if err == nil {
			return a.Run(ctx)
		}
		if err.Error() != said {
			said = err.Error()
			a.cfg.Log.Error("geography refused: the coarse one stays", "err", err)
		}
	}
}
