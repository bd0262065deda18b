package trial

import (
	"math/rand/v2"
	"testing"
	"time"

	"landfall/mesh/wan"
)

// TestRoutes compares the ways that meshes choose with the best that there
// are, when nodes start and after cables have changed.
func TestRoutes(t *testing.T) {
	const nodes = 12
	result := Routes{Nodes: nodes}
	n := rounds(t, 1, 6, 200)
	for seed := range uint64(n) {
		var follow time.Duration
		switch {
		case n > 6:
			follow = 2 * time.Minute
		case seed == 0 && !testing.Short():
			follow = 5 * time.Second
		}
		result.Topologies = append(result.Topologies, findRoutes(t, seed+1, nodes, follow))
	}
	print(t, "routes", result)
}

func findRoutes(t *testing.T, seed uint64, nodes int, follow time.Duration) Topology {
	top := Topology{Seed: seed}
	inWorld(t, seed, names(nodes), func(w *world) {
		r := rand.New(rand.NewPCG(seed, 1))
		c := randomChart(r, w.ids)
		top.Detours = c.detours(w.ids)
		w.layAll(c, func(l wan.Link) wan.Link { return l })
		w.heard = w.reply
		w.start()
		top.Found = until(10*time.Second, 50*ms, func() bool { _, far := w.stretch(c); return far == 0 })
		time.Sleep(10*time.Second - top.Found)
		var far int
		if top.Stretch, far = w.stretch(c); far > 0 {
			t.Errorf("topology %d: %d ways are too long, one %.2f times as long as the best", seed, far, top.Stretch)
		}
		if follow > 0 {
			top.follow(w, r, c, follow)
		}
	})
	if top.Found == 0 || top.Found > 2*time.Second {
		t.Errorf("topology %d: found after %v (0: never)", seed, top.Found)
	}
	return top
}

// follow changes some links under traffic and watches for a while.
func (top *Topology) follow(w *world, r *rand.Rand, c chart, most time.Duration) {
	defer w.chatter(time.Second, question())()
	time.Sleep(15 * time.Second)
	top.Changed = w.reroute(r, c)
	start := time.Now()
	for at := range most / time.Second {
		time.Sleep(time.Until(start.Add((at + 1) * time.Second)))
		s, far := w.stretch(c)
		if at+1 == 1 || at+1 == 2 || at+1 == 5 || (at+1)%10 == 0 || far == 0 {
			top.Behind = append(top.Behind, Behind{time.Since(start), far, s})
		}
		if far == 0 {
			top.Followed = time.Since(start)
			return
		}
	}
}

// reroute gives a few links another delay, longer or shorter.
func (w *world) reroute(r *rand.Rand, c chart) (changed int) {
	for range 4 {
		i, j := r.IntN(len(w.ids)), r.IntN(len(w.ids)-1)
		if j >= i {
			j++
		}
		a, b := w.ids[i], w.ids[j]
		by := 0.4
		if changed%2 == 0 {
			by = 2.5
		}
		c.set(a, b, time.Duration(float64(c[leg{a, b}])*by))
		w.lay(a, b, wan.Link{Delay: c[leg{a, b}]})
		changed++
	}
	return changed
}
