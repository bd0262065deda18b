package probe

// Window refuses pings that were heard before. It remembers the highest
// stamps of one peer: pings may overtake each other on different paths, but
// what is older than all it remembers is refused unseen. As in WireGuard
// (section 5.1 of its paper) this asks one thing of a peer: that its clock
// does not run back across a restart.
//
// The zero Window has heard nothing. It is not safe for concurrent use.
type Window struct {
	heard [32]int64
}

// Fresh reports whether the stamp is new, and remembers it.
func (w *Window) Fresh(stamp int64) bool {
	oldest := 0
	for i, s := range w.heard {
		if s == stamp {
			return false
		}
		if s < w.heard[oldest] {
			oldest = i
		}
	}
	if stamp < w.heard[oldest] {
		return false
	}
	w.heard[oldest] = stamp
	return true
}
