package plan

import (
	"iter"
	"maps"
	"net/netip"
	"slices"

	"landfall"
	"landfall/geodns/prefix"
	"landfall/geodns/steer"
)

// work is a Plan in the making. Loads and capacities are shares of all demand,
// as weights are.
type work struct {
	*Prepared
	fits     []bool // edges that may be named
	basis    steer.Basis
	capacity []float64
	even     float64 // how many times what they can serve is in capacity, so that overload is alike
	load     []float64
	opened   int       // how often an edge had room again
	base     []float64 // load if all edges were up

	picks   []pick
	numbers map[pick]uint32
	byClass []uint32 // pick of each class, as long as all of a class are told the same
	divided bool     // from here on, pieces and told are in force instead
	pieces  []piece  // units, or parts of them, and then one of each solo class
	told    []uint32 // pick of each piece
	noted   index    // of told, while pieces move
	pace    prefix.Pace

	levelled  bool     // the picks are those if all edges were up, or come after these
	baseClass []uint32 // byClass, were all edges up
	based     []uint32 // told, were all edges up
	best      []uint32 // told, before the budget; nil without one
}

// Compile makes the Plan for a State.
func (p *Prepared) Compile(s State) *Plan {
	s.Down = maps.Clone(s.Down)
	w := &work{Prepared: p, numbers: map[pick]uint32{}}
	w.fits, w.basis = p.ranker.Fit(func(id landfall.NodeID) bool { return !s.Down[id] })
	w.limit(s.Demand, anyEdge)
	w.fillAll()
	if w.overloaded() {
		w.divide()
		w.level()
	}
	w.base, w.baseClass, w.based, w.levelled = slices.Clone(w.load), w.byClass, slices.Clone(w.told), true
	w.limit(s.Demand, func(e int) bool { return w.fits[e] })
	w.refillAll()
	w.explore()
	plan := &Plan{prepared: p, state: s, work: w, table: w.table()}
	if p.in.Map.Steering.Budget > 0 {
		plan.table, plan.moved = w.reduce()
	}
	plan.project()
	plan.tally()
	return plan
}

// limit finds what part of all demand each edge can serve. What the budget may
// move is kept free everywhere, for it moves without asking. If those that
// serve cannot serve all, they are to be overloaded alike.
func (w *work) limit(demand float64, serves func(edge int) bool) {
	sum := w.reserve(demand, float64(w.in.Map.Steering.Budget), serves)
	if sum < 1 {
		sum = w.reserve(demand, 0, serves)
	}
	w.even = max(1/sum, 1)
	w.stretch(w.even)
}

// stretch makes what edges can serve so many times as much.
func (w *work) stretch(by float64) {
	for e := range w.capacity {
		w.capacity[e] *= by
	}
}

// reserve keeps a part of all demand free with each edge, and adds up what the
// rest can serve.
func (w *work) reserve(demand, kept float64, serves func(edge int) bool) (sum float64) {
	w.capacity = make([]float64, len(w.ceilings))
	for e, ceiling := range w.ceilings {
		w.capacity[e] = infinite
		if demand > 0 {
			c := ceiling / demand
			w.capacity[e] = max(c-kept, c/2)
		}
		if serves(e) {
			sum += w.capacity[e]
		}
	}
	return sum
}

// intern numbers a pick.
func (w *work) intern(c pick) uint32 {
	i, ok := w.numbers[c]
	if !ok {
		i = uint32(len(w.picks))
		w.numbers[c] = i
		w.picks = append(w.picks, c)
		if w.divided {
			w.noted.pieces = append(w.noted.pieces, nil)
			w.noted.name(i, &c)
		}
	}
	return i
}

// fillAll gives every class the edges that rank first, as if all were up.
func (w *work) fillAll() {
	first := make([]uint32, len(w.ranks))
	for i := range w.ranks {
		first[i] = w.intern(w.filler.fill(pick{}, w.ranking(uint32(i)), anyEdge))
	}
	w.byClass = make([]uint32, len(w.classes))
	for i, c := range w.classes {
		w.byClass[i] = first[c.rank]
	}
	w.load = w.loads(w.byClass)
}

// loads are those of all edges if classes get such picks.
func (w *work) loads(byClass []uint32) []float64 {
	of := make([]float64, len(w.picks))
	for i, c := range w.classes {
		of[byClass[i]] += c.weight
	}
	out := make([]float64, w.ranker.Len())
	for i, weight := range of {
		for _, s := range w.picks[i].all() {
			out[s.edge] += weight * w.picks[i].share(int(s.edge))
		}
	}
	return out
}

// overloaded reports whether any edge has more than it can serve.
func (w *work) overloaded() bool {
	for e := range w.load {
		if w.over(e) {
			return true
		}
	}
	return false
}

// over reports whether an edge has more than it can serve, and not by
// rounding.
func (w *work) over(edge int) bool { return w.load[edge] > w.capacity[edge]*(1+rounding) }

// divide makes pieces of classes, so that some of a class can be told
// something else than others.
func (w *work) divide() {
	if w.divided {
		return
	}
	w.divided = true
	w.pieces = make([]piece, 0, len(w.Prepared.pieces)+len(w.solo))
	w.pieces = append(w.pieces, w.Prepared.pieces...)
	for _, c := range w.solo {
		w.pieces = append(w.pieces, piece{class: c, weight: w.classes[c].weight})
	}
	w.told = make([]uint32, len(w.pieces))
	for i, p := range w.pieces {
		prefix.Rest(i, prefix.ManySteps)
		w.told[i] = w.byClass[p.class]
	}
	if w.levelled {
		w.based = make([]uint32, len(w.pieces))
		for i, p := range w.pieces {
			prefix.Rest(i, prefix.ManySteps)
			w.based[i] = w.baseClass[p.class]
		}
	}
	w.note()
}

// level takes from edges what they cannot serve, the most overloaded first.
func (w *work) level() {
	var over []int
	for e := range w.load {
		if w.over(e) {
			over = append(over, e)
		}
	}
	relative := func(e int) float64 { return w.load[e] / w.capacity[e] }
	slices.SortStableFunc(over, func(a, b int) int {
		if relative(a) > relative(b) {
			return -1
		}
		return 1
	})
	for _, e := range over {
		w.shed(e, false)
	}
	w.relieve()
}

// refillAll gives the slots of edges that may not be named to others. As long
// as all have room for what falls to them, that is the next in rank.
func (w *work) refillAll() {
	if !slices.Contains(w.fits, false) {
		return
	}
	if !w.divided {
		next, loads := w.refilled()
		if !w.limited || w.bears(loads) {
			w.byClass, w.load = next, loads
			return
		}
		w.divide()
	}
	for e, fit := range w.fits {
		if !fit {
			w.shed(e, true)
		}
	}
	w.relieve()
}

// refilled are the picks of classes with the next in rank in the place of
// edges that may not be named.
func (w *work) refilled() (byClass []uint32, loads []float64) {
	type key struct{ rank, pick uint32 }
	known := map[key]uint32{}
	byClass = make([]uint32, len(w.classes))
	for i, c := range w.classes {
		k := key{c.rank, w.byClass[i]}
		next, ok := known[k]
		if !ok {
			kept := w.picks[k.pick]
			for e, fit := range w.fits {
				if !fit {
					kept = kept.without(e)
				}
			}
			next = w.intern(w.filler.fill(kept, w.ranking(k.rank), func(e int) bool { return w.fits[e] }))
			known[k] = next
		}
		byClass[i] = next
	}
	return byClass, w.loads(byClass)
}

// bears reports whether edges can serve such loads.
func (w *work) bears(loads []float64) bool {
	for e, l := range loads {
		if l > w.capacity[e]*(1+rounding) {
			return false
		}
	}
	return true
}

// explore puts first the edges that measurement is curious about, if they may
// be named and have room.
func (w *work) explore() {
	if w.basis != steer.Healthy {
		return
	}
	if !w.divided {
		w.byClass = slices.Clone(w.byClass)
		for i := range w.classes {
			w.byClass[i] = w.explored(&w.classes[i], w.byClass[i], w.classes[i].weight)
		}
		return
	}
	for i, p := range w.pieces {
		prefix.Rest(i, prefix.ManySteps)
		w.told[i] = w.explored(&w.classes[p.class], w.told[i], p.weight)
	}
}

func (w *work) explored(c *class, told uint32, weight float64) uint32 {
	if c.lead < 0 || !w.fits[c.lead] {
		return told
	}
	next := w.filler.led(w.picks[told], int(c.lead))
	if !w.holds(w.picks[told], next, weight) {
		return told
	}
	w.turn(w.picks[told], next, weight)
	return w.intern(next)
}

// table has for every address the index of its pick.
func (w *work) table() *prefix.Table {
	if !w.divided {
		return w.units.Relabel(func(class uint32) uint32 { return w.byClass[class] })
	}
	return prefix.Ordered(func(yield func(netip.Prefix, uint32) bool) {
		for i := range w.inOrder() {
			if !yield(w.pieces[i].prefix, w.told[i]) {
				return
			}
		}
	})
}

// inOrder are the pieces that have a prefix, in the order of these. Whatever
// becomes of a unit keeps its place; the rest of it is behind the solo classes.
func (w *work) inOrder() iter.Seq[int] {
	units := len(w.Prepared.pieces)
	var parts []int
	for i := units + len(w.solo); i < len(w.pieces); i++ {
		if w.pieces[i].prefix.IsValid() {
			parts = append(parts, i)
		}
	}
	prefix.Sort(parts, func(a, b int) int { return w.pieces[a].prefix.Compare(w.pieces[b].prefix) })
	return func(yield func(int) bool) {
		rest := parts
		for i := range units {
			prefix.Rest(i, prefix.FewSteps)
			for len(rest) > 0 && w.pieces[rest[0]].prefix.Addr().Less(w.pieces[i].prefix.Addr()) {
				if !yield(rest[0]) {
					return
				}
				rest = rest[1:]
			}
			if !yield(i) {
				return
			}
		}
		for _, i := range rest {
			if !yield(i) {
				return
			}
		}
	}
}

// alone is the pick of the nth solo class.
func (w *work) alone(n int) uint32 {
	if w.divided {
		return w.told[len(w.Prepared.pieces)+n]
	}
	return w.byClass[w.solo[n]]
}

// smallest reports whether a prefix is never divided: its clients are measured
// and counted together.
func smallest(p netip.Prefix) bool {
	if p.Addr().Is4() {
		return p.Bits() >= 24
	}
	return p.Bits() >= 48
}
