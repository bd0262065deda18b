package probe

import "time"

// windowSize is how many stamps a Window remembers. A peer that doubts a way
// sends some 70 pings a second over all its ways, and a search for path MTUs a
// handful at once: this is more than a second of them, which is more than one
// way is slower than another.
const windowSize = 128

// staleAfter is how much older a ping may be than the newest that was heard: it
// is as long as an answer may take. One that is older was held back.
const staleAfter = 5 * time.Second

// Window tells which pings of one peer to believe: those that show the pass
// it was made with, each once. It remembers the highest stamps: pings may
// overtake each other on different paths, but what is older than all it
// remembers is not fresh, nor what is much older than the newest. A peer that
// restarts with its clock set back is thus believed again with the next pass:
// make a new Window when it was away, or has another Life.
//
// It is not safe for concurrent use.
type Window struct {
	pass  uint64
	heard [windowSize]int64
}

// NewWindow makes a window that has heard nothing. The pass is a random
// number that was never used, but for its upper half: see Life.
func NewWindow(pass uint64) Window { return Window{pass: pass} }

// Life is the upper half of a pass: the same in all passes that a node hands
// out until it restarts, and random. So a restart is told from a new Window.
func Life(pass uint64) uint32 { return uint32(pass >> 32) }

// Pass is what our pongs hand out.
func (w *Window) Pass() uint64 { return w.pass }

// Fresh reports whether to believe a ping, and remembers it.
func (w *Window) Fresh(ping Message) bool {
	if ping.Pass != w.pass {
		return false
	}
	oldest, newest := 0, w.heard[0]
	for i, s := range w.heard {
		newest = max(newest, s)
		if s == ping.Stamp {
			return false
		}
		if s < w.heard[oldest] {
			oldest = i
		}
	}
	if ping.Stamp < w.heard[oldest] || ping.Stamp < newest-int64(staleAfter) {
		return false
	}
	w.heard[oldest] = ping.Stamp
	return true
}
