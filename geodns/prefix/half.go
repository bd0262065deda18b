package prefix

import (
	"math/bits"
	"net/netip"
	"slices"
	"unsafe"
)

// half is the runs of one family, and where to look for them.
//
//	root   first bits of an address -> its bucket: a run, and its cells if there are more
//	cells  the next bits            -> the runs in which it can be: one, mostly
//
// A bucket has about twice as many cells as runs, so that a look-up is three
// reads and hardly a search, where prefixes are few and where they crowd.
// Nothing in it is a pointer for the collector to follow.
type half[K key[K]] struct {
	runs  runsOf[K] // and one more, at zero, for the end of the last
	shift uint      // bits of an address that do not choose a bucket
	root  []bucket  // and one more, for the end of the last
	cells []uint16  // last run that begins no later than the cell, as of the bucket's; one more for its end
}

// bucket is what is known of addresses by their first bits.
type bucket struct {
	run   uint32 // the last that begins no later
	cells uint32 // where they begin, and in the last 5 bits how many bits choose one; 0: there is one run
}

const (
	maxRoot  = 16 // bits that choose a bucket, at most: 512 KiB
	whole    = 31 // for bits that choose a cell: there are none, search all
	maxCells = 1 << 27
)

func newHalf[K key[K]](runs runsOf[K]) half[K] {
	n := min(bits.Len(uint(len(runs))), maxRoot)
	h := half[K]{shift: uint(64 - n)}
	h.root = make([]bucket, 1<<n, 1<<n+1)
	h.cells = make([]uint16, 0, 3*len(runs))
	i := uint32(0)
	for b := range h.root {
		Rest(b, ManySteps)
		i = h.fill(runs, uint64(b), i)
	}
	h.root = append(h.root, bucket{run: i})
	h.cells = slices.Clone(h.cells)
	h.runs = append(append(make(runsOf[K], 0, len(runs)+1), runs...), run[K]{})
	return h
}

// fill makes a bucket. Run i is the last that begins before it.
func (h *half[K]) fill(runs runsOf[K], b uint64, i uint32) uint32 {
	n, first := uint32(len(runs)), b<<h.shift
	for i+1 < n && runs[i+1].start.ceil() <= first {
		i++
	}
	last := i
	for last+1 < n && runs[last+1].start.floor() <= first|(1<<h.shift-1) {
		last++
	}
	h.root[b] = bucket{run: i}
	if last == i {
		return last
	}
	choose := min(uint(bits.Len32(last-i))+1, h.shift)
	if last-i > 0xffff || len(h.cells) > maxCells-1<<choose {
		h.root[b].cells = whole
		return last
	}
	h.root[b].cells = uint32(len(h.cells)<<5) | uint32(choose)
	for c := range uint64(1) << choose {
		for i < last && runs[i+1].start.ceil() <= first|c<<(h.shift-choose) {
			i++
		}
		h.cells = append(h.cells, uint16(i-h.root[b].run))
	}
	h.cells = append(h.cells, uint16(last-h.root[b].run))
	return last
}

// near tells between which runs an address is, by its first 64 bits.
func (h *half[K]) near(w uint64) (lo, hi uint32) {
	i := w >> (h.shift & 63)
	b := h.root[i]
	choose := b.cells & 31
	if choose == 0 {
		return b.run, b.run
	}
	if choose == whole {
		return b.run, h.root[i+1].run
	}
	c := h.cells[b.cells>>5+uint32(w&(1<<(h.shift&63)-1)>>((h.shift-uint(choose))&63)):]
	return b.run + uint32(c[0]), b.run + uint32(c[1])
}

// few is how many runs are looked through one by one.
const few = 4

func lookup4(h *half[four], k four) (label uint32, bits int) {
	lo, hi := h.near(uint64(k) << 32)
	for hi-lo > few {
		if mid := lo + (hi-lo)/2; h.runs[mid].start <= k {
			lo = mid
		} else {
			hi = mid
		}
	}
	for lo < hi && h.runs[lo+1].start <= k {
		lo++
	}
	return h.runs[lo].label, k.width(h.runs[lo].start, h.runs[lo+1].start)
}

func lookup6(h *half[six], k six) (label uint32, bits int) {
	lo, hi := h.near(k.hi)
	for hi-lo > few {
		if mid := lo + (hi-lo)/2; k.less(h.runs[mid].start) {
			hi = mid
		} else {
			lo = mid
		}
	}
	for lo < hi && !k.less(h.runs[lo+1].start) {
		lo++
	}
	return h.runs[lo].label, k.width(h.runs[lo].start, h.runs[lo+1].start)
}

// plain are the runs without the one for the end.
func (h *half[K]) plain() runsOf[K] {
	if len(h.runs) == 0 {
		return make(runsOf[K], 1)
	}
	return h.runs[: len(h.runs)-1 : len(h.runs)-1]
}

// leaves cuts runs into the fewest prefixes, and leaves out those that skip
// says.
func (h *half[K]) leaves(skip func(K) bool, yield func(netip.Prefix, uint32) bool) bool {
	runs := h.runs
	if len(runs) == 0 {
		runs = make(runsOf[K], 2)
	}
	for i, r := range runs[:len(runs)-1] {
		Rest(i, FewSteps)
		if skip(r.start) {
			continue
		}
		for k, end := r.start, runs[i+1].start; ; {
			bits := k.width(r.start, end)
			if !yield(k.prefix(bits), r.label) {
				return false
			}
			if k = k.after(bits); k == end {
				break
			}
		}
	}
	return true
}

func (h *half[K]) bytes() int {
	return cap(h.runs)*int(unsafe.Sizeof(run[K]{})) + 8*cap(h.root) + 2*cap(h.cells)
}
