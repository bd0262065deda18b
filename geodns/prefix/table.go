package prefix

import (
	"iter"
	"net/netip"
	"sort"
	"unsafe"
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
	v4 runsOf[four]
	v6 runsOf[six]
}

// Build makes a Table of prefixes in any order. They may nest: the longest
// wins, of equal ones the last. What none of them holds has the label 0.
// Prefixes that are not valid, and those within the parts of IPv6 that hold
// IPv4, are not heard.
func Build(leaves []Leaf) *Table {
	var v4 []block[four]
	var v6 []block[six]
	for i, l := range leaves {
		p := l.Prefix.Masked()
		switch bits := p.Bits(); {
		case !p.IsValid():
		case p.Addr().Is4():
			k := fourOf(p.Addr())
			v4 = append(v4, block[four]{k, k.last(bits), bits, i, l.Label})
		default:
			k := sixOf(p.Addr())
			v6 = append(v6, block[six]{k, k.last(bits), bits, i, l.Label})
		}
	}
	return finish(sweep(v4), sweep(v6))
}

func finish(v4 runsOf[four], v6 runsOf[six]) *Table {
	return &Table{v4, setApart(v6, v4)}
}

// halves are the runs of both families, of which each has one.
func (t *Table) halves() (v4 runsOf[four], v6 runsOf[six]) {
	if t == nil || len(t.v4) == 0 {
		return make(runsOf[four], 1), make(runsOf[six], 1)
	}
	return t.v4, t.v6
}

// Lookup gives the label of an address, and the length of the widest prefix
// around it of which all has that label. The length counts in the address's
// own family, for a mapped address too: it is 96 more than that of the IPv4
// address in it. The zero Addr has the label 0 and no bits.
func (t *Table) Lookup(a netip.Addr) (label uint32, bits int) {
	switch {
	case t == nil || len(t.v4) == 0 || !a.IsValid():
		return 0, 0
	case a.Is4():
		return t.lookup4(fourOf(a))
	}
	k := sixOf(a)
	if in, shift, ok := k.fold(); ok && len(t.v4) > 1 {
		label, bits = t.lookup4(in)
		return label, shift + bits
	}
	i := find(t.v6, k)
	return t.v6[i].label, width(t.v6, i, k)
}

func (t *Table) lookup4(k four) (label uint32, bits int) {
	i := find(t.v4, k)
	return t.v4[i].label, width(t.v4, i, k)
}

func find[K key[K]](runs []run[K], k K) int {
	return sort.Search(len(runs), func(i int) bool { return k.less(runs[i].start) }) - 1
}

// All yields the widest prefixes of one label, those with the label 0 too,
// IPv4 first, in order. The parts of IPv6 that hold IPv4 are left out while
// IPv4 has more than one label, for they say nothing of their own.
func (t *Table) All() iter.Seq2[netip.Prefix, uint32] {
	v4, v6 := t.halves()
	return func(yield func(netip.Prefix, uint32) bool) {
		for i := range v4 {
			if !leaves(v4, i, yield) {
				return
			}
		}
		for i, r := range v6 {
			if _, _, folded := r.start.fold(); folded && len(v4) > 1 {
				continue
			}
			if !leaves(v6, i, yield) {
				return
			}
		}
	}
}

// Relabel makes a Table in which every label is what f makes of it.
func (t *Table) Relabel(f func(uint32) uint32) *Table {
	v4, v6 := t.halves()
	return finish(relabel(v4, f), relabel(v6, f))
}

// Cross makes a Table in which every address has what f makes of its labels
// in both.
func Cross(a, b *Table, f func(x, y uint32) uint32) *Table {
	a4, a6 := a.halves()
	b4, b6 := b.halves()
	return finish(cross(a4, b4, f), cross(a6, b6, f))
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
	if t == nil {
		return 0
	}
	return cap(t.v4)*int(unsafe.Sizeof(run[four]{})) + cap(t.v6)*int(unsafe.Sizeof(run[six]{}))
}
