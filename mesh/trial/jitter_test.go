package trial

import (
	"math/rand/v2"
	"testing"
	"time"

	"landfall/mesh/wan"
)

// TestJitter has all pairs talk over links whose delay varies by a fifth, and
// counts how often they change their minds, and what asking costs.
func TestJitter(t *testing.T) {
	const nodes = 8
	result := Jitter{Nodes: nodes, Pairs: nodes * (nodes - 1), Lasted: time.Duration(rounds(t, 5, 45, 600)) * time.Second}
	inWorld(t, 7, names(nodes), func(w *world) {
		c := randomChart(rand.New(rand.NewPCG(7, 1)), w.ids)
		w.layAll(c, func(l wan.Link) wan.Link {
			l.Jitter, l.Reorder = l.Delay/5, true
			return l
		})
		bill := newBill(w)
		w.memory.Tap(bill.add)
		w.heard = w.reply
		w.start()
		defer w.chatter(time.Second, question())()
		time.Sleep(10 * time.Second)
		bill.clear()
		switches := map[leg][]time.Time{}
		last := map[leg]uint64{}
		start := time.Now()
		for first := true; time.Since(start) < result.Lasted; first = false {
			for _, from := range w.ids {
				for _, p := range w.nodes[from].Paths() {
					l := leg{from, p.Peer}
					for range p.Switches - last[l] {
						if !first {
							switches[l] = append(switches[l], time.Now())
						}
					}
					last[l] = p.Switches
				}
			}
			time.Sleep(200 * ms)
		}
		for _, at := range switches {
			result.Switches += uint64(len(at))
			for i := range at[1:] {
				if at[i+1].Sub(at[i]) < 30*time.Second {
					result.Windows++
				}
			}
		}
		result.Stretch, _ = w.stretch(c)
		result.Direct, result.Relayed = bill.rates(false, time.Since(start)), bill.rates(true, time.Since(start))
	})
	print(t, "jitter", result)
	if result.Windows > 0 {
		t.Errorf("%d times a pair switched more than once in 30 s", result.Windows)
	}
}
