package path

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// shaken adds jitter to delays: a share, up or down.
func shaken(delay func(hop) time.Duration, share float64, seed uint64) func(hop) time.Duration {
	r := rand.New(rand.NewPCG(seed, 2))
	return func(h hop) time.Duration {
		return time.Duration(float64(delay(h)) * (1 + share*(2*r.Float64()-1)))
	}
}

// mostWithin is the most changes of a pair's primary in any such span.
func (w *world) mostWithin(span time.Duration, since time.Time) (most, all int) {
	for _, s := range w.nodes {
		for peer := range w.nodes {
			var at []time.Time
			for _, c := range s.routed {
				if c.peer == peer && c.at.After(since) {
					at = append(at, c.at)
				}
			}
			all += len(at)
			for i := range at {
				n := 0
				for ; i+n < len(at) && at[i+n].Sub(at[i]) < span; n++ {
				}
				most = max(most, n)
			}
		}
	}
	return most, all
}

// TestJitterDoesNotMoveTheChoice is the figure for calm: at 20 % jitter no
// pair changes its way more than once in 30 s, whatever ways it has.
func TestJitterDoesNotMoveTheChoice(t *testing.T) {
	rounds, nodes := sized(1, 2, 20), 5
	for seed := range uint64(rounds) {
		w := newWorld(t, nodes, 2, seed, shaken(plane(seed, nodes), 0.2, seed))
		for i := range nodes {
			w.load(i, (i+1)%nodes, 100*time.Millisecond)
		}
		w.run(freeFor + time.Second)
		since := w.now
		w.run(10 * time.Minute)
		most, all := w.mostWithin(holdDown, since)
		t.Logf("seed %d: %d switches of %d pairs in 10 minutes, %d at most in 30 s", seed, all, nodes*(nodes-1), most)
		if most > 1 {
			t.Errorf("seed %d: %d switches within 30 s", seed, most)
		}
	}
}

// TestFlappingLinkIsLeftAlone has a link that is the best while it works, and
// works for four seconds of every eight.
func TestFlappingLinkIsLeftAlone(t *testing.T) {
	w := newWorld(t, 3, 1, 1, func(h hop) time.Duration {
		if between(h) {
			return 50 * time.Millisecond
		}
		return triangle(h)
	})
	w.load(0, 1, 10*time.Millisecond)
	w.run(8 * time.Second)
	since := w.now
	w.lost = func(h hop) bool { return between(h) && w.now.Sub(since)%(8*time.Second) < 4*time.Second }
	w.run(10 * time.Minute)
	_, all := w.mostWithin(time.Minute, since)
	t.Logf("%d switches while the link went down 75 times", all)
	if all > 16 {
		t.Errorf("%d switches: the choice flaps with the link", all)
	}
}

// TestBetterWayIsTaken changes what a path costs under way: far better ways
// are taken within two seconds of being probed, slightly better ones later.
func TestBetterWayIsTaken(t *testing.T) {
	for _, c := range []struct {
		direct time.Duration // one way, from then on; the relay has 80 ms
		within time.Duration
		relay  bool
	}{
		{130 * time.Millisecond, 4 * time.Second, true},
		{86 * time.Millisecond, 45 * time.Second, true},
		{81 * time.Millisecond, time.Minute, false},
	} {
		t.Run(fmt.Sprint(c.direct), func(t *testing.T) {
			direct := 75 * time.Millisecond
			w := newWorld(t, 3, 1, 1, func(h hop) time.Duration {
				if between(h) {
					return direct
				}
				return triangle(h)
			})
			w.load(0, 1, 50*time.Millisecond)
			w.run(40 * time.Second)
			direct = c.direct
			w.run(c.within)
			if r := w.nodes[0].mates[1].route; r.Primary.Relayed() != c.relay {
				t.Errorf("after %v: %v", c.within, r)
			}
		})
	}
}

// TestMovingPeerIsFollowed has a peer that speaks from another address from
// one moment on, and is no longer found where it was.
func TestMovingPeerIsFollowed(t *testing.T) {
	w := newWorld(t, 2, 1, 1, triangle)
	f := w.load(0, 1, 5*time.Millisecond)
	w.run(8 * time.Second)
	f.on = false
	moved := w.now
	w.nodes[1].from = 7
	w.lost = func(h hop) bool { return h.to == 1 && h.addr != 7 }
	w.load(0, 1, 5*time.Millisecond)
	w.run(time.Second)
	way := Way{Addr: address(1, 7)}
	s := w.nodes[0]
	i := slices.IndexFunc(s.routed, func(c change) bool { return c.Route.Primary == way })
	if i < 0 {
		t.Fatalf("%v after a second; knows %v", s.mates[1].route, s.table.Ways("n1", w.now))
	}
	t.Logf("followed %v after the move", s.routed[i].at.Sub(moved))
	if d := s.routed[i].at.Sub(moved); d > 500*time.Millisecond {
		t.Errorf("followed after %v", d)
	}
}

// TestDeadRelayIsLeft kills the node in between.
func TestDeadRelayIsLeft(t *testing.T) {
	w := newWorld(t, 3, 1, 1, func(h hop) time.Duration {
		if h.relayed {
			return 30 * time.Millisecond
		}
		return triangle(h)
	})
	f := w.load(0, 1, 2*time.Millisecond)
	w.run(8 * time.Second)
	if r := w.nodes[0].mates[1].route; !r.Primary.Relayed() || r.Backup.Relayed() || !r.Backup.IsValid() {
		t.Fatal(r)
	}
	cut := w.now
	w.lost = func(h hop) bool { return h.from == 2 || h.to == 2 }
	w.run(2 * time.Second)
	f.on = false
	d := max(w.leaves(0, 1, cut), w.leaves(1, 0, cut))
	t.Logf("left after %v", d)
	if d > 300*time.Millisecond {
		t.Errorf("a dead relay was used for %v", d)
	}
	if s, _ := w.nodes[0].table.Status("n2", w.now); s.Alive && w.now.Sub(cut) > 25*time.Second {
		t.Error("the node is thought alive")
	}
}

// TestUnreachablePeersAreReachedThroughOthers has no direct path at all
// between two nodes, ever.
func TestUnreachablePeersAreReachedThroughOthers(t *testing.T) {
	w := newWorld(t, 4, 1, 1, triangle)
	w.lost = between
	w.run(4 * time.Second)
	for n := range 2 {
		s := w.nodes[n].mates[1-n]
		if !s.route.Primary.Relayed() || !s.route.Backup.Relayed() {
			t.Errorf("n%d: %v", n, s.route)
		}
	}
}

// TestLossIsNotDeath loses 2 % of all datagrams on every leg, in bursts of up
// to 30 ms: nobody is thought dead for it, and no way changes often.
func TestLossIsNotDeath(t *testing.T) {
	w := newWorld(t, 3, 1, 1, shaken(triangle, 0.05, 1))
	w.lost = bursts(w, 30*time.Millisecond, 0.02)
	w.load(0, 1, 5*time.Millisecond)
	w.run(freeFor + time.Second)
	since := w.now
	w.run(10 * time.Minute)
	most, all := w.mostWithin(holdDown, since)
	deaths := 0
	for _, s := range w.nodes {
		deaths += s.dead
	}
	t.Logf("%d switches in 10 minutes, %d at most in 30 s; %d peers thought dead", all, most, deaths)
	if deaths > 0 || all > 30 {
		t.Errorf("%d switches, %d peers thought dead", all, deaths)
	}
}

// bursts loses everything on a leg for a while, so often that a share is lost
// on the whole.
func bursts(w *world, length time.Duration, share float64) func(hop) bool {
	type leg struct{ from, to int }
	until := map[leg]time.Time{}
	seen := map[leg]time.Time{}
	return func(h hop) bool {
		l := leg{h.from, h.to}
		if now := w.now; now.After(until[l]) {
			for ; seen[l].Before(now); seen[l] = seen[l].Add(length) {
				if seen[l].IsZero() {
					seen[l] = now
				}
				if w.random.Float64() < share {
					until[l] = seen[l].Add(length)
				}
			}
		}
		return w.now.Before(until[l])
	}
}

// TestCleanerWayIsTaken has a direct path that is faster and loses data.
func TestCleanerWayIsTaken(t *testing.T) {
	for _, c := range []struct {
		loss   float64
		within time.Duration
		relay  bool
	}{
		{0, time.Minute, false},
		{0.01, time.Minute, false}, // 154 ms beside 160 ms
		{0.06, 45 * time.Second, true},
		{0.3, 10 * time.Second, true},
	} {
		t.Run(fmt.Sprint(c.loss), func(t *testing.T) {
			w := newWorld(t, 3, 1, 1, triangle)
			loss := 0.0
			w.lost = func(h hop) bool { return between(h) && w.random.Float64() < loss }
			w.load(0, 1, 10*time.Millisecond)
			w.run(40 * time.Second)
			loss = c.loss
			w.run(c.within)
			if r := w.nodes[0].mates[1].route; r.Primary.Relayed() != c.relay {
				t.Errorf("after %v: %v; %v", c.within, r, w.nodes[0].table.Ways("n1", w.now))
			}
		})
	}
}
