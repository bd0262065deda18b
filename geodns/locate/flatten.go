package locate

import (
	"net/netip"
	"slices"

	"landfall"
)

// unknown is the index of the zero Location.
const unknown = 0

// entry is one network as it was given: nested in others, overlapped by
// overrides, next to neighbours of the same Location.
type entry struct {
	prefix   netip.Prefix
	loc      uint32
	override bool
}

// flattener turns entries into the disjoint prefixes of a Table.
//
//	given   10.0.0.0/8 A, 10.64.0.0/10 B, 10.128.0.0/9 A
//	made    0.0.0.0/5 -, 8.0.0.0/7 -, 10.0.0.0/10 A, 10.64.0.0/10 B, 10.128.0.0/9 A, 11.0.0.0/8 -, …
type flattener struct {
	v4, v6    []entry
	locations []landfall.Location
	index     map[landfall.Location]uint32
}

func (f *flattener) intern(loc landfall.Location) uint32 {
	i, ok := f.index[loc]
	if !ok {
		i = uint32(len(f.locations))
		f.index[loc] = i
		f.locations = append(f.locations, loc)
	}
	return i
}

// add takes one entry. An IPv6 network of the database that holds ::/96 holds
// all IPv4 addresses: the format keeps them there.
func (f *flattener) add(e entry) {
	if e.prefix.Addr().Is4() {
		f.v4 = append(f.v4, e)
		return
	}
	f.v6 = append(f.v6, e)
	if !e.override && e.prefix.Bits() <= 96 && e.prefix.Contains(netip.IPv6Unspecified()) {
		e.prefix = netip.PrefixFrom(netip.IPv4Unspecified(), 0)
		f.v4 = append(f.v4, e)
	}
}

func (f *flattener) table() *Table {
	t := &Table{locations: f.locations}
	t.v4.starts, t.v4.bits, t.v4.locs = columns(flatten(netip.IPv4Unspecified(), f.v4), key4Of)
	t.v6.starts, t.v6.bits, t.v6.locs = columns(flatten(netip.IPv6Unspecified(), f.v6), key6Of)
	return t
}

// flatten covers the whole family of zero with disjoint prefixes in order,
// none of which could be joined with its neighbour.
func flatten(zero netip.Addr, entries []entry) []entry {
	slices.SortStableFunc(entries, func(a, b entry) int {
		if c := a.prefix.Compare(b.prefix); c != 0 || a.override == b.override {
			return c
		}
		if a.override {
			return 1 // after the database, to be the last word
		}
		return -1
	})
	w := walk{in: entries}
	w.cover(entry{prefix: netip.PrefixFrom(zero, 0)})
	return w.out
}

// walk goes down the binary tree of prefixes, taking entries from in as it
// comes to them and leaving the leaves in out.
type walk struct {
	in, out []entry
}

// cover emits what is known about the addresses of here, of which everything
// wider has already been said in here.loc and here.override.
func (w *walk) cover(here entry) {
	for len(w.in) > 0 && w.in[0].prefix == here.prefix {
		w.take(&here)
	}
	if len(w.in) == 0 || !here.prefix.Contains(w.in[0].prefix.Addr()) {
		w.emit(here)
		return
	}
	left, right := halves(here.prefix)
	w.cover(entry{left, here.loc, here.override})
	w.cover(entry{right, here.loc, here.override})
}

// take lets the next entry speak about here; the database is not heard inside
// an override.
func (w *walk) take(here *entry) {
	if next := w.in[0]; next.override || !here.override {
		here.loc, here.override = next.loc, next.override
	}
	w.in = w.in[1:]
}

// emit appends a leaf, and joins it with its sibling as long as both are the
// same.
func (w *walk) emit(leaf entry) {
	for n := len(w.out); n > 0; n-- {
		last := w.out[n-1]
		parent := netip.PrefixFrom(last.prefix.Addr(), leaf.prefix.Bits()-1)
		siblings := last.prefix.Bits() == leaf.prefix.Bits() && leaf.prefix.Bits() > 0 &&
			parent == parent.Masked() && parent.Contains(leaf.prefix.Addr())
		if !siblings || last.loc != leaf.loc {
			break
		}
		leaf.prefix = parent
		w.out = w.out[:n-1]
	}
	w.out = append(w.out, leaf)
}

// halves splits a prefix that is not a single address.
func halves(p netip.Prefix) (left, right netip.Prefix) {
	bits := p.Bits()
	left = netip.PrefixFrom(p.Addr(), bits+1)
	if p.Addr().Is4() {
		a := p.Addr().As4()
		a[bits/8] |= 0x80 >> (bits % 8)
		return left, netip.PrefixFrom(netip.AddrFrom4(a), bits+1)
	}
	a := p.Addr().As16()
	a[bits/8] |= 0x80 >> (bits % 8)
	return left, netip.PrefixFrom(netip.AddrFrom16(a), bits+1)
}

// columns turns leaves into the arrays of a family.
func columns[K any](leaves []entry, key func(netip.Addr) K) (starts []K, bits []uint8, locs []uint32) {
	for _, l := range leaves {
		starts = append(starts, key(l.prefix.Addr()))
		bits = append(bits, uint8(l.prefix.Bits()))
		locs = append(locs, l.loc)
	}
	return slices.Clip(starts), slices.Clip(bits), slices.Clip(locs)
}
