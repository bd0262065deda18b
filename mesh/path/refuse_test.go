package path

import (
	"strings"
	"testing"
	"time"
)

// TestNoWayLeadsThroughWhoRefuses: a node that relays nothing is not tried,
// and status says why there is no way round.
func TestNoWayLeadsThroughWhoRefuses(t *testing.T) {
	w := newWorld(t, 3, 1, 1, triangle)
	w.load(0, 1, 50*time.Millisecond)
	w.run(10 * time.Second)
	if w.nodes[0].mates[1].route.Backup != (Way{Via: "n2"}) {
		t.Fatalf("no way round: %v", w.nodes[0].mates[1].route)
	}
	for n := range 2 {
		w.nodes[n].table.Refuse("n2", true)
	}
	w.run(2 * time.Minute)
	refused := 0
	for _, way := range w.nodes[0].table.Ways("n1", w.now) {
		if way.Way.Relayed() && way.Life == Refused && strings.Contains(way.Why, "relays nothing") {
			refused++
		} else if way.Way.Relayed() {
			t.Errorf("still there: %v", way)
		}
	}
	if refused != 1 {
		t.Error("nothing says that n2 refuses")
	}
	w.lost = between
	w.run(10 * time.Second)
	if s := w.status(0, 1); s.Alive {
		t.Errorf("alive, though the only way is cut: %+v", s)
	}
	for n := range 2 {
		w.nodes[n].table.Refuse("n2", false)
	}
	w.run(5 * time.Second)
	if s := w.status(0, 1); !s.Alive || !s.Route.Primary.Relayed() {
		t.Errorf("n2 relays again, and is not used: %+v", s)
	}
}

// TestLossesWhileNobodyWasThereAreForgotten: they are no fault of the way.
func TestLossesWhileNobodyWasThereAreForgotten(t *testing.T) {
	w := newWorld(t, 2, 1, 1, triangle)
	w.load(0, 1, 50*time.Millisecond)
	w.run(time.Minute)
	w.lost = func(hop) bool { return true }
	w.run(20 * time.Second)
	w.lost = func(hop) bool { return false }
	w.run(10 * time.Second)
	if s := w.status(0, 1); !s.Alive || s.Loss > 0 {
		t.Errorf("back, and loses %.0f %%: %+v", 100*s.Loss, s)
	}
}
