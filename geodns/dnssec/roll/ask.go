package roll

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Roll has a key of a role replaced, beginning now. It fails while one is being
// replaced already.
func (s State) Roll(r Role, now time.Time) (State, error) {
	if err := s.busy(r, now); err != nil {
		return s, err
	}
	s = s.clone()
	s.add(Key{Role: r, Publish: now})
	return s, nil
}

func (s State) busy(r Role, now time.Time) error {
	switch {
	case r != KSK && r != ZSK:
		return fmt.Errorf("zone %s: there is no key called %q: say zsk or ksk", s.Zone, r)
	case !s.Leave.IsZero():
		return fmt.Errorf("zone %s is on its way to be unsigned", s.Zone)
	}
	for _, k := range s.Keys {
		if k.Role == r && begun(k.Publish, now) && !begun(k.duty(), now) {
			return fmt.Errorf("zone %s: its newest %s is about to take over: see landfall dns keys status", s.Zone, strings.ToUpper(string(r)))
		}
	}
	if ksks := s.having(KSK); r == KSK && ksks[len(ksks)-1].Seen.IsZero() {
		return fmt.Errorf("zone %s: the parent zone does not have the DS record of its newest KSK yet", s.Zone)
	}
	return nil
}

// Unsign has the parent zone asked for no DS, beginning now, and the zone
// unsigned when that is safe.
func (s State) Unsign(now time.Time) (State, error) {
	if !s.Leave.IsZero() {
		return s, fmt.Errorf("zone %s is on its way to be unsigned since %s", s.Zone, s.Leave.Format(time.RFC3339))
	}
	s.Leave = now
	return s, nil
}

// SawDS notes what somebody has seen at the parent zone: a DS record for the
// key that was asked for, or none where the zone is to be unsigned. The TTL is
// that of the record, 0 if it is not known.
func (s State) SawDS(now time.Time, ttl time.Duration) (State, error) {
	s = s.clone()
	if ttl > 0 {
		s.DSTTL = max(s.DSTTL, ttl)
	}
	if !s.Leave.IsZero() {
		if !begun(s.left(), now) {
			return s, fmt.Errorf("zone %s: a name server may still ask the parent zone for its DS record until %s: see then whether it is gone", s.Zone, s.left().Format(time.RFC3339))
		}
		s.Gone = now
		return s, nil
	}
	v := s.At(now)
	if v.Asked == 0 {
		return s, errors.New("zone " + s.Zone + ": the parent zone was not asked for a DS record yet: it comes too soon, see landfall dns keys status")
	}
	for i := range s.Keys {
		if s.Keys[i].ID == v.Asked && s.Keys[i].Seen.IsZero() {
			s.Keys[i].Seen = now
		}
	}
	return s, nil
}

// Check finds what no State can be, as when its file was edited.
func (s State) Check() error {
	seen := map[ID]bool{}
	roles := map[Role]int{}
	for _, k := range s.Keys {
		if k.ID <= 0 || k.ID > s.Last || seen[k.ID] || k.Publish.IsZero() {
			return fmt.Errorf("zone %s: key %d is none", s.Zone, k.ID)
		}
		seen[k.ID] = true
		roles[k.Role]++
	}
	if roles[KSK] == 0 || roles[ZSK] == 0 || len(roles) != 2 {
		return fmt.Errorf("zone %s: there are %d KSKs and %d ZSKs: it takes one of each", s.Zone, roles[KSK], roles[ZSK])
	}
	p := s.Policy
	if min(p.KeyTTL, p.ZoneTTL, p.ParentTTL, p.Ahead) <= 0 || min(p.ParentLag, p.Propagation, p.ZSKLife) < 0 {
		return fmt.Errorf("zone %s: a time of its policy is not positive", s.Zone)
	}
	return nil
}
