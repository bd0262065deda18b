package path

import (
	"testing"
	"time"
)

// TestRelayThatSwallowsDataIsFoundOutWhateverItsDelay: a relay forwards probes
// and no data, and is nearly as slow as the direct way, so that copies by the
// two race each other.
func TestRelayThatSwallowsDataIsFoundOutWhateverItsDelay(t *testing.T) {
	for _, jitter := range []time.Duration{time.Millisecond, 2 * time.Millisecond} {
		for _, leg := range []time.Duration{20 * time.Millisecond, 47500 * time.Microsecond, 48 * time.Millisecond, 48500 * time.Microsecond} {
			var w *world
			w = newWorld(t, 3, 1, 1, func(h hop) time.Duration {
				d := 60 * time.Millisecond
				switch {
				case h.relayed:
					d = leg * 6 / 10
				case h.from+h.to != 1:
					d = leg / 2
				}
				return d + time.Duration(w.random.Int64N(int64(jitter)))
			})
			w.run(8 * time.Second)
			w.lost = func(h hop) bool { return h.data && h.relayed }
			f := w.load(0, 1, 20*time.Millisecond)
			w.run(3 * time.Minute)
			if lost := f.asked - f.answered; lost > 200 {
				t.Errorf("legs of %v, jitter %v: %d of %d questions without an answer", leg, jitter, lost, f.asked)
			}
		}
	}
}
