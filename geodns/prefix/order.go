package prefix

import (
	"iter"
	"net/netip"
)

// Ordered makes a Table of prefixes in order, as All yields them; it does as
// Build, and is faster, for nothing has to be sorted. Prefixes that begin
// before the end of those before them are not heard.
func Ordered(leaves iter.Seq2[netip.Prefix, uint32]) *Table {
	var v4 line[four]
	var v6 line[six]
	i := 0
	for p, label := range leaves {
		Rest(i, FewSteps)
		i++
		p = p.Masked()
		switch {
		case !p.IsValid():
		case p.Addr().Is4():
			v4.put(fourOf(p.Addr()), p.Bits(), label)
		default:
			v6.put(sixOf(p.Addr()), p.Bits(), label)
		}
	}
	return tableOf(v4.end(), v6.end())
}

// line is runs of prefixes that come in order.
type line[K key[K]] struct {
	runs runsOf[K]
	next K    // after the last prefix
	over bool // the last prefix goes to the end
}

func (l *line[K]) put(first K, bits int, label uint32) {
	if l.over || first.less(l.next) {
		return
	}
	l.runs.add(l.next, 0)
	l.runs.add(first, label)
	var none K
	l.next = first.after(bits)
	l.over = l.next == none
}

func (l *line[K]) end() runsOf[K] {
	if !l.over {
		l.runs.add(l.next, 0)
	}
	return l.runs
}
