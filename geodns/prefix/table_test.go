package prefix

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
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
		if after := lastOf(p).Next(); after.IsValid() {
			out = append(out, after)
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

func lastOf(p netip.Prefix) netip.Addr {
	if p.Addr().Is4() {
		return fourOf(p.Addr()).last(p.Bits()).addr()
	}
	a := sixOf(p.Addr()).last(p.Bits()).addr()
	return a
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

func TestWidestPrefixOfOneLabel(t *testing.T) {
	for seed := range uint64(400) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			o := draw(r, r.IntN(10))
			table, borders := Build(o), o.borders()
			for _, a := range borders {
				verify(t, table, o, borders, a)
				if before := a.Prev(); before.IsValid() {
					verify(t, table, o, borders, before)
				}
			}
		})
	}
}
