package transfer

import (
	"net/netip"
	"slices"

	"landfall"
	"landfall/geodns/zone"
)

// Access says who may have copies of which zones.
type Access []rule

// rule is one secondary of a map.
type rule struct {
	zone    zone.Name // empty: all zones
	key     zone.Name // that a request has to be signed with; empty: none
	address netip.AddrPort
	from    []netip.Prefix
}

// NewAccess reads the secondaries of a map that has been checked; one that
// says nothing that makes sense allows nothing.
func NewAccess(all []landfall.Secondary) Access {
	var out Access
	for _, s := range all {
		r := rule{address: s.Address, from: s.From}
		var err error
		if s.Zone != "" {
			if r.zone, err = zone.ParseName(s.Zone); err != nil {
				continue
			}
		}
		if s.Key != "" {
			if r.key, err = zone.ParseName(s.Key); err != nil {
				continue
			}
		}
		out = append(out, r)
	}
	return out
}

// Any reports whether anybody may have a copy of a zone.
func (a Access) Any(apex zone.Name) bool {
	return slices.ContainsFunc(a, func(r rule) bool { return r.covers(apex) })
}

// Allows reports whether a request may have a copy of a zone, by the address
// it comes from and the key it is signed with; empty: with none.
func (a Access) Allows(apex zone.Name, from netip.Addr, key zone.Name) bool {
	return slices.ContainsFunc(a, func(r rule) bool { return r.covers(apex) && r.admits(from, key) })
}

func (r rule) covers(apex zone.Name) bool { return r.zone == "" || r.zone == apex }

// admits goes by the key where there is one, and then by prefixes if there are
// any; without a key, by prefixes and the secondary's own address.
func (r rule) admits(from netip.Addr, key zone.Name) bool {
	inside := slices.ContainsFunc(r.from, func(p netip.Prefix) bool { return p.Contains(from) })
	if r.key != "" {
		return r.key == key && (inside || len(r.from) == 0)
	}
	return inside || r.address.Addr() == from
}

// Target is a secondary that wants to hear of a zone's new serials.
type Target struct {
	Zone    zone.Name
	Address netip.AddrPort
	Key     zone.Name // that messages to it are signed with; empty: none
}

// String names the target in logs and figures.
func (t Target) String() string { return t.Address.String() + " " + t.Zone.String() }

// Targets are those to tell of a zone.
func (a Access) Targets(apex zone.Name) []Target {
	var out []Target
	for _, r := range a {
		t := Target{apex, r.address, r.key}
		if r.covers(apex) && r.address.IsValid() && !slices.Contains(out, t) {
			out = append(out, t)
		}
	}
	return out
}
