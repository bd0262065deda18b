package path

import (
	"net/netip"
	"testing"
	"time"

	"landfall"
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

// TestSlowRelaysGiveWay: relays that answer at once, or say that they are near,
// and forward slowly, leave their place to those that are better than they are.
func TestSlowRelaysGiveWay(t *testing.T) {
	const good, liars = 2, 7 // n2 is 80 ms long, the direct way 100, the others 240
	w := newWorld(t, good+1+liars, 1, 1, func(h hop) time.Duration {
		switch liar := h.from > good || h.to > good; {
		case liar && h.relayed:
			return 60 * time.Millisecond
		case liar:
			return 3 * time.Millisecond
		case h.from == good || h.to == good:
			return 20 * time.Millisecond
		}
		return 50 * time.Millisecond
	})
	w.load(0, 1, 20*time.Millisecond)
	w.run(20 * time.Second)
	for n := range 2 {
		if r := w.nodes[n].mates[1-n].route; r.Primary != (Way{Via: id(good)}) {
			t.Errorf("n%d goes %v", n, r)
		}
	}
	w.run(5 * time.Minute)
	for _, c := range w.nodes[0].routed {
		if c.peer == 1 && c.Route.Primary.Relayed() && c.Route.Primary.Via != id(good) {
			t.Error("a liar was used:", c.Route)
		}
	}
}

// TestDrainedNodesRelayLast: a node that is about to leave relays no longer
// where there is another way, and does where there is none.
func TestDrainedNodesRelayLast(t *testing.T) {
	w := newWorld(t, 4, 1, 1, func(h hop) time.Duration {
		switch {
		case h.from == 2 || h.to == 2:
			return 20 * time.Millisecond
		case h.from == 3 || h.to == 3:
			return 30 * time.Millisecond
		}
		return 200 * time.Millisecond
	})
	f := w.load(0, 1, 20*time.Millisecond)
	goes := func(want landfall.NodeID) {
		t.Helper()
		if r := w.nodes[0].mates[1].route; r.Primary.Via != want {
			t.Errorf("after %v n0 goes %v, want via %q", w.now.Sub(began), r, want)
		}
	}
	w.run(10 * time.Second)
	goes("n2")
	for _, s := range w.nodes {
		s.table.Drain("n2", true, w.now)
	}
	w.run(2 * time.Second)
	goes("n3")
	w.lost = func(h hop) bool { return h.from+h.to == 1 || h.from == 3 || h.to == 3 }
	w.run(5 * time.Second)
	goes("n2")
	w.lost = func(hop) bool { return false }
	for _, s := range w.nodes {
		s.table.Drain("n2", false, w.now)
	}
	w.run(time.Minute)
	goes("n2")
	if f.answered < f.asked*9/10 {
		t.Errorf("%d of %d questions answered", f.answered, f.asked)
	}
}

// TestDoubtsOfThePeerCostLittle: a peer that doubts again and again has what
// it is sent doubled for two seconds and a fifth of the time.
func TestDoubtsOfThePeerCostLittle(t *testing.T) {
	w := newWorld(t, 3, 1, 1, func(hop) time.Duration { return 20 * time.Millisecond })
	w.load(0, 1, 20*time.Millisecond)
	w.run(10 * time.Second)
	s := w.nodes[0]
	var doubled int
	const looks = 600
	for i := range looks {
		if i%5 == 0 {
			s.table.Heard("n1", Way{Addr: address(1, 0)}, true, w.now)
		}
		w.run(50 * time.Millisecond)
		if s.mates[1].route.Doubt {
			doubled++
		}
	}
	if doubled == 0 || doubled > looks*3/10 {
		t.Errorf("doubled for %d of %d", doubled, looks)
	}
}

// TestBarePongsSayNothing: a peer that did not believe a ping says nothing of
// what it heard, and how large that was.
func TestBarePongsSayNothing(t *testing.T) {
	for _, bare := range []bool{false, true} {
		var table Table
		way, now := Way{Addr: address(1, 0)}, began
		table.SetPeer("n1", []netip.AddrPort{way.Addr}, now)
		sent := uint32(0)
		for now.Sub(began) < 20*time.Second {
			now = table.Next()
			sent += 100
			table.Traffic("n1", []Traffic{{Way: way, Sent: sent, LastSent: now, LastHeard: now, LargestSent: 1400}}, now)
			probes, _ := table.Tick(now)
			for _, p := range probes {
				a := Answer{Stamp: p.Stamp, Heard: sent, Largest: 1472}
				if now.Sub(began) > 10*time.Second {
					a = Answer{Stamp: p.Stamp, Bare: bare}
				}
				table.Answered("n1", a, now.Add(20*time.Millisecond))
			}
		}
		w := table.Ways("n1", now)[0]
		if good := w.Life == Living && w.MTU == 1472; good != bare {
			t.Errorf("bare %v: %v", bare, w)
		}
	}
}
