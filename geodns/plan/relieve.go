package plan

import (
	"cmp"
	"slices"
)

// relieve finds room for what is still too much. Where the clients of an edge
// can go to nobody with room, because those with room serve them already, some
// of another edge's clients may go there instead and leave room for them; and so
// on along a path of edges. Only slots that may move do: all of them, or, once
// edges are down, those that were theirs.
func (w *work) relieve() {
	r := relief{work: w, blocked: map[way]bool{}}
	for range 4 * len(w.load) * len(w.load) {
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
	blocked map[way]bool
	arcs    map[arc]bool
}

// moves reports whether an edge's slot among what a piece is told may move.
func (r *relief) moves(i, edge int) bool {
	told := &r.picks[r.told[i]]
	return told.has(edge) && (!r.levelled || !r.picks[r.based[i]].has(edge))
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
				if !r.picks[k.told].has(to) && r.may(to, r.levelled) {
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
// one before. A step that nothing fits is no way to that end.
func (r *relief) push(path []int) {
	end := path[len(path)-1]
	load := min(r.load[path[0]]-r.capacity[path[0]], r.capacity[end]-r.load[end])
	for i := len(path) - 2; i >= 0; i-- {
		if load = min(load, r.step(path[i], path[i+1], load)); load <= 0 {
			r.blocked[way{arc{path[i], path[i+1]}, end}] = true
			return
		}
	}
}

// step moves load from one edge to another, of those clients who lose least,
// and returns how much.
func (r *relief) step(from, to int, load float64) float64 {
	var crowds []*crowd
	for _, c := range r.crowds(from) {
		c.pieces = slices.DeleteFunc(c.pieces, func(i int) bool { return r.pieces[i].weight == 0 || !r.moves(i, from) })
		if told := r.picks[c.pick]; len(c.pieces) > 0 && !told.has(to) {
			c.next = r.instead(c, from, to)
			c.regret = (r.cost(c.class, &c.next) - r.cost(c.class, &told)) / (told.share(from) - c.next.share(from))
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

// instead is what a crowd is told if one edge takes as many slots of another as
// it has addresses for.
func (r *relief) instead(c *crowd, from, to int) pick {
	next := r.picks[c.pick].without(from)
	r.filler.add(&next, to)
	if !r.filler.full(&next) {
		r.filler.add(&next, from)
	}
	return next.ordered(r.ranks[c.class.rank])
}
