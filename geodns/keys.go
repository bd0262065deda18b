package geodns

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"landfall/geodns/dnssec"
	"landfall/geodns/zone"
)

// SetKeys has the zones that keys are given for signed with them, and no
// others; it returns when answers are. Keys that cannot be used are told of in
// the error, and leave a zone with the keys that it had. Questions for a zone
// that had none get SERVFAIL: who knows it to be signed would not believe what
// is not, and asks elsewhere.
func (s *Server) SetKeys(keys []dnssec.Keys) error {
	s.mu.Lock()
	s.keys = slices.Clone(keys)
	s.mu.Unlock()
	_, err := s.renew(time.Now())
	select {
	case s.rekeyed <- struct{}{}:
	default: // it is told already
	}
	return err
}

// renew has answers go by the keys that are in force at a time, and tells when
// that will change.
func (s *Server) renew(now time.Time) (next time.Time, err error) {
	s.mu.Lock()
	rings, next, err := s.ringsAt(now)
	if !s.in.rings.same(rings) {
		s.in.rings = rings
		s.in.changed()
	}
	s.mu.Unlock()
	s.publish()
	return next, err
}

// ringsAt are the keys in force at a time, with s.mu held.
func (s *Server) ringsAt(now time.Time) (rings *keyring, next time.Time, err error) {
	var errs []error
	all := keyring{}
	for _, k := range s.keys {
		r, err := s.ringAt(k, now)
		if err != nil {
			errs = append(errs, err)
			r = s.in.rings.of(k.Zone)
		}
		if all[k.Zone] = r; r == nil {
			continue
		}
		if next.IsZero() || r.Next.Before(next) {
			next = r.Next
		}
	}
	if len(all) > 0 {
		rings = &all
	}
	return rings, next, errors.Join(errs...)
}

// ringAt is what signs one zone at a time: what signs it now, if that is the
// same.
func (s *Server) ringAt(k dnssec.Keys, now time.Time) (*ring, error) {
	at, err := k.At(now)
	if err != nil {
		return nil, err
	}
	if old := s.in.rings.of(k.Zone); old != nil && old.Same(at) {
		return &ring{at, old.signer, old.remember}, nil
	}
	plain, err := dnssec.NewSigner(at.Zone, at.Key, at.Window, nil)
	if err != nil {
		return nil, err
	}
	remember, err := dnssec.NewSigner(at.Zone, at.Key, at.Window, s.signatures)
	if err != nil {
		return nil, err
	}
	return &ring{at, plain, remember}, nil
}

// of is what signs a zone; nil if nothing does.
func (k *keyring) of(apex zone.Name) *ring {
	if k == nil {
		return nil
	}
	return (*k)[apex]
}

// same reports whether two sign all zones alike.
func (k *keyring) same(other *keyring) bool {
	if k == nil || other == nil {
		return k == other
	}
	return maps.EqualFunc(*k, *other, func(a, b *ring) bool {
		if a == nil || b == nil {
			return a == b
		}
		return a.signer == b.signer && a.SameKeys(b.Ring)
	})
}

// withholds reports whether a zone has to be signed, and nothing can.
func (k *keyring) withholds(apex zone.Name) bool {
	if k == nil {
		return false
	}
	r, ok := (*k)[apex]
	return ok && r == nil
}

// The longest times between two looks at the clock, which may be set: while all
// is well, and while keys cannot be used, which may be the clock's fault.
const (
	maxNap = time.Hour
	badNap = time.Minute
)

// keepSigned makes signatures anew, long before they expire, until ctx ends.
func (s *Server) keepSigned(ctx context.Context) {
	for {
		now := time.Now()
		next, err := s.renew(now)
		nap := maxNap
		switch {
		case err != nil:
			s.log.Error("dnssec: keys cannot be used", "err", err)
			nap = badNap
		case !next.IsZero():
			nap = min(max(next.Sub(now), time.Second), maxNap)
		}
		s.warnOfExpiry(now)
		timer := time.NewTimer(nap)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-s.rekeyed:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// warnOfExpiry logs which zones need newer signatures of their KSK.
func (s *Server) warnOfExpiry(now time.Time) {
	s.mu.Lock()
	rings := s.in.rings
	s.mu.Unlock()
	left := rings.left(now)
	for _, apex := range slices.Sorted(maps.Keys(left)) {
		if left := time.Duration(left[apex]) * time.Second; left < dnssec.Left-dnssec.Step && s.expiring.due() {
			s.log.Error("dnssec: the signatures over a zone's keys end soon: have its KSK make newer ones", "zone", apex, "left", left)
		}
	}
}

// left are the seconds until the first signature of each zone expires.
func (k *keyring) left(now time.Time) map[string]float64 {
	out := map[string]float64{}
	if k == nil {
		return out
	}
	for apex, r := range *k {
		if r == nil {
			continue
		}
		first := r.Window.Until
		if r.Expires.Before(first) {
			first = r.Expires
		}
		out[apex.String()] = first.Sub(now).Seconds()
	}
	return out
}
