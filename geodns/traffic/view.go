package traffic

import (
	"cmp"
	"iter"
	"net/netip"
	"slices"
)

// View is how many queries came from each of some prefixes, frozen. The more
// there are in all, the more their ratio is believed. A nil View is empty.
type View struct {
	entries []entry // in order of prefixes, each once, weights above 0
	total   float64
}

type entry struct {
	key    key
	weight float64
}

// Of is the View of some weights. Those of prefixes longer than an IPv4 /24 or
// an IPv6 /48 are counted for these; prefixes that are not valid and weights
// that are not above 0 are left out.
func Of(weights map[netip.Prefix]float64) *View {
	entries := make([]entry, 0, len(weights))
	for p, w := range weights {
		if p.IsValid() && w > 0 {
			entries = append(entries, entry{keyOfPrefix(p), w})
		}
	}
	return frozen(entries)
}

// frozen is the View of entries in any order, of which equal prefixes are
// added up; it keeps the slice.
func frozen(entries []entry) *View {
	slices.SortFunc(entries, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.weight, b.weight)) // the sum hangs on the order
	})
	v := &View{}
	for _, e := range entries {
		if n := len(v.entries); n > 0 && v.entries[n-1].key == e.key {
			v.entries[n-1].weight += e.weight
		} else {
			v.entries = append(entries[:n], e)
		}
		v.total += e.weight
	}
	return v
}

// All are the prefixes with their weights, IPv4 first, in order; a prefix
// comes before those inside it.
func (v *View) All() iter.Seq2[netip.Prefix, float64] {
	return func(yield func(netip.Prefix, float64) bool) {
		if v == nil {
			return
		}
		for _, e := range v.entries {
			if !yield(e.key.prefix(), e.weight) {
				return
			}
		}
	}
}

// Total is the sum of all weights.
func (v *View) Total() float64 {
	if v == nil {
		return 0
	}
	return v.total
}

// Len is the number of prefixes.
func (v *View) Len() int {
	if v == nil {
		return 0
	}
	return len(v.entries)
}

// Empty reports whether nothing was counted.
func (v *View) Empty() bool { return v.Len() == 0 }
