package trial

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"landfall"
	"landfall/mesh/wan"
)

// The three nodes: requests come in at edge and are answered by origin; the
// way round leads through third.
const (
	edge   landfall.NodeID = "edge"
	origin landfall.NodeID = "origin"
	third  landfall.NodeID = "third"
)

// triangle is a direct way of 150 ms and one round of 170 ms, there and back.
func (w *world) triangle(change func(wan.Link) wan.Link) {
	w.lay(edge, origin, change(wan.Link{Delay: 75 * ms}))
	w.lay(edge, third, change(wan.Link{Delay: 40 * ms}))
	w.lay(third, origin, change(wan.Link{Delay: 45 * ms}))
}

// TestDeath cuts the way in use under traffic, at random moments.
func TestDeath(t *testing.T) {
	var result Death
	for _, dead := range [][]leg{
		{{edge, origin}, {origin, edge}},
		{{edge, origin}},
		{{origin, edge}},
	} {
		result.Cases = append(result.Cases, deaths(t, rounds(t, 1, 4, 100), dead))
	}
	print(t, "death", result)
	for _, c := range result.Cases {
		if c.Unswitched > 0 || c.Switched.Max > 500*ms {
			t.Errorf("%s: left after %v at most; %d times not at all", c.Name, c.Switched.Max, c.Unswitched)
		}
		for _, k := range c.Kinds {
			// A peer that hears us has to tell us that we are not heard; until then
			// more pages are under way than are remembered.
			if k.Lost > 0 && (k.Kind != "requests" || c.Name == "both directions") {
				t.Errorf("%s: %d of %d lost: %s", c.Name, k.Lost, k.Sent, k.Kind)
			}
		}
	}
}

func deaths(t *testing.T, cuts int, dead []leg) Deaths {
	result := Deaths{Name: "both directions", Cuts: cuts}
	if len(dead) == 1 {
		result.Name = fmt.Sprintf("from %s to %s", dead[0].from, dead[0].to)
	}
	var doubt, switched []time.Duration
	all := map[string]*account{}
	for i := range cuts {
		inWorld(t, uint64(i)+1, []landfall.NodeID{edge, origin, third}, func(w *world) {
			r := rand.New(rand.NewPCG(w.seed, 4))
			w.triangle(func(l wan.Link) wan.Link { return l })
			load := newLoad(w)
			w.start()
			time.Sleep(3 * time.Second)
			load.start()
			time.Sleep(3*time.Second + time.Duration(r.Int64N(int64(2*time.Second))))
			cut := time.Now()
			for _, l := range dead {
				w.one(l.from, l.to, wan.Link{Down: true})
			}
			doubted, left := w.leave(dead)
			if left == 0 {
				result.Unswitched++
			} else {
				switched = append(switched, left)
			}
			doubt = append(doubt, doubted)
			time.Sleep(time.Until(cut.Add(2 * time.Second)))
			load.stop()
			load.tell(all, cut, cut.Add(2*time.Second))
		})
	}
	result.Doubt, result.Switched = spread(doubt), spread(switched)
	for _, k := range kinds() {
		result.Kinds = append(result.Kinds, all[k.name].lost(k.name))
	}
	return result
}

// leave waits until nobody sends on what is dead, and tells when somebody who
// did first doubted it, and when all had left.
func (w *world) leave(dead []leg) (doubted, left time.Duration) {
	start := time.Now()
	left = until(time.Second, ms, func() bool {
		gone := true
		for _, l := range dead {
			p := w.to(l.from, l.to)
			if doubted == 0 && p.Doubt != "" {
				doubted = time.Since(start)
			}
			gone = gone && p.Way.Via == third
		}
		return gone
	})
	return doubted, left
}

// TestCalm has nothing happen: weather that no way should be doubted for.
func TestCalm(t *testing.T) {
	result := Calm{Lasted: time.Duration(rounds(t, 2, 20, 600)) * time.Second}
	inWorld(t, 1, []landfall.NodeID{edge, origin, third}, func(w *world) {
		w.triangle(func(l wan.Link) wan.Link {
			l.Jitter, l.Reorder, l.Loss = l.Delay/20, true, 0.001
			return l
		})
		load := newLoad(w)
		w.start()
		time.Sleep(3 * time.Second)
		load.start()
		time.Sleep(3 * time.Second)
		start := time.Now()
		doubled := w.nodes[edge].DeviceStats().Doubled + w.nodes[origin].DeviceStats().Doubled
		before := w.to(edge, origin).Switches + w.to(origin, edge).Switches
		was := [2]bool{}
		for time.Since(start) < result.Lasted {
			time.Sleep(5 * ms)
			for i, p := range []string{w.to(edge, origin).Doubt, w.to(origin, edge).Doubt} {
				if is := p != ""; is != was[i] {
					was[i] = is
					if is {
						result.Doubts++
					}
				}
			}
		}
		result.Switches = int(w.to(edge, origin).Switches + w.to(origin, edge).Switches - before)
		result.Doubled = w.nodes[edge].DeviceStats().Doubled + w.nodes[origin].DeviceStats().Doubled - doubled
		end := time.Now()
		load.stop()
		all := map[string]*account{}
		load.tell(all, start, end)
		for _, a := range all {
			result.Sent += a.sent
			result.Lost += a.missing
		}
	})
	print(t, "calm", result)
	if result.Switches > 0 {
		t.Errorf("%d switches", result.Switches)
	}
}
