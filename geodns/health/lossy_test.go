package health

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"landfall"
)

// road is a way that loses packets. A probe along it is a TCP handshake, a TLS
// handshake and a request, each of which takes a round trip and waits, longer
// and longer, whenever one of its packets is lost (RFC 6298, 5; RFC 8985, 7.2).
type road struct {
	rtt  time.Duration
	loss float64
	cut  atomic.Bool // nothing comes through any more, nor what is on its way

	mu  sync.Mutex
	rng *rand.Rand
}

var legs = []struct {
	packets int
	again   []time.Duration // waits before it is sent again
}{
	{2, []time.Duration{time.Second, 2 * time.Second, 4 * time.Second}},
	{4, []time.Duration{500 * time.Millisecond, 750 * time.Millisecond, 1500 * time.Millisecond, 3 * time.Second}},
	{3, []time.Duration{500 * time.Millisecond, 750 * time.Millisecond, 1500 * time.Millisecond, 3 * time.Second}},
}

// takes is how long a probe takes.
func (r *road) takes() (d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, leg := range legs {
		d += r.rtt
		for i := 0; slices.ContainsFunc(make([]bool, leg.packets), func(bool) bool { return r.rng.Float64() < r.loss }); i++ {
			d += leg.again[min(i, len(leg.again)-1)]
		}
	}
	return d
}

func (r *road) probe(ctx context.Context, _ landfall.Node) error {
	select {
	case <-time.After(r.takes()):
	case <-ctx.Done():
	}
	if r.cut.Load() {
		<-ctx.Done()
	}
	return ctx.Err()
}

// A way that loses packets is a bad way, not a dead edge; and where the edge
// dies, that is still told within five seconds.
func TestLossIsNotSilence(t *testing.T) {
	lasting := 6 * time.Hour
	if testing.Short() {
		lasting = time.Hour
	}
	for _, loss := range []float64{0, 0.05, 0.1} {
		synctest.Test(t, func(t *testing.T) {
			r := &road{rtt: 250 * time.Millisecond, loss: loss, rng: rand.New(rand.NewPCG(1, 2))}
			var down Down
			verdicts := 0
			p, err := New(Config{Probe: r.probe, Changed: func(d Down) { down = d; verdicts++ }})
			if err != nil {
				t.Fatal(err)
			}
			p.SetMap(edges("a"))
			ctx, stop := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- p.Run(ctx) }()
			time.Sleep(lasting)
			synctest.Wait()
			if verdicts > 0 {
				t.Errorf("loss of %v: %d verdicts in %v", loss, verdicts, lasting)
			}
			r.cut.Store(true)
			time.Sleep(5 * time.Second)
			synctest.Wait()
			if !down["a"] {
				t.Errorf("loss of %v: silence is not told within five seconds", loss)
			}
			stop()
			<-ended
		})
	}
}
