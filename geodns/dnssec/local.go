package dnssec

import (
	"slices"
	"time"

	"landfall/geodns/zone"

	"github.com/miekg/dns"
)

// keyTTL is how long resolvers may keep the keys of a zone, in seconds: no
// longer than an operator wants to wait for a roll.
const keyTTL = 3600

// Local makes the keys of a zone where the private halves of both are at hand,
// good from the Step before now until at least the time given. Both may be one
// key.
func Local(owner zone.Name, ksk, zsk Key, now, until time.Time) (Keys, error) {
	k := Keys{Zone: owner, Signing: []Signing{{From: WindowAt(now).From, Key: zsk}}}
	for at := now; ; at = at.Add(Step) {
		s, err := NewStretch(owner, ksk, []Key{ksk, zsk}, at)
		if err != nil {
			return Keys{}, err
		}
		k.Stretches = append(k.Stretches, s)
		if next := WindowAt(at).Next; !next.Before(until) {
			return k, nil
		}
	}
}

// NewStretch has a KSK sign the keys that a zone shows in the Step of a time.
// Its CDS and CDNSKEY records ask the parent zone to point at every key shown
// that is a KSK (RFC 7344, 4).
func NewStretch(owner zone.Name, ksk Key, shown []Key, at time.Time) (Stretch, error) {
	w := WindowAt(at)
	signer, err := NewSigner(owner, ksk, w, nil)
	if err != nil {
		return Stretch{}, err
	}
	s := Stretch{From: w.Next.Add(-Step), Sets: []zone.Set{
		{Type: dns.TypeDNSKEY, TTL: keyTTL}, {Type: dns.TypeCDS, TTL: keyTTL}, {Type: dns.TypeCDNSKEY, TTL: keyTTL},
	}}
	for _, k := range shown {
		add(&s.Sets[0], k.Public)
		if k.Flags() == KSK {
			add(&s.Sets[1], k.DS(owner))
			add(&s.Sets[2], k.Public)
		}
	}
	s.Sets = slices.DeleteFunc(s.Sets, func(set zone.Set) bool { return len(set.Data) == 0 })
	for i := range s.Sets {
		s.Sets[i].Sigs = [][]byte{signer.Sign(owner, s.Sets[i])}
	}
	return s, nil
}

func add(s *zone.Set, data []byte) {
	if !slices.ContainsFunc(s.Data, func(d []byte) bool { return string(d) == string(data) }) {
		s.Data = append(s.Data, data)
	}
}
