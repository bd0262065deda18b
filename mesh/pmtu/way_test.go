package pmtu

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// start is when the tests begin.
var start = time.Unix(1_800_000_000, 0)

// way is a path with an MTU that drops what is larger, and some of the rest.
type way struct {
	mtu  func(at time.Duration) int // since start; with IP headers
	loss float64                    // each way
	rtt  time.Duration

	rnd      *rand.Rand
	overhead int
	now      time.Time
	pongs    []pong
	rounds   int
	bytes    int
}

type pong struct {
	size     int
	sent, at time.Time
}

func newWay(mtu, overhead int) *way {
	return &way{
		mtu: func(time.Duration) int { return mtu }, rtt: 100 * time.Millisecond,
		rnd: rand.New(rand.NewPCG(1, uint64(mtu))), overhead: overhead, now: start,
	}
}

// run lets a search go on until done says so, or for a time.
func (w *way) run(t testing.TB, s *Search, d time.Duration, done func() bool) {
	t.Helper()
	for end := w.now.Add(d); ; {
		if done() {
			return
		}
		next := s.Next()
		if len(w.pongs) > 0 && (next.IsZero() || !w.pongs[0].at.After(next)) {
			next = w.pongs[0].at
		}
		if next.IsZero() || next.After(end) {
			w.now = end
			return
		}
		w.now = next
		if len(w.pongs) > 0 && !w.pongs[0].at.After(next) {
			p := w.pongs[0]
			w.pongs = w.pongs[1:]
			s.Answered(p.size, p.sent, w.now)
		}
		w.send(t, s)
	}
}

// send sends what the search wants sent.
func (w *way) send(t testing.TB, s *Search) {
	t.Helper()
	sizes := s.Probes(w.now)
	if len(sizes) > 0 {
		w.rounds++
	}
	for _, size := range sizes {
		w.bytes += size + w.overhead
		lost := w.rnd.Float64() < w.loss
		lost = w.rnd.Float64() < w.loss || lost
		if !lost && size+w.overhead <= w.mtu(w.now.Add(w.rtt/2).Sub(start)) {
			w.pongs = append(w.pongs, pong{size, w.now, w.now.Add(w.rtt)})
		}
	}
	slices.SortStableFunc(w.pongs, func(a, b pong) int { return a.at.Compare(b.at) })
	if next := s.Next(); !next.IsZero() && !next.After(w.now) {
		t.Fatalf("%v: more to do at %v, at once", s, next)
	}
}
