package path

import (
	"testing"
	"time"
)

// TestBothAddressesDieTogether: a machine's other address is no second way
// where there is a relay. The way to the machine is cut, under load, whatever
// the address.
func TestBothAddressesDieTogether(t *testing.T) {
	var left []time.Duration
	for seed := range uint64(cuts()) {
		w := newWorld(t, 3, 2, seed, triangle)
		w.load(0, 1, 2*time.Millisecond)
		w.run(8*time.Second + time.Duration(w.random.Int64N(int64(3*time.Second))))
		for n := range 2 {
			if r := w.nodes[n].mates[1-n].route; r.Primary.Relayed() || !r.Backup.Relayed() {
				t.Fatalf("seed %d: n%d goes %v", seed, n, r)
			}
		}
		cut := w.now
		w.lost = between
		w.run(time.Second)
		left = append(left, w.leaves(0, 1, cut), w.leaves(1, 0, cut))
		for n := range 2 {
			if r := w.nodes[n].mates[1-n].route; !r.Primary.Relayed() {
				t.Errorf("seed %d: n%d still goes %v", seed, n, r)
			}
		}
	}
	median, most := times(left)
	t.Logf("left after %v, %v at most", median, most)
	if most > 300*time.Millisecond {
		t.Errorf("a dead path was used for %v", most)
	}
}
