package geodns

import (
	"sync/atomic"

	"landfall"
	"landfall/geodns/dnssec"
	"landfall/geodns/plan"
	"landfall/geodns/zone"
)

// keyring is what signs zones, by their names; nil where nothing can, though
// something should.
type keyring map[zone.Name]*ring

// ring is what signs one zone at a time.
type ring struct {
	*dnssec.Ring
	signer   *dnssec.Signer
	remember *dnssec.Signer // the same, with a cache: for what comes back
}

// rememberedSigs are the signatures of steered names that are kept, in case that
// what was answered is answered again: those of ten names, of whose edges one
// or the other dies.
const rememberedSigs = 1 << 15

// secure makes the zones that answers are made of: signed, where there are
// keys. What the snapshot before has of them holds.
func (s *snapshot) secure(before *snapshot) {
	s.zones = s.in.zones
	switch {
	case s.in.rings == nil:
		return
	case before != nil && before.in.zones == s.in.zones && before.in.rings == s.in.rings:
		s.zones = before.zones
		return
	}
	v4, v6 := s.families()
	s.zones = s.in.zones.Signed(func(z *zone.Zone) *zone.Signing {
		by := s.in.rings.of(z.Apex)
		if by == nil {
			return nil
		}
		return &zone.Signing{Keys: by.Keys, Sign: by.signer.Sign, V4: v4, V6: v6, Before: before.signedBy(by)}
	})
}

// signedBy is a zone as it was signed by the same key for the same time.
func (s *snapshot) signedBy(by *ring) *zone.Zone {
	if s == nil || s.in.rings.of(by.Zone) == nil || s.in.rings.of(by.Zone).signer != by.signer {
		return nil
	}
	if z := s.zones.Of(by.Zone); z != nil && z.Apex == by.Zone {
		return z
	}
	return nil
}

// families tells whether any edge has an address of each family.
func (s *snapshot) families() (v4, v6 bool) {
	for n := range s.in.Map.Having(landfall.RoleEdge) {
		a := s.in.zones.Edge(n.ID)
		v4, v6 = v4 || len(a.V4) > 0, v6 || len(a.V6) > 0
	}
	return v4, v6
}

// signer is what signs a zone that is Secure.
func (s *snapshot) signer(z *zone.Zone) *dnssec.Signer { return s.in.rings.of(z.Apex).signer }

// kinds are the kinds of questions about steered names.
const kinds = plan.Both + 1

// steeredSigs are the signatures of what one steered name is answered with, by
// kind of question and by choice. One that was not made ahead is made when it
// is first needed: no answer waits for the signatures of others.
type steeredSigs struct {
	steered *zone.Steered
	signer  *dnssec.Signer
	sigs    [kinds][]atomic.Pointer[[][]byte]
}

// vary makes room for the signatures of the plan's choices.
func (s *snapshot) vary(before *snapshot) {
	if before != nil && before.plan == s.plan && before.zones == s.zones {
		s.sigs = before.sigs
		return
	}
	s.sigs = map[zone.Name]*steeredSigs{}
	if before != nil && before.zones == s.zones { // which were looked through then
		for name, old := range before.sigs {
			s.sigs[name] = old.of(len(s.choices))
		}
		return
	}
	for _, z := range s.zones.All() {
		if !z.Secure {
			continue
		}
		for name, n := range z.Nodes() {
			if n.Steered != nil {
				room := steeredSigs{steered: n.Steered, signer: s.in.rings.of(z.Apex).remember}
				s.sigs[name] = room.of(len(s.choices))
			}
		}
	}
}

// of is room for the signatures of other choices.
func (v *steeredSigs) of(choices int) *steeredSigs {
	out := &steeredSigs{steered: v.steered, signer: v.signer}
	for k := range out.sigs {
		out.sigs[k] = make([]atomic.Pointer[[][]byte], choices)
	}
	return out
}

// ahead makes the signatures that there is room for.
func (s *snapshot) ahead() {
	if len(s.sigs) == 0 {
		return
	}
	for k := range kinds {
		for _, i := range s.distinct(k) {
			for name, v := range s.sigs {
				if k != plan.Both || v.steered.HTTPS() {
					s.signature(name, s.choices[i].set(v.steered, k), k, i)
				}
			}
		}
	}
}

// distinct are the choices that stand for all others of which a kind tells the
// same: those that the plan's look-ups return.
func (s *snapshot) distinct(k plan.Kind) (first []uint32) {
	seen := map[string]bool{}
	for i, c := range s.choices {
		var told []byte
		for _, a := range c.V4 {
			if k != plan.AAAA {
				told = append(told, a...)
			}
		}
		told = append(told, '/')
		for _, a := range c.V6 {
			if k != plan.A {
				told = append(told, a...)
			}
		}
		if !seen[string(told)] {
			seen[string(told)] = true
			first = append(first, uint32(i))
		}
	}
	return first
}

// signature is that of a steered name's set for a choice; nil if there is
// nothing to sign, or nobody to do it.
func (s *snapshot) signature(name zone.Name, set zone.Set, k plan.Kind, i uint32) [][]byte {
	v := s.sigs[name]
	if v == nil || len(set.Data) == 0 {
		return nil
	}
	made := v.sigs[k][i].Load()
	if made == nil {
		made = &[][]byte{v.signer.Sign(name, set)}
		v.sigs[k][i].Store(made)
	}
	return *made
}
