package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"maps"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"landfall"
)

// KeeperConfig is what a Keeper needs.
type KeeperConfig struct {
	Dir *os.Root // where certificates and their keys are kept
	// Signer says who signs for the services of a map: NewACME where its
	// terms are agreed to, else the network's own Authority. It is asked again
	// when the map's policy changes.
	Signer func(*landfall.Map) (Signer, error)
	Log    *slog.Logger // nil discards
}

// Keeper orders certificates for the services of the map, once for the whole
// fleet, and renews them in time. There is one, at home.
type Keeper struct {
	cfg    KeeperConfig
	shelf  *shelf        // what edges may have
	wake   chan struct{} // tells Run that there is something new
	counts keeperCounts

	mu       sync.Mutex // guards what follows; only Run changes groups
	next     *landfall.Map
	groups   map[string]*group
	asked    []*asking
	unsigned error // why there is no signer

	// Run's own.
	now    *landfall.Map // what groups are planned by
	signer Signer
	roots  *x509.CertPool
}

// group is the hosts that share a certificate.
type group struct {
	name    string
	wanted  bool // the map has these services
	rec     record
	cert    *tls.Certificate // the record's; nil if there is none
	damaged error            // its file cannot be read, and is left as it is
	busy    bool             // an attempt is under way
}

type keeperCounts struct{ orders, failures, renewals, revoked atomic.Uint64 }

// NewKeeper checks the configuration.
func NewKeeper(cfg KeeperConfig) (*Keeper, error) {
	if cfg.Dir == nil || cfg.Signer == nil {
		return nil, errors.New("certs: a keeper needs a Dir and a Signer")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Keeper{cfg: cfg, shelf: newShelf(), wake: make(chan struct{}, 1), groups: map[string]*group{}}, nil
}

// SetMap says which hosts want certificates, and by whom.
func (k *Keeper) SetMap(m *landfall.Map) {
	k.mu.Lock()
	k.next = m
	k.mu.Unlock()
	k.poke()
}

func (k *Keeper) poke() {
	select {
	case k.wake <- struct{}{}:
	default: // Run has not yet seen the poke before, and will see both
	}
}

// maxPause is how long Run looks away at most: clocks jump.
const maxPause = time.Hour

// Run starts from disk and keeps certificates until ctx ends. A file that
// cannot be read is left as it is and keeps its own hosts waiting, no others.
func (k *Keeper) Run(ctx context.Context) error {
	defer k.abandon()
	if err := k.load(); err != nil {
		return err
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-k.wake:
		case <-timer.C:
		}
		timer.Reset(k.tend(ctx))
	}
}

// tend does all that is due, one order at a time, and says when to look again.
func (k *Keeper) tend(ctx context.Context) time.Duration {
	for {
		k.replan()
		g, at := k.first(time.Now())
		if g == nil || ctx.Err() != nil {
			return maxPause
		}
		if wait := time.Until(at); wait > 0 {
			return min(wait, maxPause)
		}
		k.attempt(ctx, g)
	}
}

// first is the group that wants attention first, and when.
func (k *Keeper) first(now time.Time) (first *group, at time.Time) {
	if k.signer == nil {
		return nil, time.Time{}
	}
	for _, name := range slices.Sorted(maps.Keys(k.groups)) {
		g := k.groups[name]
		if !g.wanted && len(g.rec.Revoke) == 0 && g.rec.Renew == "" {
			continue
		}
		if t := g.rec.attend(g.cert, k.signer.Name(), now); first == nil || t.Before(at) {
			first, at = g, t
		}
	}
	return first, at
}

// replan follows the map, takes up what was asked for, and shows edges what
// there is.
func (k *Keeper) replan() {
	k.mu.Lock()
	m := k.next
	k.mu.Unlock()
	if m != nil && m != k.now {
		k.choose(m)
		k.regroup(m)
		k.now = m
	}
	if k.now != nil {
		k.take()
		k.tidy(time.Now())
		k.publish(time.Now())
	}
}

// sameZones reports whether maps hold the same zones, whatever is in them.
func sameZones(a, b *landfall.Map) bool {
	return a.Domain == b.Domain && slices.EqualFunc(a.Zones, b.Zones, func(a, b landfall.Zone) bool { return a.Name == b.Name })
}

// choose asks who signs, if the answer may have changed.
func (k *Keeper) choose(m *landfall.Map) {
	if k.now != nil && k.signer != nil && k.now.ACME == m.ACME && sameZones(k.now, m) && k.now.Authority == m.Authority {
		return
	}
	signer, err := k.cfg.Signer(m)
	if err == nil {
		k.roots, err = Roots(m)
	}
	if err != nil {
		signer = nil
		k.cfg.Log.Error("nobody signs certificates", "serial", m.Serial, "err", err)
	}
	k.signer = signer
	k.mu.Lock()
	defer k.mu.Unlock()
	k.unsigned = err
	for _, g := range k.groups {
		if k.now != nil {
			g.rec.Tried = "" // what failed by another policy may succeed by this
		}
	}
}

// regroup follows the services of a map.
func (k *Keeper) regroup(m *landfall.Map) {
	k.mu.Lock()
	defer k.mu.Unlock()
	had := map[string][]string{}
	for name, g := range k.groups {
		had[name] = g.rec.Hosts
		g.wanted = false
	}
	for name, hosts := range plan(m, had) {
		g := k.groups[name]
		if g == nil {
			g = &group{name: name}
			k.groups[name] = g
		}
		g.wanted, g.rec.Hosts = true, hosts
	}
}
