package prefix

import (
	"math/bits"
	"net/netip"
	"slices"
	"unsafe"
)

// half is the runs of one family, and where to look for them.
//
//	root   first bits of an address -> its cells
//	cells  the next bits            -> the runs in which it can be: one, mostly
//
// Each bucket of root has about twice as many cells as runs, so that a look-up
// is three reads and hardly a search, where prefixes are few and where they
// crowd. Nothing in it is a pointer for the collector to follow.
type half[K key[K]] struct {
	runs  runsOf[K] // and one more, at zero, for the end of the last
	shift uint      // bits of an address that are not in root's index
	root  []uint64  // first of its cells; from bit 32: what is beyond the bits for cells
	cells []uint32  // last run that begins no later than the cell; one more for the bucket's end
}

// maxRoot is how many bits at most choose from root: 512 KiB.
const maxRoot = 16

func newHalf[K key[K]](runs runsOf[K]) half[K] {
	n := bits.Len(uint(len(runs)))
	h := half[K]{shift: uint(64 - min(n, maxRoot))}
	h.root = make([]uint64, 1<<(64-h.shift))
	h.cells = make([]uint32, 0, 2*len(h.root)+2*len(runs))
	i := uint32(0)
	for b := range h.root {
		i = h.fill(runs, uint64(b), i)
	}
	h.cells = slices.Clone(h.cells)
	h.runs = append(append(make(runsOf[K], 0, len(runs)+1), runs...), run[K]{})
	return h
}

// fill makes the cells of a bucket. Run i is the last that begins before it.
func (h *half[K]) fill(runs runsOf[K], bucket uint64, i uint32) uint32 {
	first := bucket << h.shift
	n := uint32(len(runs))
	for i+1 < n && runs[i+1].start.ceil() <= first {
		i++
	}
	last := i
	for last+1 < n && runs[last+1].start.floor() <= first|(1<<h.shift-1) {
		last++
	}
	var cells uint // bits that choose one
	if last > i {
		cells = min(uint(bits.Len32(last-i))+1, h.shift)
	}
	h.root[bucket] = uint64(len(h.cells)) | uint64(h.shift-cells)<<32
	for c := range uint64(1) << cells {
		for i < last && runs[i+1].start.ceil() <= first|c<<(h.shift-cells) {
			i++
		}
		h.cells = append(h.cells, i)
	}
	h.cells = append(h.cells, last)
	return last
}

// near tells between which runs an address is, by its first 64 bits.
func (h *half[K]) near(w uint64) (lo, hi uint32) {
	r := h.root[w>>(h.shift&63)]
	c := uint32(r) + uint32(w&(1<<(h.shift&63)-1)>>(r>>32&63))
	return h.cells[c], h.cells[c+1]
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
	return cap(h.runs)*int(unsafe.Sizeof(run[K]{})) + 8*cap(h.root) + 4*cap(h.cells)
}
