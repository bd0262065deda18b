package path

import (
	"math"
	"math/rand/v2"
	"os"
	"testing"
	"time"
)

// plane is a network of random places, whose links are longer than they need
// be, so that many ways through a third node are shorter.
func plane(seed uint64, n int) func(hop) time.Duration {
	r := rand.New(rand.NewPCG(seed, 1))
	x, y := make([]float64, n), make([]float64, n)
	for i := range n {
		x[i], y[i] = 120*r.Float64(), 60*r.Float64()
	}
	d := make([][]time.Duration, n)
	for i := range n {
		d[i] = make([]time.Duration, n)
		for j := range i {
			detour := 1 + 0.1*r.Float64()
			if r.Float64() < 0.3 {
				detour += 2 * r.Float64()
			}
			d[i][j] = time.Duration((1 + math.Hypot(x[i]-x[j], y[i]-y[j])*detour) * float64(time.Millisecond))
			d[j][i] = d[i][j]
		}
	}
	return func(h hop) time.Duration { return d[h.from][h.to] }
}

// sized is how large a test is: short, as usual, or to back a claim.
func sized(short, usual, soak int) int {
	switch {
	case os.Getenv("LANDFALL_SOAK") != "":
		return soak
	case testing.Short():
		return short
	}
	return usual
}

// oracle is the shortest round trip, straight or through one node.
func (w *world) oracle(i, j int) time.Duration {
	best := w.rtt(i, j, Way{Addr: address(j, 0)})
	for k := range w.nodes {
		if k != i && k != j {
			best = min(best, w.rtt(i, j, Way{Via: id(k)}))
		}
	}
	return best
}

// TestChoiceIsTheOracles is the figure for routes: over random topologies, the
// route that every node has chosen to every other is within 3 % of the best
// there is, two seconds after all of them started.
func TestChoiceIsTheOracles(t *testing.T) {
	const nodes, within = 12, 1.03
	rounds := sized(5, 20, 200)
	var worst, sum float64
	var pairs, relayed int
	for seed := range rounds {
		w := newWorld(t, nodes, 1, uint64(seed), plane(uint64(seed), nodes))
		w.run(2 * time.Second)
		for i, s := range w.nodes {
			for j := range w.nodes {
				if i == j {
					continue
				}
				way, best := s.mates[j].route.Primary, w.oracle(i, j)
				off := float64(w.rtt(i, j, way)) / float64(best)
				if off > within {
					t.Errorf("seed %d: n%d to n%d goes %v in %v, could be %v", seed, i, j, way, w.rtt(i, j, way), best)
				}
				pairs, sum, worst = pairs+1, sum+off, max(worst, off)
				if way.Relayed() {
					relayed++
				}
			}
		}
	}
	t.Logf("%d pairs, %d relayed; above the oracle by %.2f %% on average, %.2f %% at worst",
		pairs, relayed, 100*(sum/float64(pairs)-1), 100*(worst-1))
}
