package prefix

import "cmp"

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

// block is a prefix that was given.
type block[K key[K]] struct {
	first K
	bits  uint8
	order uint32 // the later is on top
	label uint32
}

func (b block[K]) compare(c block[K]) int {
	switch {
	case b.first.less(c.first):
		return -1
	case c.first.less(b.first):
		return 1
	}
	return cmp.Or(cmp.Compare(b.bits, c.bits), cmp.Compare(b.order, c.order))
}

// open is a block that has begun, and the address after it; zero if it goes to
// the end.
type open[K key[K]] struct {
	after K
	label uint32
}

// sweep lays blocks over each other: the longest is on top, of equal ones the
// last.
func sweep[K key[K]](blocks []block[K]) runsOf[K] {
	Sort(blocks, block[K].compare)
	var none K
	out := make(runsOf[K], 1, 2*len(blocks)+2)
	within := []open[K]{{}} // each in the one before; all in nothing
	top := func() open[K] { return within[len(within)-1] }
	leave := func() {
		after := top().after
		within = within[:len(within)-1]
		out.add(after, top().label)
	}
	for i, b := range blocks {
		Rest(i, ManySteps)
		for top().after != none && !b.first.less(top().after) {
			leave()
		}
		within = append(within, open[K]{b.first.after(int(b.bits)), b.label})
		out.add(b.first, b.label)
	}
	for top().after != none {
		leave()
	}
	return out
}

// relabel gives every run a new label.
func relabel[K key[K]](runs runsOf[K], f func(uint32) uint32) runsOf[K] {
	out := make(runsOf[K], 0, len(runs)+1)
	for i, r := range runs {
		Rest(i, ManySteps)
		out.add(r.start, f(r.label))
	}
	return out
}

// cross cuts the runs of both where either has a border.
func cross[K key[K]](a, b runsOf[K], f func(x, y uint32) uint32) runsOf[K] {
	out := make(runsOf[K], 0, len(a)+len(b))
	for i := 0; ; i++ {
		Rest(i, ManySteps)
		at := a[0].start
		if at.less(b[0].start) {
			at = b[0].start
		}
		out.add(at, f(a[0].label, b[0].label))
		switch {
		case len(a) == 1 && len(b) == 1:
			return out
		case len(b) == 1 || len(a) > 1 && a[1].start.less(b[1].start):
			a = a[1:]
		case len(a) == 1 || b[1].start.less(a[1].start):
			b = b[1:]
		default:
			a, b = a[1:], b[1:]
		}
	}
}
