package budget

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"landfall/geodns/prefix"
)

// Class is what clients of one kind may be told.
type Class struct {
	Label uint32   // the best answer for them
	Also  []uint32 // what would do as well, and is paid for out of the budget; the more there is, the smaller the map
}

// Map is a reduced map.
type Map struct {
	Leaves []prefix.Leaf // disjoint, in order, siblings of one label joined
	Moved  float64       // the share of all weight that is told another label than its best
	Price  float64       // what an error costs: prefixes per share of all weight (the multiplier of Lagrange); 0 if the budget was no limit
}

// slack keeps rounding from exceeding the budget: sums of the same weights in
// another order differ by less.
const slack = 1e-9

// Reduce finds the smallest map of leaves that tells another label than the
// best to no more than share (0 to 1) of all weight.
//
// The leaves are disjoint and in order, as [prefix.Table.All] yields them; the
// Label of each is the index of its Class. What no leaf covers, no leaf of the
// reduced map covers.
// weights says how much each leaf counts, in any unit; where it is 0 a leaf is
// told whatever would do and makes the map smallest. With a share of 0 every
// leaf, also one without weight, is told its best. Errors name the leaf or
// number that is not as described.
func Reduce(leaves []prefix.Leaf, weights []float64, classes []Class, share float64) (Map, error) {
	if !(share >= 0 && share <= 1) {
		return Map{}, fmt.Errorf("budget: share %v is not within 0 and 1", share)
	}
	total, err := sum(leaves, weights, classes)
	if err = cmp.Or(err, ordered(leaves)); err != nil {
		return Map{}, err
	}
	limit := share * total * (1 - slack)
	if share == 1 {
		limit = math.MaxFloat64
	}
	t := grow(leaves, weights, wishes(classes, share > 0))
	price := t.search(limit)
	t.spend(limit)
	m := Map{Leaves: t.cut(), Price: price * total}
	if total > 0 {
		m.Moved = moved(leaves, weights, classes, m.Leaves) / total
	}
	return m, nil
}

// ordered checks the prefixes.
func ordered(leaves []prefix.Leaf) error {
	for i, l := range leaves {
		prefix.Rest(i, prefix.ManySteps)
		if !l.Prefix.IsValid() || l.Prefix != l.Prefix.Masked() {
			return fmt.Errorf("budget: leaf %v is not a prefix", l.Prefix)
		}
		if i > 0 && (!leaves[i-1].Prefix.Addr().Less(l.Prefix.Addr()) || leaves[i-1].Prefix.Contains(l.Prefix.Addr())) {
			return fmt.Errorf("budget: leaf %v does not come after %v", l.Prefix, leaves[i-1].Prefix)
		}
	}
	return nil
}

// sum checks the numbers and adds the weights up.
func sum(leaves []prefix.Leaf, weights []float64, classes []Class) (float64, error) {
	if len(weights) != len(leaves) {
		return 0, fmt.Errorf("budget: %d weights for %d leaves", len(weights), len(leaves))
	}
	total := 0.0
	for i, l := range leaves {
		prefix.Rest(i, prefix.ManySteps)
		if int64(l.Label) >= int64(len(classes)) {
			return 0, fmt.Errorf("budget: leaf %v is of class %d, and there are %d", l.Prefix, l.Label, len(classes))
		}
		if w := weights[i]; !(w >= 0 && w <= math.MaxFloat64) {
			return 0, fmt.Errorf("budget: leaf %v weighs %v", l.Prefix, w)
		}
		total += weights[i]
	}
	if total > math.MaxFloat64 {
		return 0, fmt.Errorf("budget: the weights add up to %v", total)
	}
	return total, nil
}

// wish is what a class would do with: labels in order.
type wish struct {
	own    uint32
	labels []uint32
}

// wishes sorts what the classes would do with; if nothing may be spent, that
// is their best alone.
func wishes(classes []Class, spend bool) []wish {
	out := make([]wish, len(classes))
	for i, c := range classes {
		out[i] = wish{own: c.Label, labels: []uint32{c.Label}}
		if spend {
			labels := append(slices.Clone(c.Also), c.Label)
			slices.Sort(labels)
			out[i].labels = slices.Compact(labels)
		}
	}
	return out
}

// moved is the weight of those leaves that a cut tells another label than
// their best.
func moved(leaves []prefix.Leaf, weights []float64, classes []Class, cut []prefix.Leaf) float64 {
	sum, at := 0.0, 0
	for i, l := range leaves {
		prefix.Rest(i, prefix.ManySteps)
		for !cut[at].Prefix.Contains(l.Prefix.Addr()) {
			at++
		}
		if cut[at].Label != classes[l.Label].Label {
			sum += weights[i]
		}
	}
	return sum
}
