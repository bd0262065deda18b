package bundle

import (
	"fmt"
	"slices"
	"time"

	"landfall/geodns/dnssec"
	"landfall/geodns/dnssec/roll"
	"landfall/geodns/zone"

	"github.com/miekg/dns"
)

// Bundle is what a name server needs of the keys of a zone.
type Bundle struct {
	dnssec.Keys
	// End is when the zone is unsigned, whatever keys there are; zero: never.
	End time.Time
	// Made is when it was, by the clock of where the KSK is: the later of two is
	// the newer. Zero if that is not known; the public part does not say it.
	Made time.Time
}

// Ended reports whether the zone is to be unsigned at a time.
func (b Bundle) Ended(now time.Time) bool { return !b.End.IsZero() && !now.Before(b.End) }

// Older reports whether a bundle was made before another one. One of which that is
// not known is older than one of which it is.
func (b Bundle) Older(than Bundle) bool { return b.Made.Before(than.Made) }

// Until is when the last signature of a bundle ends that its zone needs; zero if
// there is no such time.
func (b Bundle) Until() time.Time {
	if !b.End.IsZero() || len(b.Stretches) == 0 {
		return time.Time{}
	}
	return dnssec.WindowAt(b.Stretches[len(b.Stretches)-1].From).Until
}

// Make signs the key sets that a zone shows from one time until another, and
// gathers the keys that sign it meanwhile. The private halves are given by ID:
// of the KSKs that are shown, and of the ZSKs that sign.
func Make(s roll.State, private map[roll.ID]dnssec.Key, now, until time.Time) (Bundle, error) {
	apex, err := zone.ParseName(s.Zone)
	if err != nil {
		return Bundle{}, fmt.Errorf("zone %q: %w", s.Zone, err)
	}
	m := maker{state: s, apex: apex, private: private}
	out := Bundle{Keys: dnssec.Keys{Zone: apex}, End: s.End, Made: now.UTC().Truncate(time.Second)}
	for i, at := range moments(s, now, until) {
		v := s.At(at)
		if !v.Signed {
			break
		}
		stretch, err := m.stretch(v, at)
		if err != nil {
			return Bundle{}, fmt.Errorf("zone %s: %w", s.Zone, err)
		}
		signing, err := m.key(v.Signing)
		if err != nil {
			return Bundle{}, fmt.Errorf("zone %s: %w", s.Zone, err)
		}
		if i == 0 { // for clocks that are behind
			at = dnssec.WindowAt(at).From
		}
		stretch.From = at
		out.Stretches = append(out.Stretches, stretch)
		if n := len(out.Signing); n == 0 || string(out.Signing[n-1].Key.Public) != string(signing.Public) {
			out.Signing = append(out.Signing, dnssec.Signing{From: at, Key: signing})
		}
	}
	return out, nil
}

// moments are the times at which something is different: signatures are made
// anew, or other keys are shown.
func moments(s roll.State, now, until time.Time) []time.Time {
	out := []time.Time{now}
	for at := dnssec.WindowAt(now).Next; at.Before(until); at = dnssec.WindowAt(at).Next {
		out = append(out, at)
	}
	for _, at := range s.Changes(now) {
		if at.Before(until) {
			out = append(out, at)
		}
	}
	slices.SortFunc(out, time.Time.Compare)
	return slices.CompactFunc(out, time.Time.Equal)
}

type maker struct {
	state   roll.State
	apex    zone.Name
	private map[roll.ID]dnssec.Key
}

// key is a key with its private half.
func (m maker) key(id roll.ID) (dnssec.Key, error) {
	k, ok := m.private[id]
	if !ok || k.Private() == nil {
		return k, fmt.Errorf("the private half of key %d is not here: have it signed where it is", id)
	}
	return k, nil
}

// The records that ask the parent zone for no DS (RFC 8078, 4).
var (
	deleteCDS     = []byte{0, 0, 0, 0, 0}
	deleteCDNSKEY = []byte{0, 0, 3, 0, 0}
)

// stretch signs what a zone shows at a time.
func (m maker) stretch(v roll.View, at time.Time) (dnssec.Stretch, error) {
	ttl := uint32(m.state.Policy.KeyTTL / time.Second)
	keys, cds, cdnskey := zone.Set{Type: dns.TypeDNSKEY, TTL: ttl}, zone.Set{Type: dns.TypeCDS, TTL: ttl}, zone.Set{Type: dns.TypeCDNSKEY, TTL: ttl}
	var by []*dnssec.Signer
	for _, id := range v.Shown {
		k, _ := m.state.Key(id)
		public, err := dnssec.ParseKey(k.Public)
		if err != nil {
			return dnssec.Stretch{}, fmt.Errorf("key %d: %w", id, err)
		}
		keys.Data = append(keys.Data, public.Public)
		if id == v.Asked {
			cds.Data, cdnskey.Data = [][]byte{public.DS(m.apex)}, [][]byte{public.Public}
		}
		if k.Role != roll.KSK {
			continue
		}
		signer, err := m.signer(id, at)
		if err != nil {
			return dnssec.Stretch{}, err
		}
		by = append(by, signer)
	}
	if v.Delete {
		cds.Data, cdnskey.Data = [][]byte{deleteCDS}, [][]byte{deleteCDNSKEY}
	}
	var out dnssec.Stretch
	for _, set := range []zone.Set{keys, cds, cdnskey} {
		if len(set.Data) == 0 {
			continue
		}
		for _, signer := range by {
			set.Sigs = append(set.Sigs, signer.Sign(m.apex, set))
		}
		out.Sets = append(out.Sets, set)
	}
	return out, nil
}

func (m maker) signer(id roll.ID, at time.Time) (*dnssec.Signer, error) {
	k, err := m.key(id)
	if err != nil {
		return nil, err
	}
	return dnssec.NewSigner(m.apex, k, dnssec.WindowAt(at), nil)
}
