package plan

import (
	"cmp"
	"encoding/binary"
	"maps"
	"math"
	"net/netip"
	"slices"

	"landfall"
	"landfall/geodns/budget"
	"landfall/geodns/prefix"
)

// reduce spends the budget: it makes the smallest table that tells no more
// than that share of clients other edges than their best. If none can be made,
// the table stays exact.
func (w *work) reduce() (table *prefix.Table, moved float64) {
	w.divide()
	w.best = slices.Clone(w.told)
	r := w.reduction()
	r.order = slices.AppendSeq(make([]int, 0, len(w.pieces)), w.inOrder())
	leaves, weights := make([]prefix.Leaf, 0, len(r.order)), make([]float64, 0, len(r.order))
	for n, i := range r.order {
		prefix.Rest(n, prefix.FewSteps)
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

// alternatives is how many picks of the same regions are thought of that
// others could be told: those that most clients are told. Where hundreds of
// edges share a region there are more than anybody could compare, and one is as
// good as another.
const alternatives = 64

// reduction says what each client may be told.
type reduction struct {
	*work
	order   []int           // of pieces
	region  []int           // of each edge
	shapes  [][]shape       // by the region of their first edge
	shaped  []string        // the shape of each pick
	suited  map[suit]uint32 // index of lists
	lists   [][]uint32      // picks that would do, in order; the first is empty
	listed  map[string]uint32
	classes []budget.Class
	index   map[[2]uint32]uint32 // by list and pick
	last    []told               // by class: what was found when it was last asked about
}

// told is a pick, and the class of the budget for those whose best it is.
type told struct{ best, class uint32 }

// shape is picks of the same regions: if one would do by distance, so would all.
type shape struct {
	name  string
	picks []uint32
}

// suit is what tells by distance which picks would do: who the clients are and
// what is best for them.
type suit struct {
	place  uint32
	prefer int32
	best   string // its shape
}

func (w *work) reduction() *reduction {
	r := &reduction{work: w, suited: map[suit]uint32{}, lists: [][]uint32{nil}, listed: map[string]uint32{"": 0}, index: map[[2]uint32]uint32{}}
	r.last = slices.Repeat([]told{{best: math.MaxUint32}}, len(w.classes))
	known := map[landfall.RegionID]int{}
	for e := range w.load {
		id := w.ranker.Edge(e).Region
		if _, ok := known[id]; !ok {
			known[id] = len(known)
		}
		r.region = append(r.region, known[id])
	}
	r.shapes = make([][]shape, len(known))
	r.shape()
	return r
}

// shape sorts the picks that are told to anybody.
func (r *reduction) shape() {
	weight, told := make([]float64, len(r.picks)), make([]bool, len(r.picks))
	for i, p := range r.pieces {
		prefix.Rest(i, prefix.ManySteps)
		weight[r.told[i]] += p.weight
		told[r.told[i]] = true
	}
	picks := map[string][]uint32{}
	for i, c := range r.picks {
		var name []byte
		for _, s := range c.all() {
			name = binary.BigEndian.AppendUint16(name, uint16(r.region[s.edge]))
		}
		r.shaped = append(r.shaped, string(name))
		if told[i] && c.n > 0 {
			picks[string(name)] = append(picks[string(name)], uint32(i))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(picks)) {
		all := picks[name]
		slices.SortStableFunc(all, func(a, b uint32) int { return cmp.Compare(weight[b], weight[a]) })
		first := r.region[r.picks[all[0]].slots[0].edge]
		r.shapes[first] = append(r.shapes[first], shape{name, all[:min(len(all), alternatives)]})
	}
}

// class is what clients of a class may be told whose best is a pick. Most of a
// class have the same best.
func (r *reduction) class(class, best uint32) uint32 {
	if r.last[class].best != best {
		r.last[class] = told{best, r.find(class, best)}
	}
	return r.last[class].class
}

func (r *reduction) find(class, best uint32) uint32 {
	key := [2]uint32{r.also(&r.work.classes[class], best), best}
	i, ok := r.index[key]
	if !ok {
		i = uint32(len(r.classes))
		r.index[key] = i
		r.classes = append(r.classes, budget.Class{Label: best, Also: r.lists[key[0]]})
	}
	return i
}

// also lists the picks that would do: with no edge that operators prefer less or
// whose round trip is longer by more than the bound than that of the edge in
// its place. It need not be the second best: where several edges are about as
// good, which of them comes second is chance, and a map that heeds it is far
// larger. Who explores does so.
func (r *reduction) also(c *class, best uint32) uint32 {
	own := &r.picks[best]
	if own.n == 0 || int32(own.slots[0].edge) == c.lead {
		return 0
	}
	if c.row >= 0 {
		return r.list(r.would(c, own))
	}
	s := suit{c.place, c.prefer, r.shaped[best]}
	i, ok := r.suited[s]
	if !ok {
		i = r.list(r.would(c, own))
		r.suited[s] = i
	}
	return i
}

// would finds them.
func (r *reduction) would(c *class, own *pick) []uint32 {
	var out []uint32
	for _, shapes := range r.shapes {
		for _, s := range shapes {
			if c.row < 0 {
				if r.does(c, own, &r.picks[s.picks[0]]) {
					out = append(out, s.picks...)
				}
				continue
			}
			for _, i := range s.picks {
				if r.does(c, own, &r.picks[i]) {
					out = append(out, i)
				}
			}
		}
	}
	return out
}

// list keeps every list once.
func (r *reduction) list(picks []uint32) uint32 {
	slices.Sort(picks)
	key := make([]byte, 0, 4*len(picks))
	for _, i := range picks {
		key = binary.BigEndian.AppendUint32(key, i)
	}
	i, ok := r.listed[string(key)]
	if !ok {
		i = uint32(len(r.lists))
		r.listed[string(key)] = i
		r.lists = append(r.lists, picks)
	}
	return i
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
	for n, i := range r.order {
		prefix.Rest(n, prefix.ManySteps)
		for !leaves[at].Prefix.Contains(r.pieces[i].prefix.Addr()) {
			at++
		}
		r.told[i] = leaves[at].Label
	}
}
