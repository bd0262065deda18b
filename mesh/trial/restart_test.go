package trial

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"landfall"
	"landfall/mesh/wan"
)

// TestRestart restarts both ends of a pair again and again, 150 ms apart, and
// waits for the first packet.
func TestRestart(t *testing.T) {
	n := rounds(t, 4, 40, 400)
	var result Restart
	for _, loss := range []float64{0, 0.02} {
		for _, apart := range []time.Duration{0, 300 * ms} {
			result.Cases = append(result.Cases, restarts(t, n, apart, loss))
		}
	}
	print(t, "restart", result)
	if c := result.Cases[0]; c.Within < c.Rounds {
		t.Errorf("%s: first packet within 600 ms in %d of %d rounds, %v at most", c.Name, c.Within, c.Rounds, c.Max)
	}
	for _, c := range result.Cases {
		if c.Max > 3*time.Second {
			t.Errorf("%s: a first packet took %v", c.Name, c.Max)
		}
	}
}

func restarts(t *testing.T, n int, apart time.Duration, loss float64) Restarts {
	result := Restarts{Name: "at once", Rounds: n}
	if apart > 0 {
		result.Name = fmt.Sprintf("up to %v apart", apart)
	}
	if loss > 0 {
		result.Name += fmt.Sprintf(", %.0f %% loss", 100*loss)
	}
	var took []time.Duration
	inWorld(t, 3, names(2), func(w *world) {
		r := rand.New(rand.NewPCG(3, uint64(apart)+uint64(1000*loss)))
		w.lay(w.ids[0], w.ids[1], wan.Link{Delay: 75 * ms, Loss: loss})
		var round atomic.Uint32
		through := make(chan struct{}, 1)
		w.heard = func(_, _ landfall.NodeID, body []byte) {
			if binary.BigEndian.Uint32(body) == round.Load() {
				select {
				case through <- struct{}{}:
				default:
				}
			}
		}
		w.start()
		for i := range n {
			time.Sleep(2*time.Second + time.Duration(r.Int64N(int64(5*time.Second))))
			first, second := w.ids[i%2], w.ids[1-i%2]
			w.stop(first)
			w.stop(second)
			w.start(first)
			if apart > 0 {
				time.Sleep(time.Duration(r.Int64N(int64(apart))))
			}
			w.start(second)
			round.Store(uint32(i) + 1)
			select {
			case <-through: // one of the last round's
			default:
			}
			from, to := first, second
			if r.IntN(2) == 1 {
				from, to = to, from
			}
			took = append(took, w.through(from, to, uint32(i)+1, through))
		}
	})
	for _, d := range took {
		if d <= 600*ms {
			result.Within++
		}
	}
	s := spread(took)
	result.P50, result.Max = s.P50, s.Max
	return result
}

// through sends a packet each few milliseconds until one has arrived, and
// tells how long that took.
func (w *world) through(from, to landfall.NodeID, round uint32, arrived <-chan struct{}) time.Duration {
	start := time.Now()
	body := binary.BigEndian.AppendUint32(nil, round)
	for time.Since(start) < time.Minute {
		w.send(from, to, landfall.Normal, append(body, make([]byte, 60)...))
		select {
		case <-arrived:
			return time.Since(start)
		case <-time.After(5 * ms):
		}
	}
	w.t.Fatalf("round %d: nothing arrives from %s at %s", round, from, to)
	return 0
}
