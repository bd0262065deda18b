package keyring

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"landfall/cmd/internal/admin"
	"landfall/geodns/dnssec"
	"landfall/geodns/dnssec/roll"
)

// Stats are figures of a Keeper.
type Stats struct {
	Tags map[string]float64 `metric:"key_tag" label:"key" help:"Tags of the keys in use, by zone, role and phase."`
	Next map[string]float64 `metric:"next_step_seconds" label:"zone" help:"Until the next step of a zone's keys that is known of."`
	Left map[string]float64 `metric:"bundle_seconds" label:"zone" help:"Until the last signature ends that the KSK of a zone has made ahead."`
	Bad  map[string]float64 `metric:"faults" label:"zone" help:"1 if the keys of a zone cannot be kept, see the log."`
}

// Stats returns the figures of now.
func (k *Keeper) Stats() Stats {
	now := time.Now()
	s := Stats{map[string]float64{}, map[string]float64{}, map[string]float64{}, map[string]float64{}}
	k.mu.Lock()
	defer k.mu.Unlock()
	for name, z := range k.zones {
		s.Bad[name] = 0
		if z.err != nil {
			s.Bad[name] = 1
		}
		if until := z.keys.Until(); !until.IsZero() {
			s.Left[name] = until.Sub(now).Seconds()
		}
		if z.state.Zone == "" {
			continue
		}
		for _, of := range z.state.Keys {
			s.Tags[fmt.Sprintf("%s %s %s %d", name, of.Role, z.state.Phase(of, now), of.ID)] = float64(tagOf(of))
		}
		if _, _, when := z.state.Next(now, roll.Facts{}); !when.IsZero() {
			s.Next[name] = when.Sub(now).Seconds()
		}
	}
	return s
}

// tagOf is the tag of a key, which is what people and records know it by; 0 if
// it is not made yet.
func tagOf(of roll.Key) uint16 {
	key, err := dnssec.ParseKey(of.Public)
	if err != nil {
		return 0
	}
	return key.Tag
}

// Status is how the keys of each zone are.
func (k *Keeper) Status(now time.Time) (out []admin.ZoneKeys) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(k.zones)) {
		out = append(out, k.zones[name].status(name, now))
	}
	return out
}

func (z *kept) status(name string, now time.Time) admin.ZoneKeys {
	s := admin.ZoneKeys{Zone: name, Until: z.keys.Until()}
	if z.err != nil {
		s.Notes = append(s.Notes, z.err.Error())
	}
	for _, n := range z.notes {
		s.Notes = append(s.Notes, "keys wait: "+n)
	}
	if !s.Until.IsZero() && s.Until.Sub(now) < Warn {
		s.Notes = append(s.Notes, Ending(name, s.Until, now))
	}
	v := z.state.At(now)
	for _, of := range z.state.Keys {
		tag := tagOf(of)
		switch {
		case !slices.Contains(v.Shown, of.ID):
		case of.Role == roll.KSK:
			s.KSK = append(s.KSK, tag)
		case of.ID == v.Signing:
			s.ZSK = slices.Insert(s.ZSK, 0, tag)
		default:
			s.ZSK = append(s.ZSK, tag)
		}
		what, at := z.state.Coming(of, now)
		if what != "" && (s.What == "" || at.IsZero() || !s.Next.IsZero() && at.Before(s.Next)) {
			s.What, s.Next = fmt.Sprintf("%s %d: %s", strings.ToUpper(string(of.Role)), tag, what), at
		}
	}
	return s
}

// Ending says that a bundle ends soon, and what to do.
func Ending(name string, until, now time.Time) string {
	return fmt.Sprintf("what the KSK of %s has signed ends in %d days, on %s: where the KSK is, run landfall dns keys sign --zone %s, carry the file here, and run landfall dns keys install",
		name, int(until.Sub(now).Hours()/24), until.UTC().Format("2006-01-02"), name)
}
