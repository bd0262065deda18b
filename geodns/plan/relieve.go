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
	r := relief{work: w, manner: m, blocked: map[int]map[way]bool{}, losers: make([]loser, len(w.load))}
	for range 4 * len(r.load) * len(r.load) {
		if !r.overloaded() {
			return
		}
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

// way is a step from one edge to another, on the way to an edge with room.
type way struct{ from, end int }

// relief is a search for such paths.
type relief struct {
	*work
	manner  manner
	blocked map[int]map[way]bool // by the edge that the step is to
	losers  []loser
}

// loser is an edge as one that others could take load from.
type loser struct {
	known  bool
	some   bool     // it has clients that it may lose
	beside []uint16 // edges that all of these are told
}

// moves reports whether an edge may lose some of what a piece is told: once
// edges are down, what it took over.
func (r *relief) moves(i, edge int) bool {
	share := r.picks[r.told[i]].share(edge)
	return share > 0 && (!r.levelled || share > r.picks[r.based[i]].share(edge))
}

// loser finds out who could take load from an edge.
func (r *relief) loser(edge int) *loser {
	l := &r.losers[edge]
	if l.known && !r.noted.changed[edge] {
		return l
	}
	r.noted.changed[edge] = false
	*l = loser{known: true}
	for _, pick := range r.noted.naming[edge] {
		r.pace.Rest(1)
		if !slices.ContainsFunc(r.of(pick), func(i int) bool { return r.pieces[i].weight > 0 && r.moves(i, edge) }) {
			continue
		}
		c := &r.picks[pick]
		if !l.some {
			for _, s := range c.all() {
				l.beside = append(l.beside, s.edge)
			}
		}
		l.some = true
		l.beside = slices.DeleteFunc(l.beside, func(e uint16) bool { return !c.has(int(e)) })
		if r.manner != swap || len(l.beside) == 1 {
			break
		}
	}
	return l
}

// takes reports whether an edge could take load from another.
func (r *relief) takes(from, to int) bool {
	l := r.loser(from)
	return l.some && to != from && r.may(to, r.levelled) && (r.manner != swap || !slices.Contains(l.beside, uint16(to)))
}

// path is the shortest from an edge that has too much to one with room; nil if
// there is none.
func (r *relief) path() []int {
	var ways [][]int // by end, as far as they are known
	for start := range r.load {
		if !r.over(start) || !r.loser(start).some {
			continue
		}
		if ways == nil {
			ways = make([][]int, len(r.load))
		}
		for end := range r.load {
			if r.load[end] >= r.capacity[end]*(1-little) {
				continue
			}
			if ways[end] == nil {
				ways[end] = r.to(end)
			}
			if path := along(ways[end], start, end); path != nil {
				return path
			}
		}
	}
	return nil
}

// to finds the shortest paths to an edge: for each other the next on its way, or
// less than 0 if it has none.
func (r *relief) to(end int) []int {
	next := make([]int, len(r.load))
	var rest []int
	for e := range next {
		if next[e] = none; e != end && r.loser(e).some {
			rest = append(rest, e)
		}
	}
	for queue := []int{end}; len(queue) > 0 && len(rest) > 0; queue = queue[1:] {
		r.pace.Rest(len(rest))
		at := queue[0]
		rest = slices.DeleteFunc(rest, func(from int) bool {
			if !r.takes(from, at) || r.blocked[at][way{from, end}] {
				return false
			}
			next[from] = at
			queue = append(queue, from)
			return true
		})
	}
	return next
}

// along is the path from one edge to another; nil if there is none.
func along(next []int, start, end int) []int {
	if next[start] < 0 {
		return nil
	}
	path := []int{start}
	for at := start; at != end; {
		at = next[at]
		path = append(path, at)
	}
	return path
}

// push moves load along a path, from its end: each step makes the room for the
// one before. A step that nothing fits is no way to that end, until there is
// more room.
func (r *relief) push(path []int) {
	end := path[len(path)-1]
	load := min(r.load[path[0]]-r.capacity[path[0]], r.capacity[end]-r.load[end])
	for i := len(path) - 2; i >= 0; i-- {
		from, to := path[i], path[i+1]
		if load = min(load, r.step(from, to, load)); load <= 0 {
			if r.blocked[to] == nil {
				r.blocked[to] = map[way]bool{}
			}
			r.blocked[to][way{from, end}] = true
			return
		}
		delete(r.blocked, from)
	}
}

// step moves load from one edge to another, of those clients who lose least,
// and returns how much.
func (r *relief) step(from, to int, load float64) float64 {
	var crowds []*crowd
	for _, c := range r.crowds(from) {
		r.pace.Rest(8 + len(c.pieces)/4)
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
		s := r.sending(c, from, left)
		if s.each(c.pieces, c.pick); s.left < left {
			r.noted.change(s.from, s.to)
		}
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
