package prefix

import (
	"cmp"
	"net/netip"
	"slices"
)

// run is the addresses from start up to the start of the next run, all with
// one label.
type run[K key[K]] struct {
	start K
	label uint32
}

// runsOf are runs in order. The first starts at zero; the last goes to the
// end of the family.
type runsOf[K key[K]] []run[K]

// add says that the label is such from k on. A k that is the start of the last
// run makes it void.
func (r *runsOf[K]) add(k K, label uint32) { r.put(k, label, false) }

// put does as add, but leaves a border before k if it is to be apart.
func (r *runsOf[K]) put(k K, label uint32, apart bool) {
	n := len(*r)
	if n > 0 && (*r)[n-1].start == k {
		n--
	}
	*r = (*r)[:n]
	if apart || n == 0 || (*r)[n-1].label != label {
		*r = append(*r, run[K]{k, label})
	}
}

// block is a prefix that was given, as its first and last address.
type block[K key[K]] struct {
	first, last K
	bits, order int
	label       uint32
}

// sweep lays blocks over each other: the longest is on top, of equal ones the
// last.
func sweep[K key[K]](blocks []block[K]) runsOf[K] {
	slices.SortFunc(blocks, func(a, b block[K]) int {
		switch {
		case a.first.less(b.first):
			return -1
		case a.first != b.first:
			return 1
		}
		return cmp.Or(a.bits-b.bits, a.order-b.order)
	})
	out := make(runsOf[K], 1, len(blocks)+1)
	var open []block[K] // each within the one before
	// leave closes the blocks that end before k.
	leave := func(k K, all bool) {
		for n := len(open); n > 0 && (all || open[n-1].last.less(k)); n = len(open) {
			after, more := open[n-1].last.next()
			open = open[:n-1]
			under := uint32(0)
			if n > 1 {
				under = open[n-2].label
			}
			if more {
				out.add(after, under)
			}
		}
	}
	for _, b := range blocks {
		leave(b.first, false)
		open = append(open, b)
		out.add(b.first, b.label)
	}
	var none K
	leave(none, true)
	return out
}

// relabel gives every run a new label.
func relabel[K key[K]](runs []run[K], f func(uint32) uint32) runsOf[K] {
	var out runsOf[K]
	for _, r := range runs {
		out.add(r.start, f(r.label))
	}
	return out
}

// cross cuts the runs of both where either has a border.
func cross[K key[K]](a, b []run[K], f func(x, y uint32) uint32) runsOf[K] {
	out := make(runsOf[K], 0, max(len(a), len(b)))
	for i, j := 0, 0; ; {
		at := a[i].start
		if at.less(b[j].start) {
			at = b[j].start
		}
		out.add(at, f(a[i].label, b[j].label))
		switch {
		case i+1 == len(a) && j+1 == len(b):
			return out
		case i+1 == len(a):
			j++
		case j+1 == len(b):
			i++
		case a[i+1].start == b[j+1].start:
			i, j = i+1, j+1
		case a[i+1].start.less(b[j+1].start):
			i++
		default:
			j++
		}
	}
}

// width is the length of the widest prefix around k that lies within run i.
func width[K key[K]](runs []run[K], i int, k K) int {
	bits := 0
	if before, ok := runs[i].start.prev(); ok {
		bits = k.common(before) + 1
	}
	if i+1 < len(runs) {
		bits = max(bits, k.common(runs[i+1].start)+1)
	}
	return bits
}

// leaves cuts run i into the fewest prefixes.
func leaves[K key[K]](runs []run[K], i int, yield func(netip.Prefix, uint32) bool) bool {
	for k := runs[i].start; ; {
		bits := width(runs, i, k)
		if !yield(k.prefix(bits), runs[i].label) {
			return false
		}
		after, more := k.last(bits).next()
		if !more || i+1 < len(runs) && after == runs[i+1].start {
			return true
		}
		k = after
	}
}
