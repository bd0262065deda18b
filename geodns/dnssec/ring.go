package dnssec

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"landfall/geodns/zone"

	"github.com/miekg/dns"
)

// Ring is what signs a zone at a time, and until when.
type Ring struct {
	Zone   zone.Name
	Keys   []zone.Set // DNSKEY, CDS and CDNSKEY sets, signed
	Key    Key        // signs all other sets
	Window Window     // for which its signatures hold
	// Next is when another Ring takes the place of this one.
	Next time.Time
	// Expires is when the first of the signatures in Keys expires. It is less
	// than Left away only if nobody has brought newer ones.
	Expires time.Time
}

// At is what signs a zone at a time. After the last stretch that stays in use:
// what it holds may be valid for a while yet.
func (k *Keys) At(now time.Time) (*Ring, error) {
	stretch, later := current(k.Stretches, now, func(s Stretch) time.Time { return s.From })
	signing, next := current(k.Signing, now, func(s Signing) time.Time { return s.From })
	if stretch == nil || signing == nil {
		return nil, fmt.Errorf("zone %s: no keys are in force at %s: give it keys", k.Zone, now.UTC().Format(time.RFC3339))
	}
	r := &Ring{Zone: k.Zone, Keys: stretch.Sets, Key: signing.Key, Window: WindowAt(now)}
	if err := r.check(); err != nil {
		return nil, fmt.Errorf("zone %s: %w", k.Zone, err)
	}
	r.Next = r.Window.Next
	for _, t := range []time.Time{later, next} {
		if !t.IsZero() && t.Before(r.Next) {
			r.Next = t
		}
	}
	return r, nil
}

// current is the last of what has begun at a time, and when the one after it
// begins, if there is one.
func current[T any](all []T, now time.Time, from func(T) time.Time) (at *T, next time.Time) {
	i := 0
	for i < len(all) && !from(all[i]).After(now) {
		i++
	}
	if i < len(all) {
		next = from(all[i])
	}
	if i == 0 {
		return nil, next
	}
	return &all[i-1], next
}

// check finds what would make a zone bogus, and when signatures expire.
func (r *Ring) check() error {
	i := slices.IndexFunc(r.Keys, func(s zone.Set) bool { return s.Type == dns.TypeDNSKEY })
	switch {
	case r.Key.private == nil:
		return fmt.Errorf("key %d, which is to sign, has no private half", r.Key.Tag)
	case i < 0:
		return errors.New("there is no DNSKEY set: have the KSK sign one")
	case !slices.ContainsFunc(r.Keys[i].Data, func(d []byte) bool { return string(d) == string(r.Key.Public) }):
		return fmt.Errorf("key %d, which is to sign, is not in the DNSKEY set: have the KSK sign a newer one", r.Key.Tag)
	}
	for _, s := range r.Keys {
		if len(s.Sigs) == 0 {
			return fmt.Errorf("the %s set has no signature: have the KSK sign it", dns.Type(s.Type))
		}
		for _, sig := range s.Sigs {
			if len(sig) <= rrsigFixed {
				return fmt.Errorf("a signature of the %s set is too short to be one", dns.Type(s.Type))
			}
			if until := expiration(sig); r.Expires.IsZero() || until.Before(r.Expires) {
				r.Expires = until
			}
		}
	}
	return nil
}

// expiration is when an RRSIG expires.
func expiration(rrsig []byte) time.Time {
	return time.Unix(int64(binary.BigEndian.Uint32(rrsig[8:])), 0)
}

// Same reports whether two rings make the same signatures.
func (r *Ring) Same(o *Ring) bool {
	return r.Zone == o.Zone && r.Window == o.Window && string(r.Key.Public) == string(o.Key.Public)
}

// SameKeys reports whether two rings show the same keys, signed alike.
func (r *Ring) SameKeys(o *Ring) bool {
	return slices.EqualFunc(r.Keys, o.Keys, func(a, b zone.Set) bool {
		same := func(a, b [][]byte) bool { return slices.EqualFunc(a, b, bytes.Equal) }
		return a.Type == b.Type && a.TTL == b.TTL && same(a.Data, b.Data) && same(a.Sigs, b.Sigs)
	})
}
