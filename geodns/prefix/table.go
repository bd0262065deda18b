package prefix

import (
	"iter"
	"net/netip"
)

// Leaf is a prefix and what is said of it.
type Leaf struct {
	Prefix netip.Prefix
	Label  uint32
}

// Table gives every address a label. It never changes: any number of
// goroutines may ask it. The nil Table and the zero Table give all the label
// 0.
type Table struct {
	v4 half[four]
	v6 half[six]
}

// Build makes a Table of prefixes in any order. They may nest: the longest
// wins, of equal ones the last. What none of them holds has the label 0.
// Prefixes that are not valid, and those within the parts of IPv6 that hold
// IPv4, are not heard.
func Build(leaves []Leaf) *Table {
	var v4 []block[four]
	var v6 []block[six]
	for i, l := range leaves {
		Rest(i, ManySteps)
		p := l.Prefix.Masked()
		switch bits := uint8(p.Bits()); {
		case !p.IsValid():
		case p.Addr().Is4():
			v4 = append(v4, block[four]{fourOf(p.Addr()), bits, uint32(i), l.Label})
		default:
			v6 = append(v6, block[six]{sixOf(p.Addr()), bits, uint32(i), l.Label})
		}
	}
	return tableOf(sweep(v4), sweep(v6))
}

func tableOf(v4 runsOf[four], v6 runsOf[six]) *Table {
	return &Table{newHalf(v4), newHalf(setApart(v6, v4))}
}

// orEmpty is t, or a Table without labels.
func (t *Table) orEmpty() *Table {
	if t == nil {
		return &Table{}
	}
	return t
}

// folds reports whether IPv4 inside IPv6 is to be looked up as IPv4.
func (t *Table) folds() bool { return len(t.v4.runs) > 2 }

// Lookup gives the label of an address, and the length of the widest prefix
// around it of which all has that label. The length counts in the address's
// own family, for a mapped address too: it is 96 more than that of the IPv4
// address in it. The zero Addr has the label 0 and no bits.
func (t *Table) Lookup(a netip.Addr) (label uint32, bits int) {
	switch {
	case t == nil || len(t.v4.runs) == 0 || !a.IsValid():
		return 0, 0
	case a.Is4():
		return lookup4(&t.v4, fourOf(a))
	}
	k := sixOf(a)
	if in, shift, ok := k.fold(); ok && t.folds() {
		label, bits = lookup4(&t.v4, in)
		return label, shift + bits
	}
	return lookup6(&t.v6, k)
}

// All yields the widest prefixes of one label, those with the label 0 too,
// IPv4 first, in order. The parts of IPv6 that hold IPv4 are left out while
// IPv4 has more than one label, for they say nothing of their own.
func (t *Table) All() iter.Seq2[netip.Prefix, uint32] {
	t = t.orEmpty()
	return func(yield func(netip.Prefix, uint32) bool) {
		all := func(four) bool { return false }
		_ = t.v4.leaves(all, yield) && t.v6.leaves(t.hidden, yield)
	}
}

// hidden reports whether a run of IPv6 is only there to be apart.
func (t *Table) hidden(start six) bool {
	_, _, ok := start.fold()
	return ok && t.folds()
}

// Relabel makes a Table in which every label is what f makes of it.
func (t *Table) Relabel(f func(uint32) uint32) *Table {
	t = t.orEmpty()
	return tableOf(relabel(t.v4.plain(), f), relabel(t.v6.plain(), f))
}

// Cross makes a Table in which every address has what f makes of its labels
// in both.
func Cross(a, b *Table, f func(x, y uint32) uint32) *Table {
	a, b = a.orEmpty(), b.orEmpty()
	return tableOf(cross(a.v4.plain(), b.v4.plain(), f), cross(a.v6.plain(), b.v6.plain(), f))
}

// Len tells how many prefixes All yields of each family. It counts them.
func (t *Table) Len() (v4, v6 int) {
	for p := range t.All() {
		if p.Addr().Is4() {
			v4++
		} else {
			v6++
		}
	}
	return v4, v6
}

// Bytes tells how much memory the Table takes.
func (t *Table) Bytes() int {
	t = t.orEmpty()
	return t.v4.bytes() + t.v6.bytes()
}
