package plan

import (
	"container/heap"
	"math"
	"slices"
)

var infinite = math.Inf(1)

// rounding is what sums of the same numbers may differ by.
const rounding = 1e-9

// apart is how many milliseconds a client seems to lose by going to a region
// that operators prefer less: more than any round trip takes, so that ceilings
// move those clients last.
const apart = 10_000

// crowd is pieces of one class that are told the same, and were before any
// edge was down.
type crowd struct {
	seq    int
	class  *class
	pick   uint32
	based  uint32 // pick were all edges up, once that is known
	pieces []int
	closed []bool // edges without room for any of them, by index; nil: none
	next   pick   // where they would go
	opened int    // work.opened when that was found
	regret float64
}

func (c *crowd) shut(edge int) bool { return c.closed != nil && c.closed[edge] }

// crowds are those that lose least by going first.
type crowds []*crowd

func (c crowds) Len() int { return len(c) }
func (c crowds) Less(i, j int) bool {
	return c[i].regret < c[j].regret || c[i].regret == c[j].regret && c[i].seq < c[j].seq
}
func (c crowds) Swap(i, j int) { c[i], c[j] = c[j], c[i] }
func (c *crowds) Push(x any)   { *c = append(*c, x.(*crowd)) }
func (c *crowds) Pop() any {
	last := (*c)[len(*c)-1]
	*c = (*c)[:len(*c)-1]
	return last
}

// shed takes clients from an edge until it can serve the rest, or all of them:
// those first who lose least, each to the next in rank that has room. Nobody
// is pushed over what it can serve; when no other has room, the rest stay, or if
// they may not, go where the overload is least.
func (w *work) shed(edge int, all bool) {
	var queue crowds
	for _, c := range w.crowds(edge) {
		if w.aim(c, edge, all) {
			queue = append(queue, c)
		} else {
			w.squeeze(c, edge, all)
		}
	}
	heap.Init(&queue)
	for len(queue) > 0 && (all || w.over(edge)) {
		c := heap.Pop(&queue).(*crowd)
		was := c.regret
		switch {
		case !w.aims(c) && !w.aim(c, edge, all):
			w.squeeze(c, edge, all)
		case c.regret > was:
			heap.Push(&queue, c)
		case !w.send(c, edge, all):
			heap.Push(&queue, c)
		}
	}
}

// may reports whether an edge may take what another loses: if that has to go
// because it may not be named, only those that may.
func (w *work) may(edge int, all bool) bool { return !all || w.fits[edge] }

// aims reports whether a crowd would still go where it was found to: those who
// would take more have room, and nobody has who had none before.
func (w *work) aims(c *crowd) bool {
	was := &w.picks[c.pick]
	return c.opened == w.opened && !slices.ContainsFunc(c.next.all(), func(s slots) bool {
		return c.shut(int(s.edge)) || w.full(int(s.edge)) && s != was.slotsOf(int(s.edge))
	})
}

// aim finds where a crowd would go next, and what it would lose; false if
// nobody has room.
func (w *work) aim(c *crowd, edge int, all bool) bool {
	w.pace.Rest(8 + 2*len(w.load))
	kept := w.picks[c.pick].without(edge)
	takes := func(e int) bool { return e != edge && w.may(e, all) }
	c.opened = w.opened
	c.next = w.filler.fill(kept, w.ranking(c.class.rank), func(e int) bool { return !w.full(e) && !c.shut(e) && takes(e) })
	if c.next.n == 0 || slices.ContainsFunc(c.next.all(), func(s slots) bool { return c.shut(int(s.edge)) }) {
		return false
	}
	if !w.filler.full(&c.next) {
		for e := range w.load { // those that could, but have no room
			if (w.full(e) || c.shut(e)) && takes(e) && w.filler.wants(&kept, e) {
				return false
			}
		}
	}
	c.regret = (w.cost(c.class, &c.next) - w.cost(c.class, &w.picks[c.pick])) / w.picks[c.pick].share(edge)
	return true
}

// wants reports whether an edge has addresses that c does not tell.
func (f *filler) wants(c *pick, edge int) bool {
	if i := c.find(edge); i >= 0 {
		return int(c.slots[i].v4) < len(f.v4[edge]) || int(c.slots[i].v6) < len(f.v6[edge])
	}
	return len(f.v4[edge])+len(f.v6[edge]) > 0
}

// cost is the mean round trip to the edges of a pick in milliseconds, and
// apart for each step down in what operators prefer.
func (w *work) cost(c *class, told *pick) float64 {
	sum := 0.0
	for _, s := range told.all() {
		edge := int(s.edge)
		sum += told.share(edge) * (w.rtt(c, edge) + apart*float64(w.ranker.Preferred(int(c.prefer), edge)))
	}
	return sum
}

// send moves pieces of a crowd to where it aims, until the edge has lost what
// it has to or somebody there has no more room: then that one is closed to the
// crowd, and send is false.
func (w *work) send(c *crowd, edge int, all bool) bool {
	left := infinite
	if !all {
		left = w.load[edge] - w.capacity[edge]
	}
	s := w.sending(c, edge, left)
	c.pieces = s.each(c.pieces, c.pick)
	if len(c.pieces) == 0 || s.left <= 0 {
		return true
	}
	if _, tightest := w.room(s.from, s.to); tightest >= 0 {
		if c.closed == nil {
			c.closed = make([]bool, len(w.load))
		}
		c.closed[tightest] = true
	}
	return false
}

// squeeze finds places for the pieces of a crowd one by one: with an edge that
// has room for a whole one, or, if they cannot stay, where the overload is
// least.
func (w *work) squeeze(c *crowd, edge int, all bool) {
	from := w.picks[c.pick]
	for queue := c.pieces; len(queue) > 0; {
		w.pace.Rest(8 + 2*len(w.load))
		i := queue[0]
		queue = queue[1:]
		if !all && !w.over(edge) {
			return
		}
		if next, ok := w.spare(c, edge, w.pieces[i].weight, all); ok {
			w.turn(from, next, w.pieces[i].weight)
			w.tell(i, w.intern(next))
			continue
		}
		if !all {
			continue
		}
		if w.heavy(w.pieces[i]) {
			left, right := w.halves(w.pieces[i])
			w.pieces[i] = left
			queue = append([]int{i, w.put(right, i, c.pick)}, queue...)
			continue
		}
		next := w.filler.fill(from.without(edge), listed(w.byOverload()), func(e int) bool { return w.fits[e] }).ordered(w.ranking(c.class.rank))
		w.turn(from, next, w.pieces[i].weight)
		w.tell(i, w.intern(next))
	}
}

// heavy reports whether a piece alone would make a difference between
// overloads.
func (w *work) heavy(p piece) bool {
	return p.prefix.IsValid() && !smallest(p.prefix) && p.weight > slices.Min(w.capacity)/64
}

// spare is a pick of edges that have room for such weight.
func (w *work) spare(c *crowd, edge int, weight float64, all bool) (pick, bool) {
	from := w.picks[c.pick]
	share := from.share(edge)
	next := w.filler.fill(from.without(edge), w.ranking(c.class.rank), func(e int) bool {
		return e != edge && w.may(e, all) && w.load[e]+weight*share <= w.capacity[e]
	})
	return next, w.filler.full(&next) && w.holds(from, next, weight)
}

// byOverload are the edges, the one with most room beside what it can serve
// first.
func (w *work) byOverload() []uint16 {
	out := make([]uint16, len(w.load))
	for i := range out {
		out[i] = uint16(i)
	}
	slices.SortStableFunc(out, func(a, b uint16) int {
		switch x, y := w.load[a]/w.capacity[a], w.load[b]/w.capacity[b]; {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	})
	return out
}
