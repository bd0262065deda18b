package prefix

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"testing"
)

// oracle answers from the list of what was given.
type oracle []Leaf

func (o oracle) label(a netip.Addr) uint32 {
	if v4, _, ok := Fold(a); ok {
		a = v4
	}
	best, label := -1, uint32(0)
	for _, l := range o {
		if l.Prefix.Contains(a) && l.Prefix.Bits() >= best {
			best, label = l.Prefix.Bits(), l.Label
		}
	}
	return label
}

// borders are the addresses at which a label may change: the first of what
// was given, and the first after it, also where IPv4 is shown in IPv6.
func (o oracle) borders() []netip.Addr {
	var out []netip.Addr
	note := func(p netip.Prefix) {
		out = append(out, p.Addr())
		if p.Addr().Is4() {
			out = append(out, fourOf(p.Addr()).after(p.Bits()).addr())
		} else {
			out = append(out, sixOf(p.Addr()).after(p.Bits()).addr())
		}
	}
	for _, l := range o {
		note(l.Prefix)
		if l.Prefix.Addr().Is4() {
			for _, f := range folds() {
				note(within(f.first, f.shift, l.Prefix))
			}
		}
	}
	for _, f := range folds() {
		note(f.first.prefix(f.shift))
	}
	return out
}

// within is an IPv4 prefix as it is shown in a part of IPv6.
func within(part six, shift int, p netip.Prefix) netip.Prefix {
	v4 := uint64(fourOf(p.Addr()))
	if shift == 16 {
		part.hi |= v4 << 16
	} else {
		part.lo |= v4
	}
	return part.prefix(shift + p.Bits())
}

// same reports whether all of p has the label.
func (o oracle) same(p netip.Prefix, label uint32, borders []netip.Addr) bool {
	if o.label(p.Addr()) != label {
		return false
	}
	for _, b := range borders {
		if p.Contains(b) && o.label(b) != label {
			return false
		}
	}
	return true
}

// verify asks about an address, and whether the prefix is sound and minimal.
func verify(t *testing.T, table *Table, o oracle, borders []netip.Addr, a netip.Addr) {
	t.Helper()
	label, bits := table.Lookup(a)
	if want := o.label(a); label != want {
		t.Fatalf("%v: label %d, want %d", a, label, want)
	}
	p := netip.PrefixFrom(a, bits).Masked()
	if !p.IsValid() || !o.same(p, label, borders) {
		t.Fatalf("%v: not all of %v is %d", a, p, label)
	}
	if bits > 0 && o.same(netip.PrefixFrom(a, bits-1).Masked(), label, borders) {
		t.Fatalf("%v: %v could be wider", a, p)
	}
}

// draw makes prefixes that nest, overlap and repeat.
func draw(r *rand.Rand, n int) oracle {
	var o oracle
	for range n {
		var p netip.Prefix
		switch a := four(r.Uint32()&0xc0000003 | r.Uint32N(4)<<16); r.IntN(4) {
		case 0, 1:
			p = netip.PrefixFrom(a.addr(), r.IntN(33)).Masked()
		case 2:
			p = netip.PrefixFrom(six{uint64(a) << 32, uint64(a)}.addr(), r.IntN(129)).Masked()
		default:
			f := folds()[r.IntN(3)]
			p = netip.PrefixFrom(f.first.addr(), max(0, f.shift-r.IntN(8)))
			if p.Bits() == f.shift { // beside it, not within
				k := f.first
				if f.shift == 16 {
					k.hi ^= 1 << 48
				} else {
					k.lo ^= 1 << 32
				}
				p = k.prefix(f.shift)
			}
			p = p.Masked()
		}
		o = append(o, Leaf{p, r.Uint32N(3)})
	}
	return o
}

// verifyAll asks wherever a label may change, and before.
func verifyAll(t *testing.T, table *Table, o oracle) {
	t.Helper()
	borders := o.borders()
	for _, a := range borders {
		verify(t, table, o, borders, a)
		if before := a.Prev(); before.IsValid() {
			verify(t, table, o, borders, before)
		}
	}
	verifyLeaves(t, table)
}

// verifyLeaves holds All against Lookup: every leaf is the widest prefix of one
// label, they follow each other without a gap, and a Table made of them is the
// same.
func verifyLeaves(t *testing.T, table *Table) {
	t.Helper()
	var leaves []Leaf
	var next netip.Addr // zero where a family begins
	for p, label := range table.All() {
		if got, bits := table.Lookup(p.Addr()); got != label || bits != p.Bits() {
			t.Fatalf("leaf %v %d: look-up says %d, /%d", p, label, got, bits)
		}
		for _, f := range folds() {
			if first := f.first.prefix(f.shift); next == first.Addr() && p.Addr() != next {
				next = f.first.after(f.shift).addr()
			}
		}
		if next != p.Addr() && !(p.Addr().IsUnspecified() && !next.IsValid()) {
			t.Fatalf("leaf %v: want one at %v", p, next)
		}
		if p.Addr().Is4() {
			next = fourOf(p.Addr()).after(p.Bits()).addr()
		} else {
			next = sixOf(p.Addr()).after(p.Bits()).addr()
		}
		if next.IsUnspecified() {
			next = netip.Addr{}
		}
		leaves = append(leaves, Leaf{p, label})
	}
	if next.IsValid() {
		t.Fatalf("no leaf at %v", next)
	}
	if again := Build(leaves); !reflect.DeepEqual(again, table.Relabel(func(l uint32) uint32 { return l })) {
		t.Fatalf("made of its leaves it is another table: %v", leaves)
	} else if !reflect.DeepEqual(Ordered(table.All()), again) {
		t.Fatalf("made of its leaves in order it is another table: %v", leaves)
	}
	v4, v6 := table.Len()
	if v4+v6 != len(leaves) {
		t.Fatalf("%d and %d leaves of %d", v4, v6, len(leaves))
	}
}

func TestWidestPrefixOfOneLabel(t *testing.T) {
	for seed := range uint64(120) {
		r := rand.New(rand.NewPCG(seed, 1))
		o := draw(r, r.IntN(10))
		t.Run(fmt.Sprint(seed), func(t *testing.T) { verifyAll(t, Build(o), o) })
	}
}

// What is not in order is left out, and gaps have the label 0.
func TestOrderedHearsWhatIsInOrder(t *testing.T) {
	p := netip.MustParsePrefix
	given := []Leaf{
		{p("10.0.0.0/8"), 1}, {p("10.1.0.0/16"), 2}, {p("9.0.0.0/8"), 3}, {netip.Prefix{}, 4}, {p("12.0.0.0/8"), 5},
		{p("2001:db8::/32"), 6}, {p("224.0.0.0/3"), 7}, {p("0.0.0.0/0"), 8}, {p("ff00::/8"), 9}, {p("ffff::/16"), 10},
	}
	got := Ordered(func(yield func(netip.Prefix, uint32) bool) {
		for _, l := range given {
			if !yield(l.Prefix, l.Label) {
				return
			}
		}
	})
	want := Build([]Leaf{given[0], given[4], given[5], given[6], given[8]})
	if !reflect.DeepEqual(slices.Collect(leavesOf(got)), slices.Collect(leavesOf(want))) {
		t.Errorf("%v, want %v", slices.Collect(leavesOf(got)), slices.Collect(leavesOf(want)))
	}
}

func leavesOf(t *Table) iter.Seq[Leaf] {
	return func(yield func(Leaf) bool) {
		for p, label := range t.All() {
			if !yield(Leaf{p, label}) {
				return
			}
		}
	}
}

func TestCrossAndRelabel(t *testing.T) {
	for seed := range uint64(120) {
		r := rand.New(rand.NewPCG(seed, 2))
		a, b := draw(r, r.IntN(7)), draw(r, r.IntN(7))
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			f := func(x, y uint32) uint32 { return (x + 2*y) % 4 }
			table := Cross(Build(a), Build(b), f)
			verifyLeaves(t, table)
			same(t, table, both(a, b), func(at netip.Addr) uint32 { return f(a.label(at), b.label(at)) })
			half := table.Relabel(func(x uint32) uint32 { return x / 2 })
			verifyLeaves(t, half)
			same(t, half, both(a, b), func(at netip.Addr) uint32 { return f(a.label(at), b.label(at)) / 2 })
		})
	}
}

// both are the borders of two.
func both(a, b oracle) []netip.Addr { return append(a.borders(), b.borders()...) }

// same holds a Table against what is wanted, wherever that may change.
func same(t *testing.T, table *Table, borders []netip.Addr, want func(netip.Addr) uint32) {
	t.Helper()
	for _, at := range borders {
		label, bits := table.Lookup(at)
		if label != want(at) {
			t.Fatalf("%v: label %d, want %d", at, label, want(at))
		}
		all := func(bits int) bool {
			p := netip.PrefixFrom(at, bits).Masked()
			return !slices.ContainsFunc(borders, func(b netip.Addr) bool { return p.Contains(b) && want(b) != label }) && want(p.Addr()) == label
		}
		if !all(bits) || bits > 0 && all(bits-1) {
			t.Fatalf("%v: /%d is not the widest prefix of %d", at, bits, label)
		}
	}
}

// Where prefixes crowd, the search goes deep.
func TestCrowdedTable(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	var leaves []Leaf
	for range 10_000 {
		a := four(0x0a000000 | r.Uint32()>>(8+r.IntN(24)))
		leaves = append(leaves, Leaf{a.prefix(32), 1 + r.Uint32N(9)})
		b := six{0x20010db8<<32 | r.Uint64()>>(32+r.IntN(32)), r.Uint64() >> r.IntN(64) << r.IntN(64)}
		leaves = append(leaves, Leaf{b.prefix(128 - 40*r.IntN(2)).Masked(), 1 + r.Uint32N(9)})
	}
	for _, extreme := range []netip.Prefix{four(0).prefix(32), (^four(0)).prefix(32), six{}.prefix(128), six{^uint64(0), ^uint64(0)}.prefix(128)} {
		leaves = append(leaves, Leaf{extreme, 10})
	}
	table := Build(leaves)
	verifyLeaves(t, table)
	want := map[netip.Prefix]uint32{}
	for _, l := range leaves {
		want[l.Prefix] = l.Label
	}
	for _, l := range leaves {
		at := l.Prefix.Addr()
		if got, _ := table.Lookup(at); l.Prefix.IsSingleIP() && got != want[l.Prefix] {
			t.Fatalf("%v: label %d, want %d", at, got, want[l.Prefix])
		}
	}
}

// More runs begin with the same bits than a cell can count.
func TestBucketWithoutCells(t *testing.T) {
	var leaves []Leaf
	for i := range uint64(70_000) {
		leaves = append(leaves, Leaf{six{0x20010db8<<32 | i, 0}.prefix(64), 1 + uint32(i%7)})
	}
	table := Build(leaves)
	for i, l := range leaves {
		if label, bits := table.Lookup(l.Prefix.Addr()); label != l.Label || bits != 64 {
			t.Fatalf("leaf %d, %v: %d, /%d", i, l.Prefix, label, bits)
		}
	}
	if label, bits := table.Lookup(netip.MustParseAddr("2001:db9::")); label != 0 || bits != 32 {
		t.Errorf("beside them: %d, /%d", label, bits)
	}
}

func TestNoTable(t *testing.T) {
	for _, none := range []*Table{nil, {}, Build(nil)} {
		for _, a := range []string{"1.2.3.4", "::ffff:1.2.3.4", "2002::", "::"} {
			if label, bits := none.Lookup(netip.MustParseAddr(a)); label != 0 || bits != 0 {
				t.Errorf("%s: %d, /%d", a, label, bits)
			}
		}
		verifyLeaves(t, none)
		if label, bits := Cross(none, none, func(x, y uint32) uint32 { return x + y + 1 }).Lookup(netip.IPv6Unspecified()); label != 1 || bits != 0 {
			t.Errorf("crossed: %d, /%d", label, bits)
		}
	}
	if label, bits := Build([]Leaf{{four(0).prefix(0), 3}}).Lookup(netip.Addr{}); label != 0 || bits != 0 {
		t.Errorf("no address: %d, /%d", label, bits)
	}
	table := Build([]Leaf{{netip.Prefix{}, 1}, {netip.PrefixFrom(four(1).addr(), 99), 2}})
	if v4, v6 := table.Len(); v4 != 1 || v6 != 1 {
		t.Errorf("of nothing: %d, %d", v4, v6)
	}
}
