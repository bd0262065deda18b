package keyring

import (
	"fmt"
	"slices"
	"time"

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
			s.Tags[fmt.Sprintf("%s %s %s %d", name, of.Role, z.state.Phase(of, now), of.ID)] = float64(k.tag(z.state, of.ID))
		}
		if _, _, when := z.state.Next(now, roll.Facts{}); !when.IsZero() {
			s.Next[name] = when.Sub(now).Seconds()
		}
	}
	return s
}

// Notes are what operators should know: of keys that cannot be kept, of name
// servers and parent zones that something waits for, and of bundles that end
// soon because nobody brought newer ones.
func (k *Keeper) Notes(now time.Time) (out []string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for name, z := range k.zones {
		if z.err != nil {
			out = append(out, fmt.Sprintf("dnssec: zone %s: %v", name, z.err))
		}
		for _, n := range z.notes {
			out = append(out, fmt.Sprintf("dnssec: zone %s: keys wait: %s", name, n))
		}
		if until := z.keys.Until(); !until.IsZero() && until.Sub(now) < Warn {
			out = append(out, Ending(name, until, now))
		}
	}
	slices.Sort(out)
	return out
}

// Ending says that a bundle ends soon, and what to do.
func Ending(name string, until, now time.Time) string {
	return fmt.Sprintf("dnssec: zone %s: what its KSK has signed ends in %d days, on %s: where the KSK is, run landfall dns keys sign --zone %s, carry the file here, and run landfall dns keys install",
		name, int(until.Sub(now).Hours()/24), until.UTC().Format("2006-01-02"), name)
}
