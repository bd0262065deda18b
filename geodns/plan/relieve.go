package plan

import (
	"cmp"
	"maps"
	"slices"
)

// relieve finds room for what is still too much. Where the clients of an edge
// can go to nobody with room, because those with room serve them already, some
// of another edge's clients may go there instead and leave room for them; and so
// on along a path of edges. Only slots that may move do: all of them, or, once
// edges are down, those that were theirs.
//
// If that is not enough answers become shorter: rather one edge that can serve
// its clients than two of which one cannot. To be told alone costs others their
// slots, so it is not done only to make overload even.
func (w *work) relieve() {
	w.relieveBy(swap)
	w.relieveBy(drop)
	w.stretch(1 / w.even)
	w.relieveBy(alone)
	w.stretch(w.even)
}

// manner is how an edge takes load from another.
type manner uint8

const (
	swap  manner = iota // by slots of the other
	drop                // or, if it is told already, by the other's not being told any more
	alone               // by being told alone
)

func (w *work) relieveBy(m manner) {
	r := relief{work: w, manner: m, blocked: map[way]bool{}}
	for range 4 * len(r.load) * len(r.load) {
		if !r.overloaded() {
			return
		}
		r.look()
		path := r.path()
		if path == nil {
			return
		}
		r.push(path)
	}
}

// little is the part of a ceiling that is too little room to look for: what is
// gained is less than what edges' loads go up and down by from one second to
// the next.
const little = 1e-3

// arc is a way for load from one edge to another.
type arc struct{ from, to int }

// way is an arc on the way to an edge with room.
type way struct {
	arc
	end int
}

// relief is a search for such paths.
type relief struct {
	*work
	manner  manner
	blocked map[way]bool
	arcs    map[arc]bool
}

// moves reports whether an edge may lose some of what a piece is told: once
// edges are down, what it took over.
func (r *relief) moves(i, edge int) bool {
	share := r.picks[r.told[i]].share(edge)
	return share > 0 && (!r.levelled || share > r.picks[r.based[i]].share(edge))
}

// look finds all arcs.
func (r *relief) look() {
	type kind struct{ told, based uint32 }
	seen := map[kind]bool{}
	r.arcs = map[arc]bool{}
	for i, p := range r.pieces {
		k := kind{told: r.told[i]}
		if r.levelled {
			k.based = r.based[i]
		}
		if p.weight == 0 || seen[k] {
			continue
		}
		seen[k] = true
		for _, s := range r.picks[k.told].all() {
			if !r.moves(i, int(s.edge)) {
				continue
			}
			for to := range r.load {
				if to != int(s.edge) && r.may(to, r.levelled) && (r.manner != swap || !r.picks[k.told].has(to)) {
					r.arcs[arc{int(s.edge), to}] = true
				}
			}
		}
	}
}

// path is the shortest from an edge that has too much to one with room; nil if
// there is none.
func (r *relief) path() []int {
	for start := range r.load {
		if !r.over(start) {
			continue
		}
		for end := range r.load {
			if r.load[end] < r.capacity[end]*(1-little) {
				if path := r.between(start, end); path != nil {
					return path
				}
			}
		}
	}
	return nil
}

func (r *relief) between(start, end int) []int {
	after := map[int]int{end: end}
	for queue := []int{end}; len(queue) > 0; queue = queue[1:] {
		at := queue[0]
		if at == start {
			path := []int{at}
			for at != end {
				at = after[at]
				path = append(path, at)
			}
			return path
		}
		for from := range r.load {
			a := arc{from, at}
			if _, known := after[from]; !known && r.arcs[a] && !r.blocked[way{a, end}] {
				after[from] = at
				queue = append(queue, from)
			}
		}
	}
	return nil
}

// push moves load along a path, from its end: each step makes the room for the
// one before. A step that nothing fits is no way to that end, until there is
// more room.
func (r *relief) push(path []int) {
	end := path[len(path)-1]
	load := min(r.load[path[0]]-r.capacity[path[0]], r.capacity[end]-r.load[end])
	for i := len(path) - 2; i >= 0; i-- {
		if load = min(load, r.step(path[i], path[i+1], load)); load <= 0 {
			r.blocked[way{arc{path[i], path[i+1]}, end}] = true
			return
		}
		maps.DeleteFunc(r.blocked, func(b way, _ bool) bool { return b.to == path[i] })
	}
}

// step moves load from one edge to another, of those clients who lose least,
// and returns how much.
func (r *relief) step(from, to int, load float64) float64 {
	var crowds []*crowd
	for _, c := range r.crowds(from) {
		c.pieces = slices.DeleteFunc(c.pieces, func(i int) bool { return r.pieces[i].weight == 0 || !r.moves(i, from) })
		if len(c.pieces) == 0 {
			continue
		}
		told := r.picks[c.pick]
		c.next = r.instead(c, from, to)
		if loss := told.share(from) - c.next.share(from); loss > 0 && c.next.share(to) > told.share(to) {
			c.regret = (r.cost(c.class, &c.next) - r.cost(c.class, &told)) / loss
			crowds = append(crowds, c)
		}
	}
	slices.SortFunc(crowds, func(a, b *crowd) int { return cmp.Or(cmp.Compare(a.regret, b.regret), a.seq-b.seq) })
	left := load
	for _, c := range crowds {
		if left <= 0 {
			break
		}
		s := sending{work: r.work, from: r.picks[c.pick], to: c.next, edge: from, left: left}
		s.each(c.pieces, c.pick)
		left = s.left
	}
	return load - left
}

// instead is what a crowd is told if one edge takes load of another: as many of
// its slots as it has addresses for, or what is left if the other has none.
func (r *relief) instead(c *crowd, from, to int) pick {
	var next pick
	if r.manner == alone {
		r.filler.add(&next, to)
		return next
	}
	next = r.picks[c.pick].without(from)
	if r.levelled {
		next = next.with(r.picks[c.based].slotsOf(from))
	}
	if !next.has(to) {
		r.filler.add(&next, to)
		if !r.filler.full(&next) {
			r.filler.add(&next, from)
		}
	}
	return next.ordered(r.ranking(c.class.rank))
}
