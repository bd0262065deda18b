package node

import (
	"context"
	"log/slog"
	"net/netip"
	"slices"
	"sync/atomic"

	"landfall"
	"landfall/geodns/locate"
)

// AtlasConfig is what an Atlas is made of.
type AtlasConfig struct {
	// Sources are the databases, and Awaited those of them that are fetched
	// and need not be there yet.
	Sources, Awaited locate.Sources
	// Coarse is a database of places for as long as that of Sources cannot be
	// used; empty: all Sources have to be there, and whole.
	Coarse []byte
	Log    *slog.Logger
}

// Atlas says where addresses are, by databases in files that it follows and
// by the overrides of the map. It is a node's one copy, for its edge and its
// name server.
type Atlas struct {
	file    *locate.File
	sources locate.Sources
	log     *slog.Logger
	table   atomic.Pointer[locate.Table]
	changed atomic.Pointer[func(*locate.Table)]
	warned  atomic.Bool // of overrides that need a database of networks
}

// OpenAtlas reads the databases.
func OpenAtlas(cfg AtlasConfig) (*Atlas, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	a := &Atlas{sources: cfg.Sources, log: cfg.Log}
	var err error
	if a.file, err = locate.NewFile(locate.FileConfig{
		Sources: cfg.Sources, Awaited: cfg.Awaited, Fallback: cfg.Coarse, Changed: a.accept, Log: cfg.Log,
	}); err != nil {
		return nil, err
	}
	if err := a.file.Check(); err != nil && a.Table() == nil {
		return nil, err
	}
	return a, nil
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
func (a *Atlas) Stats() locate.Stats { return a.file.Stats() }

// Missing are the files that are not in use, though they were asked for.
func (a *Atlas) Missing() []string { return a.file.Missing() }

// SetMap lays the overrides of a map over the databases before it returns.
// Those by ASN are left out where there is no database of networks, and those
// that are wrong: one server that lacks a file, or one line, must not lose the
// rest.
func (a *Atlas) SetMap(m *landfall.Map) {
	over := Heeded(a.sources, m)
	if len(over) < len(m.Overrides) && !a.warned.Swap(true) {
		a.log.Warn("overrides by ASN have no effect here: this server has no database of networks (asn in its node.toml)", "serial", m.Serial)
	}
	if err := a.file.SetOverrides(over); err != nil {
		a.log.Error("overrides left out", "serial", m.Serial, "err", err)
	}
	_ = a.file.Check() // has logged what is wrong, and kept what it knew
}

// Heeded are the overrides of a map that databases allow.
func Heeded(s locate.Sources, m *landfall.Map) []landfall.Override {
	if s.Networks != "" {
		return m.Overrides
	}
	return slices.DeleteFunc(slices.Clone(m.Overrides), func(o landfall.Override) bool { return o.ASN != 0 })
}

// Try is the table that there would be with another map.
func (a *Atlas) Try(m *landfall.Map) (*locate.Table, error) {
	now, sources := a.Table(), a.sources
	if now.Networks() == nil {
		sources.Networks = ""
	}
	return now.With(Heeded(sources, m))
}

// Run follows the files until ctx ends.
func (a *Atlas) Run(ctx context.Context) error { return a.file.Run(ctx) }
