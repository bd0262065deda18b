package measure

import (
	"cmp"
	"slices"
)

// entry is the one of a prefix, made if there is none.
func (b *Book) entry(k key, by uint16) *entry {
	e, ok := b.entries[k]
	if !ok {
		if len(b.entries) >= b.cfg.Prefixes {
			b.evict()
		}
		e = &entry{by: by}
		b.entries[k] = e
	}
	return e
}

// evict forgets a tenth of the prefixes. Each edge that spoke of a prefix first
// has an equal part of the memory for these, and who has more loses what was
// used least: an edge that invents prefixes drives out its own.
func (b *Book) evict() {
	owned := make([][]key, len(b.edges))
	for k, e := range b.entries {
		owned[e.by] = append(owned[e.by], k)
	}
	slices.SortFunc(owned, func(x, y []key) int { return len(x) - len(y) })
	room := b.cfg.Prefixes * 9 / 10
	for i, keys := range owned {
		part := room / (len(owned) - i)
		room -= min(part, len(keys))
		if len(keys) <= part {
			continue
		}
		slices.SortFunc(keys, func(x, y key) int {
			return cmp.Or(cmp.Compare(b.entries[y].live, b.entries[x].live), cmp.Compare(b.entries[y].used(), b.entries[x].used()), cmp.Compare(x, y))
		})
		for _, k := range keys[part:] {
			delete(b.entries, k)
			b.stats.Evicted++
		}
	}
}

// used is how many connections were seen, older ones counting less.
func (e *entry) used() (count float64) {
	for i := range e.cells {
		count += e.cells[i].counted(e.live)
	}
	return count
}
