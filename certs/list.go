package certs

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// Info is what there is to say of one certificate.
type Info struct {
	Hosts     []string  `json:"hosts"`               // that share it
	Authority string    `json:"authority,omitempty"` // who signed it: an ACME directory, or "own authority" and its mark
	Issuer    string    `json:"issuer,omitempty"`    // by the certificate itself
	Serial    string    `json:"serial,omitempty"`    // in hexadecimal
	NotBefore time.Time `json:"not_before,omitzero"`
	NotAfter  time.Time `json:"not_after,omitzero"`
	State     string    `json:"state"`             // "good", "ordering", "waiting" for the next attempt, "ended", "missing" or "damaged"
	Err       string    `json:"err,omitempty"`     // of the last attempt, if it failed
	Next      time.Time `json:"next,omitzero"`     // the next attempt or renewal
	Revoking  int       `json:"revoking,omitzero"` // certificates that are still to be revoked
}

// List tells of the certificates of all services of the map, in the order of
// their first hosts.
func (k *Keeper) List() []Info {
	now := time.Now()
	k.mu.Lock()
	defer k.mu.Unlock()
	var out []Info
	for _, name := range slices.Sorted(maps.Keys(k.groups)) {
		if g := k.groups[name]; g.wanted || len(g.rec.Revoke) > 0 {
			out = append(out, k.info(g, now))
		}
	}
	slices.SortStableFunc(out, func(a, b Info) int { return slices.Compare(a.Hosts, b.Hosts) })
	return out
}

func (k *Keeper) info(g *group, now time.Time) Info {
	i := Info{Hosts: g.rec.Hosts, Err: g.rec.Error, Next: g.rec.Next, Revoking: len(g.rec.Revoke), State: g.state(now)}
	if g.damaged != nil {
		i.Err = g.damaged.Error()
	}
	if k.unsigned != nil {
		i.Err = k.unsigned.Error()
	}
	if g.cert != nil {
		leaf := g.cert.Leaf
		i.Authority, i.Issuer, i.Serial = g.rec.Signer, leaf.Issuer.CommonName, fmt.Sprintf("%x", leaf.SerialNumber)
		i.NotBefore, i.NotAfter = leaf.NotBefore, leaf.NotAfter
		if i.Next.IsZero() {
			i.Next = due(leaf)
		}
	}
	return i
}

func (g *group) state(now time.Time) string {
	switch {
	case g.damaged != nil:
		return "damaged"
	case g.busy:
		return "ordering"
	case g.rec.Error != "":
		return "waiting"
	case g.cert == nil:
		return "missing"
	case now.After(g.cert.Leaf.NotAfter):
		return "ended"
	}
	return "good"
}

// KeeperStats are the counts of a Keeper.
type KeeperStats struct {
	Orders   uint64             `metric:"orders_total" help:"Certificates ordered."`
	Failures uint64             `metric:"failures_total" help:"Attempts that did not bring all that was wanted."`
	Renewals uint64             `metric:"renewals_total" help:"Certificates obtained."`
	Revoked  uint64             `metric:"revoked_total" help:"Certificates revoked."`
	Days     map[string]float64 `metric:"days_left" label:"host" help:"Days until the certificate of a host ends; negative if it has, -1000 if there is none."`
}

// noDays stands for no certificate where days are counted.
const noDays = -1000

// Stats returns the counts so far.
func (k *Keeper) Stats() KeeperStats {
	out := KeeperStats{
		Orders: k.counts.orders.Load(), Failures: k.counts.failures.Load(),
		Renewals: k.counts.renewals.Load(), Revoked: k.counts.revoked.Load(), Days: map[string]float64{},
	}
	now := time.Now()
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, g := range k.groups {
		for _, h := range g.rec.Hosts {
			if g.wanted {
				out.Days[h] = noDays
				if covers(g.cert, []string{h}) {
					out.Days[h] = g.cert.Leaf.NotAfter.Sub(now).Hours() / 24
				}
			}
		}
	}
	return out
}
