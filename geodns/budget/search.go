package budget

import (
	"cmp"
	"math"

	"landfall/geodns/prefix"
)

// point is a map as the search sees it.
type point struct {
	count int32
	error float64
}

// search sets the cut to the largest price's map within limit, and returns the
// price. Maps that are the smallest for some price lie on a convex curve of
// prefixes over error. Between a map that fits and one that does not, the
// price at which both cost the same either finds a third between them, or
// shows that there is none.
func (t *tree) search(limit float64) float64 {
	price := math.Inf(1)
	fits, over := t.solve(price), t.solve(0)
	if over.error <= limit {
		return 0
	}
	// The curve may have a corner for each prefix, yet each step cuts the
	// area between both maps; the bound is for weights that defy rounding.
	for range 256 {
		p := float64(fits.count-over.count) / (over.error - fits.error)
		next := t.solve(p)
		if next == fits || next == over {
			break
		}
		if next.error <= limit {
			fits, price = next, p
		} else {
			over = next
		}
	}
	t.solve(price)
	return price
}

// solve makes the cut of a price.
func (t *tree) solve(price float64) point {
	for i := range t.size {
		prefix.Rest(i, prefix.ManySteps)
		if t.isLeaf(i) {
			continue
		}
		l, r := t.children(i)
		count, errors := t.count[l]+t.count[r], t.errors[l]+t.errors[r]
		if worth(price, t.error[i]-errors, float64(count-1)) {
			t.take(i)
			continue
		}
		t.whole[i], t.count[i], t.errors[i] = false, count, errors
	}
	return t.point()
}

// take makes node i one prefix.
func (t *tree) take(i int) {
	t.whole[i], t.count[i], t.errors[i] = true, 1, t.error[i]
}

// worth reports whether more error is worth saving prefixes.
func worth(price, errors, saved float64) bool {
	switch {
	case math.IsInf(errors, 1):
		return false
	case errors <= 0:
		return true
	}
	return price*errors <= saved
}

// point adds up the roots of the families.
func (t *tree) point() point {
	var p point
	for i := len(t.size) - 1; i >= 0; i -= int(t.size[i]) {
		p.count += t.count[i]
		p.error += t.errors[i]
	}
	return p
}

// offer is a node that the cut could take whole.
type offer struct {
	node        int
	saved, cost float64
}

// spend uses up what the search has left of limit: it takes nodes whole while
// any fits, first those that cost least for each prefix saved.
func (t *tree) spend(limit float64) {
	parents := t.parents()
	for {
		offers := t.offers(limit - t.point().error)
		if len(offers) == 0 {
			return
		}
		stale := make([]bool, len(t.size))
		left := limit - t.point().error
		for _, o := range offers {
			if stale[o.node] || o.cost > left {
				continue
			}
			left -= o.cost
			t.take(o.node)
			for i := o.node - int(t.size[o.node]) + 1; i < o.node; i++ {
				stale[i] = true
			}
			for i := int32(o.node); i >= 0 && !stale[i]; i = parents[i] {
				stale[i] = true
			}
		}
		t.recount()
	}
}

// offers are the nodes above the cut that cost no more than left, the best
// first.
func (t *tree) offers(left float64) []offer {
	var out []offer
	for i := len(t.size) - 1; i >= 0; i-- {
		prefix.Rest(i, prefix.ManySteps)
		if t.whole[i] {
			i -= int(t.size[i]) - 1
			continue
		}
		if cost := t.error[i] - t.errors[i]; cost <= left {
			out = append(out, offer{i, float64(t.count[i] - 1), cost})
		}
	}
	prefix.Sort(out, func(a, b offer) int {
		return cmp.Or(cmp.Compare(a.cost*b.saved, b.cost*a.saved), cmp.Compare(b.saved, a.saved), cmp.Compare(a.node, b.node))
	})
	return out
}

// parents tells the node above each; -1 above the roots.
func (t *tree) parents() []int32 {
	up := make([]int32, len(t.size))
	for i := range up {
		prefix.Rest(i, prefix.ManySteps)
		up[i] = -1
		if !t.isLeaf(i) {
			l, r := t.children(i)
			up[l], up[r] = int32(i), int32(i)
		}
	}
	return up
}

// recount adds up the cut after nodes were taken whole.
func (t *tree) recount() {
	for i := range t.size {
		prefix.Rest(i, prefix.ManySteps)
		if !t.whole[i] {
			l, r := t.children(i)
			t.count[i], t.errors[i] = t.count[l]+t.count[r], t.errors[l]+t.errors[r]
		}
	}
}

// cut lists the prefixes of the cut in order.
func (t *tree) cut() []prefix.Leaf {
	at := int(t.point().count)
	out := make([]prefix.Leaf, at)
	for i := len(t.size) - 1; i >= 0; i-- {
		prefix.Rest(i, prefix.ManySteps)
		if t.whole[i] {
			at--
			out[at] = prefix.Leaf{Prefix: t.prefix(i), Label: t.label[i]}
			i -= int(t.size[i]) - 1
		}
	}
	return out
}
