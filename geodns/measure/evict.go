package measure

import (
	"cmp"
	"slices"
)

// entry is the one of a prefix, made if there is none.
func (b *Book) entry(k key) *entry {
	e, ok := b.entries[k]
	if !ok {
		if len(b.entries) >= b.cfg.Prefixes {
			b.evict()
		}
		e = &entry{}
		b.entries[k] = e
	}
	return e
}

// evict forgets a tenth of the prefixes. Each edge has an equal part of the
// memory for those that are its own, and who has more loses what was used
// least: an edge that invents prefixes drives out its own.
func (b *Book) evict() {
	owned := b.owned()
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

// owned are the prefixes of each edge. Of several that spoke of a prefix, the
// one that spoke of the fewest owns it, so that who speaks of all owns what
// nobody else has seen. Those of which nothing is left are the last edge's of
// all that is not there: nobody's.
func (b *Book) owned() [][]key {
	spoke := make([]int, len(b.edges))
	for _, e := range b.entries {
		for i := range e.cells {
			spoke[e.cells[i].edge]++
		}
	}
	owned := make([][]key, len(b.edges))
	for k, e := range b.entries {
		if len(e.cells) == 0 {
			delete(b.entries, k)
			b.stats.Evicted++
			continue
		}
		owner := slices.MinFunc(e.cells, func(x, y cell) int {
			return cmp.Or(cmp.Compare(spoke[x.edge], spoke[y.edge]), cmp.Compare(x.edge, y.edge))
		}).edge
		owned[owner] = append(owned[owner], k)
	}
	return owned
}

// used is how many connections were seen, older ones counting less.
func (e *entry) used() (count float64) {
	for i := range e.cells {
		count += e.cells[i].counted(e.live)
	}
	return count
}
