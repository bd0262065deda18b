package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"landfall"
	"landfall/certs"
	"landfall/cmd/internal/admin"
	"landfall/cmd/internal/keyring"
	"landfall/geodns/dnssec"
	"landfall/geodns/dnssec/bundle"
	"landfall/geodns/zone"
)

// sealedKeys is the purpose of what Map.Signing.Sealed holds, see certs.Seal.
const sealedKeys = "dnssec"

// dnsKeys are the keys of a name server: those of a directory that it keeps
// itself, or those that the map brings, sealed to it.
type dnsKeys struct {
	keeper *keyring.Keeper // nil: the map brings them
	self   landfall.NodeID
	secret *certs.SealingPrivate
	now    atomic.Pointer[landfall.Map]
	lacked atomic.Pointer[[]string] // zones that have to be signed, and cannot
	alone  promises                 // where no map says which zones have to be signed
}

// keep opens the keys that a configuration names.
func (d *DNS) keep(cfg DNSConfig) (err error) {
	d.keys.self, d.keys.secret = cfg.Self, cfg.Sealing
	if cfg.Sealing != nil && cfg.Keys == "" {
		return nil
	}
	if err := d.keys.alone.open(cfg.Keep, cfg.Unsigned); err != nil {
		return err
	}
	if cfg.Keys == "" {
		d.signAlone(nil)
		return nil
	}
	return d.look(cfg)
}

// look reads the directory that a name server alone has its keys in.
func (d *DNS) look(cfg DNSConfig) (err error) {
	own := func() (out []netip.AddrPort) {
		for _, c := range cfg.UDP {
			if a, ok := c.LocalAddr().(*net.UDPAddr); ok && !a.IP.IsUnspecified() {
				out = append(out, a.AddrPort())
			}
		}
		return out
	}
	d.keys.keeper, err = keyring.NewKeeper(keyring.KeeperConfig{
		Dir: cfg.Keys, Look: keyring.Looking(d.keys.now.Load, own), Log: cfg.Log,
		Apply: d.signAlone,
	})
	if err != nil {
		return err
	}
	err = d.keys.keeper.Load()
	if errors.Is(err, keyring.ErrNoKeys) && len(d.keys.alone.zones) > 0 {
		err = nil // zones that need none are answered
	}
	all := d.keys.keeper.Bundles()
	for _, k := range usable(all, time.Now()) {
		if name := k.Zone.String(); slices.Contains(cfg.Unsigned, name) {
			err = errors.Join(err, fmt.Errorf("%s is to be unsigned, and there are keys of it in %s: landfall dns keys remove is the way", name, cfg.Keys))
		}
	}
	if err == nil {
		d.signAlone(all)
	}
	return err
}

// usable are the keys of the zones that are to be signed.
func usable(all []bundle.Bundle, now time.Time) (out []dnssec.Keys) {
	for _, b := range all {
		if !b.Ended(now) {
			out = append(out, b.Keys)
		}
	}
	return out
}

// sign has the name server sign with keys.
func (d *DNS) sign(keys []dnssec.Keys) {
	if err := d.server.SetKeys(keys); err != nil {
		d.log.Error("dnssec: keys cannot be used", "err", err)
	}
}

// setKeys has the name server sign by a map. A zone that has to be signed and
// for which there are no keys is not answered for.
func (d *DNS) setKeys(m *landfall.Map) {
	before := d.keys.now.Swap(m)
	d.tellLacked()
	if d.keys.keeper != nil || d.keys.secret == nil || before != nil && sameSigning(before.Signing, m.Signing) {
		return
	}
	var secrets [][]byte
	for _, sealed := range m.Signing.KeysOf(d.keys.self) {
		opened, err := d.keys.secret.Open(sealedKeys, sealed, m.Network, d.keys.self)
		if err != nil {
			d.log.Error("dnssec: keys cannot be used", "serial", m.Serial, "err", err)
			continue
		}
		secrets = append(secrets, opened)
	}
	var keys []dnssec.Keys
	var lacked []string
	for _, z := range m.Signing.Zones {
		k, err := unsealed(z, secrets)
		if err != nil {
			d.log.Error("dnssec: a zone has to be signed, and cannot: not answering for it", "zone", z.Name, "serial", m.Serial, "err", err)
			lacked = append(lacked, z.Name)
		}
		if k.Zone != "" {
			keys = append(keys, k)
		}
	}
	d.keys.lacked.Store(&lacked)
	d.sign(keys)
}

// unsigned are the zones that are not answered for, as they have to be signed and
// cannot.
func (d *DNS) unsigned() []string {
	if lacked := d.keys.lacked.Load(); lacked != nil {
		return *lacked
	}
	return nil
}

// unsealed are the keys of a zone of the map, and why they cannot be used now;
// the zone alone if they never can.
func unsealed(z landfall.SignedZone, secrets [][]byte) (dnssec.Keys, error) {
	apex, err := zone.ParseName(z.Name)
	if err != nil {
		return dnssec.Keys{}, err
	}
	none := dnssec.Keys{Zone: apex}
	b, err := bundle.Decode(z.Bundle)
	if err != nil {
		return none, err
	}
	if len(secrets) == 0 {
		return none, errors.New("the map has no keys for this node: the home region seals some to it as soon as it can")
	}
	for _, s := range secrets {
		if b, err = bundle.Join(b, s); err != nil {
			return none, err
		}
	}
	if b.Zone != apex {
		return none, fmt.Errorf("what the map has is of the zone %s", b.Zone)
	}
	_, err = b.At(time.Now())
	return b.Keys, err
}

func sameSigning(a, b landfall.Signing) bool {
	return slices.EqualFunc(a.Zones, b.Zones, func(a, b landfall.SignedZone) bool {
		return a.Name == b.Name && string(a.Bundle) == string(b.Bundle)
	}) && slices.EqualFunc(a.Sealed, b.Sealed, func(a, b landfall.SealedKeys) bool {
		return a.Node == b.Node && string(a.Secret) == string(b.Secret)
	})
}

// Keys is how the keys are that a name server alone looks after.
func (d *DNS) Keys() []admin.ZoneKeys {
	if d.keys.keeper == nil {
		return nil
	}
	return d.keys.keeper.Status(time.Now())
}

// tendKeys keeps the keys of a directory until ctx ends.
func (d *DNS) tendKeys(ctx context.Context) {
	if d.keys.keeper != nil {
		_ = d.keys.keeper.Run(ctx) // it ends with ctx alone
	}
}
