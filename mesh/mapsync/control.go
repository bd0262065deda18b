package mapsync

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"landfall"
)

// ControlConfig is what a Control is made of.
type ControlConfig struct {
	Store Store
	Key   SigningKey

	// Seen is the newest map that the network is known to have, such as
	// Client.Newest. Where it is newer than the store's, the store went back
	// (an old backup was put in place): it is adopted before anything is
	// changed. nil looks at the store alone.
	Seen func() Signed

	Log *slog.Logger // nil is silent
}

// Control changes the map. Several may share one Store.
type Control struct {
	cfg  ControlConfig
	last atomic.Pointer[reading]
}

// reading is a document that is proven, and what it says.
type reading struct {
	bytes []byte
	m     *landfall.Map
}

// NewControl checks the configuration.
func NewControl(cfg ControlConfig) (*Control, error) {
	if cfg.Store == nil {
		return nil, errors.New("control: no store")
	}
	if cfg.Key.IsZero() {
		return nil, errors.New("control: no signing key")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Control{cfg: cfg}, nil
}

// Begin makes m the network's first map, and returns it as signed; where
// there is a map already, it returns that and changes nothing.
func (c *Control) Begin(ctx context.Context, m *landfall.Map) (*landfall.Map, error) {
	for {
		doc, err := c.cfg.Store.Get(ctx)
		if err != nil {
			return nil, fmt.Errorf("first map: %w", err)
		}
		if doc.Serial > 0 {
			return Verify(doc.Bytes, c.cfg.Key.Public())
		}
		next := m.Clone()
		if err := c.commit(ctx, 0, next); !errors.Is(err, ErrConflict) {
			return next, err
		}
	}
}

// Change makes the next map: change is given a copy of the newest to work on,
// more than once where others change it at the same time. The result must
// have no faults and follow lawfully (Lawful); both are a *Faulty. An error
// of change ends the attempt. A change that changes nothing makes no map.
func (c *Control) Change(ctx context.Context, change func(*landfall.Map) error) (*landfall.Map, error) {
	for {
		old, err := c.newest(ctx)
		if err != nil {
			return nil, fmt.Errorf("change map: %w", err)
		}
		next, err := c.attempt(ctx, old, change)
		if !errors.Is(err, ErrConflict) {
			return next, err
		}
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("change map: %w", err)
		}
	}
}

// ChangeFrom is Change by somebody who looked at the map with the serial
// base: where there is a newer one by now it changes nothing, and the error
// is an ErrConflict.
func (c *Control) ChangeFrom(ctx context.Context, base landfall.Serial, change func(*landfall.Map) error) (*landfall.Map, error) {
	old, err := c.newest(ctx)
	if err != nil {
		return nil, fmt.Errorf("change map: %w", err)
	}
	if old.Serial != base {
		return nil, fmt.Errorf("change map serial %d: the newest is %d by now: look at it and decide anew: %w", base, old.Serial, ErrConflict)
	}
	return c.attempt(ctx, old, change)
}

// attempt makes and stores the map that follows old.
func (c *Control) attempt(ctx context.Context, old *landfall.Map, change func(*landfall.Map) error) (*landfall.Map, error) {
	next := old.Clone()
	if err := change(next); err != nil {
		return nil, err
	}
	if same(old, next) {
		return old.Clone(), nil
	}
	if faults := Lawful(old, next); len(faults) > 0 {
		return nil, &Faulty{old.Serial + 1, faults}
	}
	if err := c.commit(ctx, old.Serial, next); err != nil {
		return nil, err
	}
	return next, nil
}

// Newest is the newest map, as it travels and as it reads. It is verified and
// read when it is new, and not again: whoever asks is given the same map, and
// nobody changes it.
func (c *Control) Newest(ctx context.Context) (Signed, *landfall.Map, error) {
	doc, err := c.current(ctx)
	if err != nil {
		return Signed{}, nil, fmt.Errorf("newest map: %w", err)
	}
	m, err := c.read(doc)
	if err != nil {
		return Signed{}, nil, fmt.Errorf("newest map: %w", err)
	}
	return doc, m, nil
}

// read verifies a document of the store, unless it is the one of last time.
func (c *Control) read(doc Signed) (*landfall.Map, error) {
	if last := c.last.Load(); last != nil && bytes.Equal(last.bytes, doc.Bytes) {
		return last.m, nil
	}
	m, err := Verify(doc.Bytes, c.cfg.Key.Public())
	if err != nil {
		return nil, err
	}
	c.last.Store(&reading{doc.Bytes, m})
	return m, nil
}

// same reports whether two maps say the same, apart from serial and date.
func same(a, b *landfall.Map) bool {
	b = b.Clone()
	b.Serial, b.Issued = a.Serial, a.Issued
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

// newest is the map that a change begins with.
func (c *Control) newest(ctx context.Context) (*landfall.Map, error) {
	doc, err := c.current(ctx)
	if err != nil {
		return nil, err
	}
	m, err := c.read(doc)
	if err != nil {
		return nil, err
	}
	return m, known(doc.Bytes)
}

// commit numbers, dates, signs and stores a map.
func (c *Control) commit(ctx context.Context, old landfall.Serial, next *landfall.Map) error {
	next.Serial = old + 1
	next.Issued = time.Now().UTC().Round(time.Millisecond)
	doc, err := Sign(next, c.cfg.Key)
	if err != nil {
		return err
	}
	if err := c.cfg.Store.CompareAndSwap(ctx, old, doc); err != nil {
		return err
	}
	c.cfg.Log.Info("map changed", "serial", next.Serial)
	return nil
}

// steps are the lawful changes of a node's state:
//
//	invited -> active <-> draining -> gone -> (no longer in the map)
//
// An invitation is taken back in one step: nobody came.
var steps = map[[2]landfall.State]bool{
	{landfall.Invited, landfall.Invited}:   true,
	{landfall.Invited, landfall.Active}:    true,
	{landfall.Active, landfall.Active}:     true,
	{landfall.Active, landfall.Draining}:   true,
	{landfall.Draining, landfall.Draining}: true,
	{landfall.Draining, landfall.Active}:   true,
	{landfall.Draining, landfall.Gone}:     true,
	{landfall.Gone, landfall.Gone}:         true,
}

// Lawful tells what forbids next to follow old: a node never vanishes in one
// step, a network keeps its name, and somebody is left who can change the map.
func Lawful(old, next *landfall.Map) (faults []landfall.Fault) {
	if next.Network != old.Network {
		faults = append(faults, landfall.Fault{
			Path: "name",
			Msg:  fmt.Sprintf("network %q cannot be renamed %q: nodes refuse the maps of another network", old.Network, next.Network),
			Cure: "put the old name back, or start a new network",
		})
	}
	if home, _ := next.Home(); len(old.Origins()) > 0 && len(next.Origins()) == 0 {
		faults = append(faults, landfall.Fault{
			Path: "node",
			Msg:  "nobody would be left to change the map",
			Cure: fmt.Sprintf("keep a node with the role origin in the home region %q", home.ID),
		})
	}
	for _, o := range old.Nodes {
		if _, ok := next.Node(o.ID); !ok && o.Joined() {
			faults = append(faults, landfall.Fault{
				Path: "node",
				Msg:  fmt.Sprintf("node %s is %s and cannot leave the map in one step", o.ID, o.EffectiveState()),
				Cure: "drain it first, then make it gone, then leave it out",
			})
		}
	}
	for i, n := range next.Nodes {
		o, ok := old.Node(n.ID)
		if ok && !steps[[2]landfall.State{o.EffectiveState(), n.EffectiveState()}] {
			faults = append(faults, landfall.Fault{
				Path: fmt.Sprintf("node[%d].state", i),
				Msg:  fmt.Sprintf("node %s cannot go from %s to %s", n.ID, o.EffectiveState(), n.EffectiveState()),
				Cure: "invited -> active <-> draining -> gone is the way; a node that is gone joins anew under another name",
			})
		}
	}
	return append(faults, backwards(old, next)...)
}

// backwards tells of zones whose serials secondaries would not follow.
func backwards(old, next *landfall.Map) (faults []landfall.Fault) {
	for i, z := range next.Zones {
		j := slices.IndexFunc(old.Zones, func(o landfall.Zone) bool { return o.Name == z.Name })
		if j < 0 {
			continue
		}
		was, is := old.Zones[j].Serial(), z.Serial()
		if int32(is-was) < 0 { // RFC 1982, 3.2
			faults = append(faults, landfall.Fault{
				Path: fmt.Sprintf("zone[%d]", i),
				Msg:  fmt.Sprintf("the serial of zone %s goes back from %d to %d: secondaries would keep what they have", z.Name, was, is),
				Cure: fmt.Sprintf("write %d or more into its SOA record", was),
			})
		}
	}
	return faults
}
