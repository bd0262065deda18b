package plan

import (
	"net/netip"
	"slices"

	"landfall/geodns/budget"
	"landfall/geodns/prefix"
)

// reduce spends the budget: it makes the smallest table that tells no more
// than that share of clients other edges than their best. If none can be made,
// the table stays exact.
func (w *work) reduce() (table *prefix.Table, moved float64) {
	w.divide()
	w.best = slices.Clone(w.told)
	r := reduction{work: w, index: map[[2]uint32]uint32{}, used: w.used()}
	r.order = slices.AppendSeq(make([]int, 0, len(w.pieces)), w.inOrder())
	leaves, weights := make([]prefix.Leaf, 0, len(r.order)), make([]float64, 0, len(r.order))
	for _, i := range r.order {
		leaves = append(leaves, prefix.Leaf{Prefix: w.pieces[i].prefix, Label: r.class(w.pieces[i].class, w.told[i])})
		weights = append(weights, w.pieces[i].weight)
	}
	m, err := budget.Reduce(leaves, weights, r.classes, float64(w.in.Map.Steering.Budget))
	if err != nil {
		return w.table(), 0
	}
	r.tell(m.Leaves)
	return prefix.Ordered(func(yield func(netip.Prefix, uint32) bool) {
		for _, l := range m.Leaves {
			if !yield(l.Prefix, l.Label) {
				return
			}
		}
	}), m.Moved
}

// used are the picks that are told to anybody.
func (w *work) used() []uint32 {
	told := make([]bool, len(w.picks))
	for _, i := range w.told {
		told[i] = true
	}
	var out []uint32
	for i, c := range w.picks {
		if told[i] && c.n > 0 {
			out = append(out, uint32(i))
		}
	}
	return out
}

// reduction says what each client may be told.
type reduction struct {
	*work
	order   []int    // of pieces
	used    []uint32 // picks that are told to anybody
	classes []budget.Class
	index   map[[2]uint32]uint32 // by class and pick
}

// class is what clients of a class may be told whose best is a pick.
func (r *reduction) class(class, best uint32) uint32 {
	key := [2]uint32{class, best}
	i, ok := r.index[key]
	if !ok {
		c := &r.work.classes[class]
		i = uint32(len(r.classes))
		r.index[key] = i
		r.classes = append(r.classes, budget.Class{Label: best, Also: r.also(c, best)})
	}
	return i
}

// also are the picks that would do: with no edge that operators prefer less or
// whose round trip is longer by more than the bound than that of the edge in
// its place. It need not be the second best: where several edges are about as
// good, which of them comes second is chance, and a map that heeds it is far
// larger. Who explores does so.
func (r *reduction) also(c *class, best uint32) []uint32 {
	own := &r.picks[best]
	if own.n == 0 || int32(own.slots[0].edge) == c.lead {
		return nil
	}
	var out []uint32
	for _, i := range r.used {
		if i != best && r.does(c, own, &r.picks[i]) {
			out = append(out, i)
		}
	}
	return out
}

// does reports whether a pick would do in the place of the best.
func (r *reduction) does(c *class, own, other *pick) bool {
	bound := milliseconds(r.in.Map.Steering.EffectiveWorseBy())
	for i, s := range other.all() {
		beside := own.slots[min(i, int(own.n)-1)].edge
		if r.rtt(c, int(s.edge)) > r.rtt(c, int(beside))+bound ||
			r.ranker.Preferred(int(c.prefer), int(s.edge)) > r.ranker.Preferred(int(c.prefer), int(beside)) {
			return false
		}
	}
	return true
}

// tell makes what the reduced map says true of the pieces.
func (r *reduction) tell(leaves []prefix.Leaf) {
	at := 0
	for _, i := range r.order {
		for !leaves[at].Prefix.Contains(r.pieces[i].prefix.Addr()) {
			at++
		}
		r.told[i] = leaves[at].Label
	}
}
