package trial

import (
	"math"
	"math/rand/v2"
	"time"

	"landfall"
	"landfall/mesh/wan"
)

// leg is from one node to another.
type leg struct{ from, to landfall.NodeID }

// chart is what links there are: one-way delays, the same both ways.
type chart map[leg]time.Duration

// randomChart has nodes spread over a plane, and cables that make detours of
// random lengths, so that many a way round is shorter than the straight one.
func randomChart(r *rand.Rand, ids []landfall.NodeID) chart {
	c := chart{}
	x, y := map[landfall.NodeID]float64{}, map[landfall.NodeID]float64{}
	for i, a := range ids {
		x[a], y[a] = 80*r.Float64(), 50*r.Float64()
		for _, b := range ids[:i] {
			straight := math.Hypot(x[a]-x[b], y[a]-y[b])
			c.set(a, b, time.Duration((3+straight*(1+min(r.ExpFloat64()*0.7, 3)))*float64(ms)))
		}
	}
	return c
}

func (c chart) set(a, b landfall.NodeID, d time.Duration) { c[leg{a, b}], c[leg{b, a}] = d, d }

// trip is the round trip through a node, or the straight one if it is "".
func (c chart) trip(from, via, to landfall.NodeID) time.Duration {
	if via == "" {
		return 2 * c[leg{from, to}]
	}
	return 2 * (c[leg{from, via}] + c[leg{via, to}])
}

// best is the shortest round trip, straight or through one node.
func (c chart) best(ids []landfall.NodeID, from, to landfall.NodeID) time.Duration {
	best := c.trip(from, "", to)
	for _, via := range ids {
		if via != from && via != to {
			best = min(best, c.trip(from, via, to))
		}
	}
	return best
}

// detours is the share of pairs whose best way is clearly not the straight one.
func (c chart) detours(ids []landfall.NodeID) float64 {
	n := 0
	for l := range c {
		if exceeds(c.trip(l.from, "", l.to), c.best(ids, l.from, l.to)) {
			n++
		}
	}
	return float64(n) / float64(len(c))
}

// near is how much longer than the best a way in use may be.
const near = 1.03

func exceeds(trip, best time.Duration) bool { return float64(trip) > near*float64(best) }

// lay puts the chart's links down, changed as a function says.
func (w *world) layAll(c chart, change func(wan.Link) wan.Link) {
	w.t.Helper()
	for i, a := range w.ids {
		for _, b := range w.ids[:i] {
			w.lay(a, b, change(wan.Link{Delay: c[leg{a, b}]}))
		}
	}
}

// stretch is the greatest round trip of a way in use by that of the best, and
// how many there are beyond what is near. A peer that is not alive is too far
// by a million.
func (w *world) stretch(c chart) (most float64, far int) {
	for _, from := range w.ids {
		for _, p := range w.nodes[from].Paths() {
			s := 1e6
			if p.Alive {
				s = float64(c.trip(from, p.Way.Via, p.Peer)) / float64(c.best(w.ids, from, p.Peer))
			}
			most = max(most, s)
			if s > near {
				far++
			}
		}
	}
	return most, far
}

// chatter has every node ask every other a question now and then, until it is
// stopped.
func (w *world) chatter(every time.Duration, question []byte) (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	r := rand.New(rand.NewPCG(w.seed, 2))
	go func() {
		defer close(ended)
		pairs := len(w.ids) * (len(w.ids) - 1)
		order := r.Perm(pairs) // so that nobody's packets follow upon each other
		for i := 0; ; i = (i + 1) % pairs {
			select {
			case <-done:
				return
			case <-time.After(every / time.Duration(pairs)):
			}
			from, to := order[i]/(len(w.ids)-1), order[i]%(len(w.ids)-1)
			if to >= from {
				to++
			}
			w.send(w.ids[from], w.ids[to], landfall.Normal, question)
		}
	}()
	return func() { close(done); <-ended }
}

// question is one that reply answers.
func question() []byte { return append([]byte{1}, make([]byte, 99)...) }

// reply answers questions of chatter.
func (w *world) reply(from, to landfall.NodeID, body []byte) {
	if len(body) > 0 && body[0] == 1 {
		w.send(to, from, landfall.Normal, make([]byte, len(body)))
	}
}
