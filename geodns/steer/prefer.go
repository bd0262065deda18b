package steer

import (
	"landfall"
	"landfall/geodns/prefix"
)

// noPreference is the index of none.
const noPreference = -1

// preferences finds the one that applies to a client, by the kinds in the
// order in which they are heeded.
type preferences struct {
	regions    [][]landfall.RegionID // of each preference of the map
	prefixes   *prefix.Table         // index of the preference, plus one
	asns       map[uint32]int
	countries  map[string]int
	continents map[string]int
	everybody  int
}

func newPreferences(m *landfall.Map) preferences {
	out := preferences{asns: map[uint32]int{}, countries: map[string]int{}, continents: map[string]int{}, everybody: noPreference}
	var leaves []prefix.Leaf
	for i, p := range m.Preferences {
		out.regions = append(out.regions, p.Regions)
		switch {
		case p.Prefix.IsValid():
			leaves = append(leaves, prefix.Leaf{Prefix: p.Prefix, Label: uint32(i + 1)})
		case p.ASN != 0:
			out.asns[p.ASN] = i
		case p.Country != "":
			out.countries[p.Country] = i
		case p.Continent != "":
			out.continents[p.Continent] = i
		default:
			out.everybody = i
		}
	}
	if len(leaves) > 0 {
		out.prefixes = prefix.Build(leaves)
	}
	return out
}

// PreferredPrefixes has for each address the preference by prefix that applies
// to it: its index in the map plus one, or 0. Nil says that there is none.
func (r *Ranker) PreferredPrefixes() *prefix.Table { return r.prefer.prefixes }

// PrefersNetwork reports whether a preference is for an announcing network.
func (r *Ranker) PrefersNetwork(asn uint32) bool {
	_, ok := r.prefer.asns[asn]
	return ok
}

// PrefersNetworks reports whether any preference is for a network.
func (r *Ranker) PrefersNetworks() bool { return len(r.prefer.asns) > 0 }

// Preference is the index of the preference of the map that applies to a
// client, or -1 if none does. byPrefix is what PreferredPrefixes has for it.
func (r *Ranker) Preference(byPrefix uint32, loc landfall.Location) int {
	if byPrefix > 0 {
		return int(byPrefix - 1)
	}
	if i, ok := r.prefer.asns[loc.ASN]; ok && loc.ASN != 0 {
		return i
	}
	if i, ok := r.prefer.countries[loc.Country]; ok && loc.Country != "" {
		return i
	}
	if i, ok := r.prefer.continents[loc.Continent]; ok && loc.Continent != "" {
		return i
	}
	return r.prefer.everybody
}
