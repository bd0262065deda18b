package path

import (
	"slices"
	"testing"
	"time"
)

// triangle is three nodes: 0 and 1 are 75 ms apart, and 2 lies 80 ms from both
// on the way round.
func triangle(h hop) time.Duration {
	if h.relayed {
		return 40 * time.Millisecond
	}
	if h.from+h.to == 1 {
		return 75 * time.Millisecond
	}
	return 40 * time.Millisecond
}

// times sums up durations.
func times(d []time.Duration) (median, most time.Duration) {
	slices.Sort(d)
	return d[len(d)/2], d[len(d)-1]
}

// between reports whether a leg is of the direct path between 0 and 1.
func between(h hop) bool { return !h.relayed && h.from+h.to == 1 }

// loaded is a triangle whose nodes 0 and 1 have talked for a while, five
// hundred times a second.
func loaded(t *testing.T, seed uint64) (*world, *flow) {
	w := newWorld(t, 3, 1, seed, triangle)
	f := w.load(0, 1, 2*time.Millisecond)
	w.run(8*time.Second + time.Duration(w.random.Int64N(int64(3*time.Second))))
	for n := range 2 {
		if r := w.nodes[n].mates[1-n].route; r.Primary.Relayed() {
			t.Fatalf("seed %d: n%d does not use the direct path: %v", seed, n, r)
		}
	}
	return w, f
}

// leaves is how long after a moment node n sent to another by another way.
func (w *world) leaves(n, peer int, since time.Time) time.Duration {
	s := w.nodes[n]
	i := slices.IndexFunc(s.routed, func(c change) bool { return c.at.After(since) && c.peer == peer })
	if i < 0 || s.routed[i].Route.Primary == s.routed[max(i-1, 0)].Route.Primary && i > 0 && s.routed[i-1].peer == peer {
		w.t.Fatalf("n%d still sends by %v", n, s.mates[peer].route)
	}
	return s.routed[i].at.Sub(since)
}

// TestDeadPathIsLeft is the figure for death: under load, at random times, the
// direct path is cut; both ends must have left it within 300 ms.
func TestDeadPathIsLeft(t *testing.T) {
	var left []time.Duration
	for seed := range uint64(cuts()) {
		w, _ := loaded(t, seed)
		cut := w.now
		w.lost = between
		w.run(time.Second)
		left = append(left, w.leaves(0, 1, cut), w.leaves(1, 0, cut))
	}
	median, most := times(left)
	t.Logf("left after %v, %v at most", median, most)
	if most > 300*time.Millisecond {
		t.Errorf("a dead path was used for %v", most)
	}
}

// cuts is how many times paths are cut in a test.
func cuts() int { return sized(3, 8, 100) }

// TestPathDeadOneWayIsLeft cuts one direction only. Who sends into the hole
// learns it from the other's doubt, half a round trip later.
func TestPathDeadOneWayIsLeft(t *testing.T) {
	var left []time.Duration
	for seed := range uint64(cuts()) {
		w, _ := loaded(t, seed)
		cut := w.now
		w.lost = func(h hop) bool { return between(h) && h.from == int(seed%2) }
		w.run(2 * time.Second)
		left = append(left, w.leaves(0, 1, cut), w.leaves(1, 0, cut))
	}
	median, most := times(left)
	t.Logf("left after %v, %v at most", median, most)
	if most > 450*time.Millisecond {
		t.Errorf("a path dead one way was used for %v", most)
	}
}

// TestDoubtLosesNothing counts what sending both ways saves: of the questions
// asked once the path is in doubt at both ends, none goes without an answer.
func TestDoubtLosesNothing(t *testing.T) {
	for seed := range uint64(cuts()) {
		w, before := loaded(t, seed)
		before.on = false
		w.lost = between
		f := w.load(0, 1, 2*time.Millisecond)
		w.run(125 * time.Millisecond)
		f.on = false
		f = w.load(0, 1, 2*time.Millisecond)
		w.run(2 * time.Second)
		f.on = false
		w.run(time.Second)
		if f.answered < f.asked {
			t.Errorf("seed %d: %d of %d questions had no answer", seed, f.asked-f.answered, f.asked)
		}
		if most := 161 * time.Millisecond; f.slowest > most {
			t.Errorf("seed %d: an answer took %v", seed, f.slowest)
		}
	}
}

// TestMuteWaysAreFoundOut has ways that answer probes but carry no data: a
// relay that is faster, and the direct path itself.
func TestMuteWaysAreFoundOut(t *testing.T) {
	fast := func(h hop) time.Duration {
		if h.relayed {
			return 20 * time.Millisecond
		}
		return triangle(h)
	}
	for name, c := range map[string]struct {
		delay func(hop) time.Duration
		lost  func(hop) bool
		mute  func(Way) bool
	}{
		"relay":  {fast, func(h hop) bool { return h.data && h.relayed }, Way.Relayed},
		"direct": {triangle, func(h hop) bool { return h.data && between(h) }, func(w Way) bool { return !w.Relayed() }},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 3, 1, 1, c.delay)
			w.run(8 * time.Second)
			w.lost = c.lost
			f := w.load(0, 1, 5*time.Millisecond)
			w.run(3 * time.Second)
			t.Logf("%d of %d answered in the first 3 s", f.answered, f.asked)
			for n := range 2 {
				if r := w.nodes[n].mates[1-n].route; c.mute(r.Primary) {
					t.Errorf("n%d still sends by %v", n, r)
				}
				found := false
				for _, way := range w.nodes[n].table.Ways(id(1-n), w.now) {
					found = found || c.mute(way.Way) && way.Life == Mute
					t.Log(way)
				}
				if !found {
					t.Errorf("n%d does not say that the way is mute", n)
				}
			}
			f.on = false
			f = w.load(0, 1, 5*time.Millisecond)
			w.run(50 * time.Second)
			f.on = false
			w.run(time.Second)
			if f.answered < f.asked {
				t.Errorf("%d of %d questions had no answer afterwards", f.asked-f.answered, f.asked)
			}
		})
	}
}

// TestPeersDieAndComeBack cuts the only way to a peer.
func TestPeersDieAndComeBack(t *testing.T) {
	for name, c := range map[string]struct {
		active   bool
		blip     time.Duration // that kills nobody
		dead     time.Duration // after the cut, at most
		returned time.Duration // after the end of the cut, at most
	}{
		"active": {true, 700 * time.Millisecond, 2500 * time.Millisecond, 6 * time.Second},
		"idle":   {false, 700 * time.Millisecond, 26 * time.Second, 23 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 2, 1, 1, triangle)
			if c.active {
				w.load(0, 1, 20*time.Millisecond)
			}
			w.run(30 * time.Second)
			alive := func() bool { s, _ := w.nodes[0].table.Status("n1", w.now); return s.Alive }
			w.lost = between
			w.run(c.blip)
			w.lost = func(hop) bool { return false }
			w.run(30 * time.Second)
			if w.nodes[0].dead > 0 || !alive() {
				t.Fatalf("dead after a blip of %v", c.blip)
			}
			w.lost = between
			w.run(c.dead)
			if alive() {
				t.Errorf("thought alive %v after the cut", c.dead)
			}
			w.run(time.Minute)
			w.lost = func(hop) bool { return false }
			w.run(c.returned)
			if !alive() {
				t.Errorf("thought dead %v after the cut", c.returned)
			}
		})
	}
}
