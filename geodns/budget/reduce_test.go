package budget_test

import (
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"landfall/geodns/budget"
	"landfall/geodns/prefix"
)

// problem is an input of Reduce.
type problem struct {
	leaves  []prefix.Leaf
	weights []float64
	classes []budget.Class
}

func (p problem) reduce(t testing.TB, share float64) budget.Map {
	t.Helper()
	m, err := budget.Reduce(p.leaves, p.weights, p.classes, share)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// random is a small problem: some leaves, some labels, weights of which some
// are 0, and classes of which some are about nobody.
func random(r *rand.Rand, depth int) problem {
	labels := 2 + r.IntN(4)
	p := problem{classes: make([]budget.Class, 1+r.IntN(12))}
	for i := range p.classes {
		c := budget.Class{Label: uint32(r.IntN(labels))}
		for range r.IntN(3) {
			c.Also = append(c.Also, uint32(r.IntN(labels)))
		}
		if r.IntN(6) == 0 {
			c.Also = first(labels)
		}
		p.classes[i] = c
	}
	p.split(r, netip.MustParsePrefix("0.0.0.0/0"), depth)
	if r.IntN(2) == 0 {
		p.split(r, netip.MustParsePrefix("::/0"), depth)
	}
	return p
}

// first are so many labels.
func first(n int) []uint32 {
	out := make([]uint32, n)
	for i := range out {
		out[i] = uint32(i)
	}
	return out
}

func (p *problem) split(r *rand.Rand, at netip.Prefix, depth int) {
	if depth > 0 && r.IntN(8) > 0 {
		left, right := prefix.Halves(at)
		p.split(r, left, depth-1)
		p.split(r, right, depth-1)
		return
	}
	p.leaves = append(p.leaves, prefix.Leaf{Prefix: at, Label: uint32(r.IntN(len(p.classes)))})
	w := 0.0
	if r.IntN(5) > 0 {
		w = math.Round(r.ExpFloat64()*100) / 4
	}
	p.weights = append(p.weights, w)
}

// seeds is how many problems a test tries of n.
func seeds(n uint64) uint64 {
	if testing.Short() {
		n /= 10
	}
	return n
}

// check fails if m breaks a promise.
func (p problem) check(t *testing.T, m budget.Map, share float64) {
	t.Helper()
	total, moved, at := 0.0, 0.0, 0
	for i, l := range p.leaves {
		if !m.Leaves[at].Prefix.Contains(l.Prefix.Addr()) {
			at++
		}
		whole := m.Leaves[at]
		if !whole.Prefix.Contains(l.Prefix.Addr()) || whole.Prefix.Bits() > l.Prefix.Bits() {
			t.Fatalf("%v has no answer of its own in %v", l.Prefix, m.Leaves)
		}
		c := p.classes[l.Label]
		total += p.weights[i]
		if whole.Label == c.Label {
			continue
		}
		moved += p.weights[i]
		if share == 0 {
			t.Fatalf("%v is told %d instead of %d without a budget", l.Prefix, whole.Label, c.Label)
		}
		if !slices.Contains(c.Also, whole.Label) {
			t.Fatalf("%v is told %d, and only %d and %v would do", l.Prefix, whole.Label, c.Label, c.Also)
		}
	}
	if at != len(m.Leaves)-1 {
		t.Fatalf("%d leaves, of which the last %d cover nothing: %v", len(m.Leaves), len(m.Leaves)-1-at, m.Leaves)
	}
	if moved > share*total {
		t.Fatalf("%v of %v moved: more than %v", moved, total, share)
	}
	if total > 0 && math.Abs(moved/total-m.Moved) > 1e-12 {
		t.Fatalf("it says that %v moved, and it is %v", m.Moved, moved/total)
	}
	for i := 1; i < len(m.Leaves); i++ {
		a, b := m.Leaves[i-1], m.Leaves[i]
		if a.Label == b.Label && a.Prefix.Bits() == b.Prefix.Bits() && a.Prefix.Bits() > 0 &&
			netip.PrefixFrom(a.Prefix.Addr(), a.Prefix.Bits()-1).Masked().Contains(b.Prefix.Addr()) &&
			netip.PrefixFrom(a.Prefix.Addr(), a.Prefix.Bits()-1).Masked().Addr() == a.Prefix.Addr() {
			t.Fatalf("%v and %v are told the same and are not joined", a.Prefix, b.Prefix)
		}
	}
}

func TestEveryMapKeepsItsPromises(t *testing.T) {
	for seed := range seeds(2000) {
		p := random(rand.New(rand.NewPCG(seed, 1)), 7)
		exact := p.reduce(t, 0)
		p.check(t, exact, 0)
		for _, share := range []float64{0.001, 0.01, 0.05, 0.2, 0.5, 1} {
			m := p.reduce(t, share)
			p.check(t, m, share)
			if len(m.Leaves) > len(exact.Leaves) {
				t.Fatalf("seed %d: a budget of %v makes %d prefixes of %d", seed, share, len(m.Leaves), len(exact.Leaves))
			}
			if again := p.reduce(t, share); !slices.Equal(again.Leaves, m.Leaves) {
				t.Fatalf("seed %d, share %v: two maps of one problem", seed, share)
			}
		}
	}
}

// TestWithoutBudgetOnlySiblingsJoin compares with a table that knows nothing
// of budgets, and has gaps where IPv6 holds IPv4.
func TestWithoutBudgetOnlySiblingsJoin(t *testing.T) {
	for seed := range seeds(500) {
		p := random(rand.New(rand.NewPCG(seed, 2)), 8)
		whole := prefix.Build(p.leaves)
		p.leaves, p.weights = nil, nil
		for i, l := range all(whole) {
			p.leaves, p.weights = append(p.leaves, l), append(p.weights, float64(i%3))
		}
		want := all(whole.Relabel(func(c uint32) uint32 { return p.classes[c].Label }))
		if got := all(prefix.Build(p.reduce(t, 0).Leaves)); !slices.Equal(got, want) {
			t.Fatalf("seed %d: %d leaves, and not the %d wanted", seed, len(got), len(want))
		}
		p.check(t, p.reduce(t, 0.1), 0.1)
	}
}

func all(t *prefix.Table) (leaves []prefix.Leaf) {
	for at, label := range t.All() {
		leaves = append(leaves, prefix.Leaf{Prefix: at, Label: label})
	}
	return leaves
}

func TestBadInputIsRefused(t *testing.T) {
	whole := netip.MustParsePrefix("0.0.0.0/0")
	low, high := prefix.Halves(whole)
	class := []budget.Class{{Label: 1}}
	for name, c := range map[string]struct {
		leaves  []prefix.Leaf
		weights []float64
		share   float64
		want    string
	}{
		"a share over 1":     {[]prefix.Leaf{{Prefix: whole}}, []float64{1}, 1.5, "share 1.5"},
		"a share of nothing": {[]prefix.Leaf{{Prefix: whole}}, []float64{1}, math.NaN(), "share NaN"},
		"a weight too few":   {[]prefix.Leaf{{Prefix: whole}}, nil, 0, "0 weights for 1 leaves"},
		"no such class":      {[]prefix.Leaf{{Prefix: whole, Label: 1}}, []float64{1}, 0, "class 1"},
		"a negative weight":  {[]prefix.Leaf{{Prefix: whole}}, []float64{-1}, 0, "weighs -1"},
		"endless weights":    {[]prefix.Leaf{{Prefix: low}, {Prefix: high}}, []float64{math.MaxFloat64, math.MaxFloat64}, 0, "add up to +Inf"},
		"out of order":       {[]prefix.Leaf{{Prefix: high}, {Prefix: low}}, []float64{1, 1}, 0, "does not come after"},
		"twice":              {[]prefix.Leaf{{Prefix: whole}, {Prefix: whole}}, []float64{1, 1}, 0, "does not come after"},
		"nested":             {[]prefix.Leaf{{Prefix: whole}, {Prefix: low}}, []float64{1, 1}, 0, "does not come after"},
		"bits beyond it":     {[]prefix.Leaf{{Prefix: netip.MustParsePrefix("10.1.2.3/8")}}, []float64{1}, 0, "not a prefix"},
		"no prefix":          {[]prefix.Leaf{{}}, []float64{1}, 0, "not a prefix"},
	} {
		_, err := budget.Reduce(c.leaves, c.weights, class, c.share)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if m, err := budget.Reduce(nil, nil, nil, 0.5); err != nil || len(m.Leaves) > 0 {
		t.Errorf("nothing becomes %v, %v", m, err)
	}
}
