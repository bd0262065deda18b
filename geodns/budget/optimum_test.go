package budget_test

import (
	"cmp"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"landfall/geodns/prefix"
)

// The optimum of small problems, by listing all maps that no other beats in
// both prefixes and error.

// outcome is what one map comes to.
type outcome struct {
	count int
	error float64
}

// frontier drops outcomes that another beats.
func frontier(all []outcome) []outcome {
	slices.SortFunc(all, func(a, b outcome) int { return cmp.Or(a.count-b.count, cmp.Compare(a.error, b.error)) })
	var out []outcome
	for _, o := range all {
		if len(out) == 0 || o.error < out[len(out)-1].error {
			out = append(out, o)
		}
	}
	return out
}

func both(a, b []outcome) []outcome {
	var out []outcome
	for _, x := range a {
		for _, y := range b {
			out = append(out, outcome{x.count + y.count, x.error + y.error})
		}
	}
	return frontier(out)
}

// outcomes lists those of the first of the leaves that lie in at, and returns
// the others.
func (p problem) outcomes(at netip.Prefix, leaves []prefix.Leaf, weights []float64) ([]outcome, []prefix.Leaf, []float64) {
	if leaves[0].Prefix == at {
		return []outcome{{1, 0}}, leaves[1:], weights[1:]
	}
	low, high := prefix.Halves(at)
	left, rest, restWeights := p.outcomes(low, leaves, weights)
	right, rest, restWeights := p.outcomes(high, rest, restWeights)
	all := both(left, right)
	n := len(leaves) - len(rest)
	for label := range uint32(8) {
		if e, ok := p.single(leaves[:n], weights, label); ok {
			all = append(all, outcome{1, e})
		}
	}
	return frontier(all), rest, restWeights
}

// single is the error of telling all leaves one label.
func (p problem) single(leaves []prefix.Leaf, weights []float64, label uint32) (sum float64, ok bool) {
	for i, l := range leaves {
		c := p.classes[l.Label]
		if c.Label == label {
			continue
		}
		if !slices.Contains(c.Also, label) {
			return 0, false
		}
		sum += weights[i]
	}
	return sum, true
}

func (p problem) optima() []outcome {
	all, rest, weights := p.outcomes(netip.MustParsePrefix("0.0.0.0/0"), p.leaves, p.weights)
	if len(rest) > 0 {
		var six []outcome
		six, _, _ = p.outcomes(netip.MustParsePrefix("::/0"), rest, weights)
		all = both(all, six)
	}
	return all
}

// corners are the outcomes on the convex hull: those that are the best for
// some price.
func corners(all []outcome) []outcome {
	var hull []outcome
	for _, o := range all {
		for len(hull) > 1 {
			a, b := hull[len(hull)-2], hull[len(hull)-1]
			if (b.error-a.error)*float64(o.count-a.count) < (o.error-a.error)*float64(b.count-a.count) {
				break
			}
			hull = hull[:len(hull)-1]
		}
		hull = append(hull, o)
	}
	return hull
}

// TestTheMapIsTheSmallestAtItsPrice: where the budget is the error of a
// corner, no map is smaller. Between two corners the best map may be a few
// prefixes smaller; the test says how many, and bounds it.
func TestTheMapIsTheSmallestAtItsPrice(t *testing.T) {
	asked, smallest, excess, worst := 0, 0, 0, 0
	for seed := range seeds(1500) {
		p := random(rand.New(rand.NewPCG(seed, 3)), 6)
		total := 0.0
		for _, w := range p.weights {
			total += w
		}
		if total == 0 {
			continue
		}
		all := p.optima()
		hull := corners(all)
		for _, o := range all {
			share := min(1, (o.error+1e-4)/total)
			got := len(p.reduce(t, share).Leaves)
			if got < o.count {
				t.Fatalf("seed %d: %d prefixes at %v, and the optimum is %d: the oracle is wrong", seed, got, share, o.count)
			}
			if slices.Contains(hull, o) && got != o.count {
				t.Fatalf("seed %d: %d prefixes at %v, and %d would do", seed, got, share, o.count)
			}
			asked++
			excess += got - o.count
			worst = max(worst, got-o.count)
			if got == o.count {
				smallest++
			}
		}
	}
	mean := float64(excess) / float64(asked)
	t.Logf("%d budgets: the smallest map for %.1f%%, else at most %d prefixes more; %.3f on average", asked, 100*float64(smallest)/float64(asked), worst, mean)
	if mean > 0.5 || worst > 6 || math.IsNaN(mean) {
		t.Errorf("too far from the optimum: %.2f prefixes on average, %d at worst", mean, worst)
	}
}
