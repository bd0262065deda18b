package node

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"net/netip"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"landfall"
	"landfall/certs"
	"landfall/cmd/internal/keyring"
	"landfall/geodns/dnssec/bundle"
)

// keysDir is where a home keeps the keys of zones.
const keysDir = "dnssec"

// KeysIn is the directory with the keys of zones in a home's state directory.
func KeysIn(state string) string { return filepath.Join(state, keysDir) }

// zoneKeys has what name servers sign with put into the map: what everybody may
// know, and the private keys, sealed to each of them.
type zoneKeys struct {
	home   *Home
	keeper *keyring.Keeper
	wake   chan struct{}

	mu  sync.Mutex // guards what follows
	now *landfall.Map
	all []bundle.Bundle
}

func newZoneKeys(h *Home, dir string) (k *zoneKeys, err error) {
	k = &zoneKeys{home: h, wake: make(chan struct{}, 1)}
	k.keeper, err = keyring.NewKeeper(keyring.KeeperConfig{
		Dir: keyring.Dir(KeysIn(dir)), Apply: k.apply, Log: h.log,
		Look: keyring.Looking(k.current, func() []netip.AddrPort { return nil }),
	})
	return k, err
}

func (k *zoneKeys) current() *landfall.Map {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.now
}

func (k *zoneKeys) apply(all []bundle.Bundle) {
	k.mu.Lock()
	k.all = all
	k.mu.Unlock()
	k.poke()
}

func (k *zoneKeys) setMap(m *landfall.Map) {
	k.mu.Lock()
	k.now = m
	k.mu.Unlock()
	k.poke()
}

func (k *zoneKeys) poke() {
	select {
	case k.wake <- struct{}{}:
	default: // whoever wakes sees this one
	}
}

// keysRetry is the time after which a change of the map that failed is tried
// again.
const keysRetry = 10 * time.Second

// run keeps keys, and the map's, until ctx ends.
func (k *zoneKeys) run(ctx context.Context) error {
	var keeping sync.WaitGroup
	defer keeping.Wait()
	keeping.Go(func() { _ = k.keeper.Run(ctx) }) // it ends with ctx alone
	for {
		var again <-chan time.Time
		if err := k.distribute(ctx); err != nil && ctx.Err() == nil {
			k.home.log.Error("dnssec: keys are not in the map; trying on", "err", err)
			again = time.After(keysRetry)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-k.wake:
		case <-again:
		}
	}
}

// errSame says that the map has everything already.
var errSame = errors.New("nothing to change")

// distribute makes the map's keys those that there are.
func (k *zoneKeys) distribute(ctx context.Context) error {
	k.mu.Lock()
	m, all := k.now, k.all
	k.mu.Unlock()
	if m == nil || len(all) == 0 {
		return nil
	}
	_, err := k.home.Control.Change(ctx, func(m *landfall.Map) error {
		next, err := signing(m, all, time.Now())
		if err != nil {
			return err
		}
		if sameSigning(next, m.Signing) {
			return errSame
		}
		m.Signing = next
		return nil
	})
	if errors.Is(err, errSame) {
		return nil
	}
	return err
}

// signing is what a map is to say of keys. Zones that there are no files of stay
// as they are: a zone that has to be signed and is not cannot be reached.
func signing(m *landfall.Map, all []bundle.Bundle, now time.Time) (out landfall.Signing, err error) {
	known := map[string]bool{}
	var with []bundle.Bundle
	for _, b := range all {
		name := b.Zone.String()
		known[name] = true
		if b.Ended(now) {
			continue
		}
		public, err := bundle.Encode(b, false)
		if err != nil {
			return out, err
		}
		with = append(with, b)
		out.Zones = append(out.Zones, landfall.SignedZone{Name: name, Bundle: public})
	}
	lost := false
	for _, z := range m.Signing.Zones {
		if !known[z.Name] {
			lost = true
			out.Zones = append(out.Zones, z)
		}
	}
	slices.SortFunc(out.Zones, func(a, b landfall.SignedZone) int { return cmp.Compare(a.Name, b.Name) })
	out.Sealed, err = seal(m, with)
	for _, s := range m.Signing.Sealed {
		if lost && !slices.ContainsFunc(out.Sealed, func(o landfall.SealedKeys) bool { return string(o.For) == string(s.For) }) {
			out.Sealed = append(out.Sealed, s) // which has the keys of that zone
		}
	}
	return out, err
}

// seal encrypts the private keys to each name server. What a map has sealed to
// it is kept where that is the same.
func seal(m *landfall.Map, with []bundle.Bundle) (out []landfall.SealedKeys, err error) {
	if len(with) == 0 {
		return nil, nil
	}
	secrets, err := bundle.Secrets(with)
	if err != nil {
		return nil, err
	}
	for n := range m.Having(landfall.RoleDNS) {
		if n.Sealing.IsZero() {
			continue // it has to join again; until then it does not answer
		}
		whose := digest(n, with)
		i := slices.IndexFunc(m.Signing.Sealed, func(s landfall.SealedKeys) bool { return s.Node == n.ID && string(s.For) == string(whose) })
		if i >= 0 {
			out = append(out, m.Signing.Sealed[i])
			continue
		}
		sealed, err := certs.Seal(sealedKeys, secrets, m.Network, n.ID, n.Sealing)
		if err != nil {
			return nil, err
		}
		out = append(out, landfall.SealedKeys{Node: n.ID, For: whose, Secret: sealed})
	}
	return out, nil
}

// digest tells which keys are sealed, and to whom.
func digest(n landfall.Node, with []bundle.Bundle) []byte {
	h := sha256.New()
	h.Write([]byte(n.ID))
	h.Write(n.Sealing.X25519[:])
	h.Write(n.Sealing.MLKEM)
	for _, b := range with {
		for _, s := range b.Signing {
			h.Write(binary.BigEndian.AppendUint16(nil, uint16(len(s.Key.Public))))
			h.Write(s.Key.Public)
		}
	}
	return h.Sum(nil)
}
