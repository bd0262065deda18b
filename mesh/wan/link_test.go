package wan

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// offer gives the link packets at the given times and says what became of them.
func offer(l Link, seed uint64, size int, at ...time.Duration) (arrived []time.Duration, fates []fate) {
	w := wire{seed: seed}
	for _, d := range at {
		var v verdict
		w, v = l.packet(w, size, 0, epoch.Add(d))
		arrived, fates = append(arrived, v.at.Sub(epoch)), append(fates, v.fate)
	}
	return arrived, fates
}

func TestLinkDecides(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		name  string
		link  Link
		size  int
		at    []time.Duration
		want  []time.Duration // -1: does not arrive
		fates fate            // of those that do not arrive
	}{
		{"the zero link is instant", Link{}, 1500, []time.Duration{0, 5}, []time.Duration{0, 5}, 0},
		{"delay is added", Link{Delay: 70 * ms}, 1500, []time.Duration{0, ms}, []time.Duration{70 * ms, 71 * ms}, 0},
		{"a transmitter sends one after the other", Link{Delay: 10 * ms, Rate: 8_000_000}, 1000,
			[]time.Duration{0, 0, 5 * ms}, []time.Duration{11 * ms, 12 * ms, 16 * ms}, 0},
		{"a full queue drops its tail", Link{Rate: 8_000_000, Queue: 2000}, 1000,
			[]time.Duration{0, 0, 0, ms}, []time.Duration{ms, 2 * ms, -1, 3 * ms}, full},
		{"an idle transmitter takes what is larger than its queue", Link{Rate: 8_000_000, Queue: 10}, 1000,
			[]time.Duration{0, ms}, []time.Duration{ms, 2 * ms}, 0},
		{"a link that is down drops all", Link{Down: true}, 1, []time.Duration{0, ms}, []time.Duration{-1, -1}, cut},
		{"full loss loses all", Link{Loss: 1}, 1, []time.Duration{0, ms}, []time.Duration{-1, -1}, lost},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, fates := offer(c.link, 1, c.size, c.at...)
			for i, want := range c.want {
				switch {
				case want < 0 && fates[i] != c.fates:
					t.Errorf("packet %d: fate %d, want %d", i, fates[i], c.fates)
				case want >= 0 && (fates[i] != arrives || got[i] != want):
					t.Errorf("packet %d: fate %d at %v, want arrival at %v", i, fates[i], got[i], want)
				}
			}
		})
	}
}

func TestDefaultQueueIsOneRoundTrip(t *testing.T) {
	if got := (Link{Rate: 100_000_000, Delay: 75 * time.Millisecond}).queue(); got != 1_875_000 {
		t.Errorf("queue of 100 Mbit/s over 150 ms: %d bytes, want 1875000", got)
	}
	if got := (Link{Rate: 1000}).queue(); got != MinQueue {
		t.Errorf("queue of a slow link: %d bytes, want %d", got, MinQueue)
	}
}

func TestCheckRefusesNonsense(t *testing.T) {
	for _, l := range []Link{{Delay: -1}, {Jitter: -1}, {Loss: -0.1}, {Loss: 1.1}, {Loss: math.NaN()}, {Rate: -1}, {Queue: -1}} {
		if New(1).SetLink("a", "b", l) == nil {
			t.Errorf("%+v was taken", l)
		}
	}
}

// Fates depend on seed, link and number only: neither on time nor on size.
func TestFateIsAFunctionOfSeedAndNumber(t *testing.T) {
	l := Link{Loss: 0.3}
	times := make([]time.Duration, 1000)
	_, a := offer(l, 7, 100, times...)
	for i := range times {
		times[i] = time.Duration(i) * time.Millisecond
	}
	_, b := offer(l, 7, 1400, times...)
	_, other := offer(l, 8, 100, times...)
	same := 0
	for i := range a {
		if a[i] != b[i] {
			t.Fatalf("packet %d: fate %d, then %d", i, a[i], b[i])
		}
		if a[i] == other[i] {
			same++
		}
	}
	if same == len(a) {
		t.Error("another seed gives the same fates")
	}
}

func TestLossKeepsItsShare(t *testing.T) {
	const n = 20000
	for _, share := range []float64{0.001, 0.01, 0.2, 0.5} {
		_, fates := offer(Link{Loss: share}, 3, 1, make([]time.Duration, n)...)
		gone := 0
		for _, f := range fates {
			if f == lost {
				gone++
			}
		}
		sigma := math.Sqrt(n * share * (1 - share))
		if off := math.Abs(float64(gone) - n*share); off > 5*sigma {
			t.Errorf("loss %v: %d of %d lost, %.1f sigma off", share, gone, n, off/sigma)
		}
	}
}

// Whatever the link and the load: nothing arrives before arithmetic allows,
// order is kept unless told otherwise, and the rate is never exceeded.
func TestLinkObeysArithmetic(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		l := Link{
			Delay:   time.Duration(r.Int64N(int64(200 * time.Millisecond))),
			Jitter:  time.Duration(r.Int64N(int64(20 * time.Millisecond))),
			Loss:    r.Float64() * 0.1,
			Rate:    r.Int64N(2) * (1 + r.Int64N(100_000_000)),
			Reorder: r.IntN(2) == 0,
		}
		w, now := wire{seed: seed}, epoch
		var last, begin, end time.Time
		var bits float64
		for range 500 {
			now = now.Add(time.Duration(r.Int64N(int64(2 * time.Millisecond))))
			size := 1 + r.IntN(1500)
			var v verdict
			w, v = l.packet(w, size, 0, now)
			if v.fate != arrives {
				continue
			}
			at := v.at
			if begin.IsZero() {
				begin = now
			}
			bits, end = bits+float64(size)*8, at
			if at.Before(now.Add(l.Delay)) {
				t.Fatalf("%+v: offered %v, arrived %v", l, now, at)
			}
			if !l.Reorder && at.Before(last) {
				t.Fatalf("%+v: overtaken by %v", l, last.Sub(at))
			}
			if l.Rate == 0 && l.Reorder && at.Sub(now) >= l.Delay+l.Jitter && l.Jitter > 0 {
				t.Fatalf("%+v: took %v", l, at.Sub(now))
			}
			last = at
		}
		if l.Rate > 0 && bits > 0 {
			if span := end.Sub(begin) - l.Delay; bits/span.Seconds() > float64(l.Rate)*1.000001 {
				t.Fatalf("%+v: %v bit/s", l, bits/span.Seconds())
			}
		}
	}
}

func TestJitterSpreadsEvenly(t *testing.T) {
	l := Link{Jitter: 10 * time.Millisecond, Reorder: true}
	got, _ := offer(l, 5, 1, make([]time.Duration, 10000)...)
	var sum time.Duration
	var low, high int
	for _, d := range got {
		sum += d
		if d < time.Millisecond {
			low++
		}
		if d >= 9*time.Millisecond {
			high++
		}
	}
	if mean := sum / 10000; mean < 4800*time.Microsecond || mean > 5200*time.Microsecond {
		t.Errorf("mean %v, want about 5 ms", mean)
	}
	if low < 850 || low > 1150 || high < 850 || high > 1150 {
		t.Errorf("outer tenths hold %d and %d of 10000", low, high)
	}
}
