package path

import (
	"testing"
	"time"
)

// doubts counts how often two nodes begin to doubt their route to each other,
// and how long they do, in all.
func (w *world) doubts(a, b int, d time.Duration) (n int, long time.Duration) {
	const step = 5 * time.Millisecond
	var was [2]bool
	for range d / step {
		w.run(step)
		for i, s := range []Status{w.status(a, b), w.status(b, a)} {
			if s.Doubt != "" {
				long += step
				if !was[i] {
					n++
				}
			}
			was[i] = s.Doubt != ""
		}
	}
	return n, long
}

func (w *world) status(from, to int) Status {
	s, _ := w.nodes[from].table.Status(id(to), w.now)
	return s
}

// TestOneMessageIsDoubtedOnce: whoever has the last word gets no answer to it,
// and a probe tells that the way works.
func TestOneMessageIsDoubtedOnce(t *testing.T) {
	for seed := range uint64(10) {
		w := newWorld(t, 3, 1, seed, triangle)
		w.run(5 * time.Minute)
		w.nodes[0].data(1, nil)
		n, long := w.doubts(0, 1, 20*time.Second)
		if n > 2 || long > 1500*time.Millisecond {
			t.Errorf("seed %d: doubted %d times, for %v", seed, n, long)
		}
	}
}

// TestTwoThatDoubtDoNotKeepEachOtherDoubting: both have a reason at once.
func TestTwoThatDoubtDoNotKeepEachOtherDoubting(t *testing.T) {
	for seed := range uint64(10) {
		w := newWorld(t, 3, 1, seed, triangle)
		w.run(5 * time.Minute)
		w.nodes[0].data(1, func() { w.nodes[1].data(0, nil) })
		w.nodes[1].data(0, func() { w.nodes[0].data(1, nil) })
		n, long := w.doubts(0, 1, 20*time.Second)
		if n > 2 || long > 1500*time.Millisecond {
			t.Errorf("seed %d: doubted %d times, for %v", seed, n, long)
		}
	}
}
