package measure

import (
	"iter"
	"net/netip"
	"slices"
	"time"

	"landfall"
)

// View is what was learnt, frozen for one epoch. It never changes. A nil View
// is empty.
type View struct {
	epoch    uint64
	verdicts []Verdict // by prefix
}

// Verdict is what was learnt about the clients of one prefix.
type Verdict struct {
	Prefix netip.Prefix // an IPv4 /24 or an IPv6 /48

	// Order are the edges that measurement puts first, best first; the others
	// follow in geography's order. An edge that is not in it stands as high as
	// the best at its place. Empty: geography decides.
	Order []landfall.NodeID
	// Estimates are what the edges measured, by id, however old.
	Estimates []Estimate
	// Explore is the edge that leads the answers in this epoch, if it is up and
	// has room, so that it can measure; empty: none does.
	Explore landfall.NodeID
	// Weight is the traffic of the prefix, in the unit of World.Weight.
	Weight float64
}

// Estimate is how far the clients of a prefix are from one edge.
type Estimate struct {
	Edge  landfall.NodeID
	RTT   time.Duration
	Count float64       // connections behind it, older ones counting less
	Age   time.Duration // since the last sample, at the time of the View

	Enough bool // recent, and of samples enough: the order of the prefix goes by it
	// Fresh estimates may be gone by in place of geography for more than that
	// order: for those who ask through one resolver, or are sent on by an edge
	// that is full. They are Enough, and of the edge that leads the prefix by
	// leave of the cap, or have another edge no nearer than geography does. A
	// claim that waits, is withheld or was not looked at is not Fresh.
	Fresh bool
}

// Of is the View of some verdicts, for tests and comparisons: the last of
// equal prefixes stays. It keeps their slices.
func Of(epoch uint64, verdicts ...Verdict) *View {
	sorted := slices.Clone(verdicts)
	slices.SortStableFunc(sorted, func(a, b Verdict) int { return a.Prefix.Compare(b.Prefix) })
	v := &View{epoch: epoch}
	for i, s := range sorted {
		if i+1 == len(sorted) || sorted[i+1].Prefix != s.Prefix {
			v.verdicts = append(v.verdicts, s)
		}
	}
	return v
}

// Epoch is the number of the View's epoch: whole epochs since 1970.
func (v *View) Epoch() uint64 {
	if v == nil {
		return 0
	}
	return v.epoch
}

// Len is the number of prefixes with a Verdict.
func (v *View) Len() int {
	if v == nil {
		return 0
	}
	return len(v.verdicts)
}

// All ranges over the verdicts, IPv4 first, in the order of their prefixes.
func (v *View) All() iter.Seq[Verdict] {
	return func(yield func(Verdict) bool) {
		if v == nil {
			return
		}
		for _, verdict := range v.verdicts {
			if !yield(verdict) {
				return
			}
		}
	}
}

// Find is the Verdict about the clients that are measured together with a.
func (v *View) Find(a netip.Addr) (Verdict, bool) {
	if v == nil {
		return Verdict{}, false
	}
	i, ok := slices.BinarySearchFunc(v.verdicts, landfall.ClientPrefix(a), func(v Verdict, p netip.Prefix) int { return v.Prefix.Compare(p) })
	if !ok {
		return Verdict{}, false
	}
	return v.verdicts[i], true
}
