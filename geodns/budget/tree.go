package budget

import (
	"math"
	"net/netip"

	"landfall/geodns/prefix"
)

// tree holds nodes from the leaves up (post-order: the right child of node i is
// i-1, the left one i-1-size[i-1]). Columns, for the search walks them many
// times. It has a root for each family; where a family has gaps a root for
// each widest prefix without one, so that no prefix of a map reaches into a
// gap. A node that every cut takes whole, for one label is best for all below,
// is a leaf of it: what was below is not kept.
type tree struct {
	leaves []prefix.Leaf

	first []int32   // the leaf that a node begins with
	bits  []uint8   // its prefix's length
	size  []int32   // nodes below and itself
	label []uint32  // the best single label for the whole node
	error []float64 // the weight that label is not best for; +Inf if no label would do

	whole  []bool    // the cut: the node is one prefix, if no node above is
	count  []int32   // the cut's prefixes below or at the node
	errors []float64 // and their errors
}

// isLeaf reports whether node i has no children.
func (t *tree) isLeaf(i int) bool { return t.size[i] == 1 }

// children are the nodes below node i.
func (t *tree) children(i int) (left, right int) {
	return i - 1 - int(t.size[i-1]), i - 1
}

// prefix is what node i covers.
func (t *tree) prefix(i int) netip.Prefix {
	return netip.PrefixFrom(t.leaves[t.first[i]].Prefix.Addr(), int(t.bits[i]))
}

// grower builds a tree.
type grower struct {
	tree
	wishes []wish
	open   []branch // nodes without a parent so far, from the left
	bids   bids     // theirs
}

// branch is a node that waits for its sibling.
type branch struct {
	prefix netip.Prefix
	first  int32 // leaf
	class  int64 // mixed if it has several
	weight float64
}

const mixed = -1

// grow builds the tree of leaves in order, and finds for each node the label
// with the smallest error.
func grow(leaves []prefix.Leaf, weights []float64, wishes []wish) *tree {
	n := len(leaves)
	g := grower{wishes: wishes, tree: tree{
		leaves: leaves, first: make([]int32, 0, n), bits: make([]uint8, 0, n), size: make([]int32, 0, n),
		label: make([]uint32, 0, n), error: make([]float64, 0, n),
	}}
	for i, l := range leaves {
		prefix.Rest(i, prefix.FewSteps)
		g.leaf(branch{l.Prefix, int32(i), int64(l.Label), weights[i]})
		for g.join() {
		}
	}
	t := g.tree
	n = len(t.size)
	t.whole, t.count, t.errors = make([]bool, n), make([]int32, n), make([]float64, n)
	for i := range t.size {
		prefix.Rest(i, prefix.ManySteps)
		t.take(i)
	}
	return &t
}

// leaf adds a node without children, for whom its own label is best.
func (g *grower) leaf(b branch) {
	w := g.wishes[b.class]
	g.bids.push(w, b.weight)
	g.add(b, 1, w.own, 0)
}

// join gives the last two nodes a parent, if they are siblings. Siblings of
// one class become one leaf: to tell them apart never saves a prefix.
func (g *grower) join() bool {
	n := len(g.open)
	if n < 2 {
		return false
	}
	l, r := g.open[n-2], g.open[n-1]
	up, ok := parent(l.prefix, r.prefix)
	if !ok {
		return false
	}
	g.open = g.open[:n-2]
	b := branch{up, l.first, mixed, l.weight + r.weight}
	if l.class == r.class && l.class != mixed {
		b.class = l.class
		g.forget()
		g.bids.pop()
		g.leaf(b)
		return true
	}
	g.bids.join()
	label, err := g.bids.best()
	size := int32(1)
	if err == 0 {
		g.forget()
	} else {
		left, right := g.children(len(g.size))
		size += g.size[left] + g.size[right]
	}
	g.add(b, size, label, err)
	return true
}

// add appends a node.
func (g *grower) add(b branch, size int32, label uint32, err float64) {
	g.open = append(g.open, b)
	g.first = append(g.first, b.first)
	g.bits = append(g.bits, uint8(b.prefix.Bits()))
	g.size = append(g.size, size)
	g.label = append(g.label, label)
	g.error = append(g.error, err)
}

// forget takes the last two nodes back, which are leaves.
func (g *grower) forget() {
	n := len(g.size) - 2
	g.first, g.bits, g.size, g.label, g.error = g.first[:n], g.bits[:n], g.size[:n], g.label[:n], g.error[:n]
}

// parent is the prefix whose halves are a and b.
func parent(a, b netip.Prefix) (netip.Prefix, bool) {
	if a.Bits() != b.Bits() || a.Bits() == 0 || a == b {
		return netip.Prefix{}, false
	}
	up := netip.PrefixFrom(a.Addr(), a.Bits()-1)
	return up, up == up.Masked() && up.Contains(b.Addr())
}

// bids is a stack of lists: for each open node what telling it a label would
// cost, by label; those that would not do are not listed.
type bids struct {
	entries []bid
	starts  []int // of the lists
}

type bid struct {
	label uint32
	error float64
}

// push adds the list of a leaf.
func (b *bids) push(w wish, weight float64) {
	b.starts = append(b.starts, len(b.entries))
	for _, l := range w.labels {
		e := weight
		if l == w.own {
			e = 0
		}
		b.entries = append(b.entries, bid{l, e})
	}
}

// pop takes the two topmost lists away.
func (b *bids) pop() {
	n := len(b.starts) - 2
	b.entries, b.starts = b.entries[:b.starts[n]], b.starts[:n]
}

// join replaces the two topmost lists by that of their parent: the labels that
// would do for both.
func (b *bids) join() {
	n := len(b.starts)
	left, right := b.starts[n-2], b.starts[n-1]
	l, r := b.entries[left:right], b.entries[right:]
	out := b.entries[:left] // no longer than what was read of the left list
	for len(l) > 0 && len(r) > 0 {
		switch {
		case l[0].label < r[0].label:
			l = l[1:]
		case r[0].label < l[0].label:
			r = r[1:]
		default:
			out = append(out, bid{l[0].label, l[0].error + r[0].error})
			l, r = l[1:], r[1:]
		}
	}
	b.entries, b.starts = out, b.starts[:n-1]
}

// best is the cheapest of the topmost list, the smallest label among equals.
func (b *bids) best() (uint32, float64) {
	best := bid{error: math.Inf(1)}
	for _, e := range b.entries[b.starts[len(b.starts)-1]:] {
		if e.error < best.error {
			best = e
		}
	}
	return best.label, best.error
}
