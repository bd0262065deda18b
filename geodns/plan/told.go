package plan

import (
	"slices"

	"landfall/geodns/prefix"
)

// index notes which pieces are told which pick, and which picks name an edge,
// so that the clients of one edge are found without a look at all others.
type index struct {
	pieces  [][]int    // by pick: those that are told it, and some that were
	naming  [][]uint32 // by edge: picks
	changed []bool     // by edge: what its clients are told, since somebody looked
}

// note makes the index of all that is told.
func (w *work) note() {
	w.noted = index{pieces: make([][]int, len(w.picks)), naming: make([][]uint32, len(w.load)), changed: make([]bool, len(w.load))}
	count := make([]int, len(w.picks))
	for i, pick := range w.told {
		prefix.Rest(i, prefix.ManySteps)
		count[pick]++
	}
	all := make([]int, len(w.told))
	for pick, n := range count {
		w.noted.pieces[pick], all = all[:0:n], all[n:]
		w.noted.name(uint32(pick), &w.picks[pick])
	}
	for i, pick := range w.told {
		prefix.Rest(i, prefix.ManySteps)
		w.noted.pieces[pick] = append(w.noted.pieces[pick], i)
	}
}

func (x *index) name(i uint32, c *pick) {
	for _, s := range c.all() {
		x.naming[s.edge] = append(x.naming[s.edge], i)
	}
}

// tell tells a piece something else.
func (w *work) tell(i int, pick uint32) {
	w.told[i] = pick
	w.noted.pieces[pick] = append(w.noted.pieces[pick], i)
}

// change notes that some of those who are told a pick are told another.
func (x *index) change(picks ...pick) {
	for _, c := range picks {
		for _, s := range c.all() {
			x.changed[s.edge] = true
		}
	}
}

// of are the pieces that are told a pick.
func (w *work) of(pick uint32) []int {
	all := w.noted.pieces[pick]
	if !slices.IsSorted(all) {
		slices.Sort(all)
	}
	w.pace.Rest(len(all) / 2)
	all = slices.DeleteFunc(slices.Compact(all), func(i int) bool { return w.told[i] != pick })
	w.noted.pieces[pick] = all
	return all
}

// crowds are the pieces that an edge serves.
func (w *work) crowds(edge int) []*crowd {
	type key struct{ class, based uint32 }
	var out []*crowd
	for _, pick := range w.noted.naming[edge] {
		known := map[key]*crowd{}
		for _, i := range w.of(pick) {
			w.pace.Rest(1)
			k := key{class: w.pieces[i].class}
			if w.levelled {
				k.based = w.based[i]
			}
			c := known[k]
			if c == nil {
				c = &crowd{class: &w.classes[k.class], pick: pick, based: k.based}
				known[k] = c
				out = append(out, c)
			}
			c.pieces = append(c.pieces, i)
		}
	}
	prefix.Sort(out, func(a, b *crowd) int { return a.pieces[0] - b.pieces[0] })
	for i, c := range out {
		c.seq = i
	}
	return out
}
