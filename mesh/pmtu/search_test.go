package pmtu

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func complete(s *Search) func() bool { return func() bool { return s.State() == Complete } }

func within(s *Search, largest int) bool { return s.Size() <= largest && s.Size() > largest-Step }

func TestFindsTheUsualSizesInOneRoundTrip(t *testing.T) {
	for _, overhead := range []int{HeadersV4, HeadersV6, HeadersV4 + 34} {
		for _, mtu := range []int{1500, 1400, 1280, 1124, 1000, 900, 576} {
			w := newWay(mtu, overhead)
			s := New(overhead, w.rtt, start)
			w.run(t, s, time.Minute, func() bool { return within(s, mtu-overhead) })
			found := w.now.Sub(start)
			w.run(t, s, time.Minute, complete(s))
			t.Logf("MTU %d, overhead %d: size %d known after %v, sure after %v; %d rounds, %d bytes",
				mtu, overhead, s.Size(), found, w.now.Sub(start), w.rounds, w.bytes)
			if !within(s, mtu-overhead) {
				t.Errorf("MTU %d, overhead %d: found %v", mtu, overhead, s)
			}
			// Base is given up when the first probe fails. 900 is on no ladder.
			limit, most := w.rtt+s.late(), 16_000
			if mtu == 900 {
				limit, most = 4*limit, Budget
			}
			if found > limit || w.bytes > most {
				t.Errorf("MTU %d, overhead %d: took %v and %d bytes, more than %v and %d", mtu, overhead, found, w.bytes, limit, most)
			}
		}
	}
}

func TestFindsEverySize(t *testing.T) {
	rounds, bytes := 0, 0
	for mtu := floorMTU; mtu <= 1600; mtu++ {
		w := newWay(mtu, HeadersV4)
		s := New(HeadersV4, 0, start)
		w.run(t, s, time.Minute, complete(s))
		if !within(s, min(mtu, mostMTU)-HeadersV4) || s.State() != Complete {
			t.Errorf("MTU %d: found %v", mtu, s)
		}
		rounds, bytes = max(rounds, w.rounds), max(bytes, w.bytes)
	}
	t.Logf("at most %d rounds, %d bytes", rounds, bytes)
	if bytes > Budget {
		t.Errorf("a search took %d bytes", bytes)
	}
}

func TestLossDoesNotMislead(t *testing.T) {
	for _, mtu := range []int{1500, 1492, 1400, 1280, 1124, 1000, 900, 576} {
		const seeds = 1000
		short, bytes, slowest, over := 0, 0, time.Duration(0), 0
		for seed := range seeds {
			w := newWay(mtu, HeadersV4)
			w.loss, w.rnd = 0.05, rand.New(rand.NewPCG(uint64(seed), uint64(mtu)))
			s := New(HeadersV4, w.rtt, start)
			w.run(t, s, time.Minute, complete(s))
			if s.Size() > mtu-HeadersV4 {
				over++
			}
			if !within(s, mtu-HeadersV4) {
				short++
			}
			bytes, slowest = max(bytes, w.bytes), max(slowest, w.now.Sub(start))
		}
		t.Logf("MTU %d: %d of %d too small; at most %v, %d bytes", mtu, short, seeds, slowest, bytes)
		// A probe and two more fail by chance once in a thousand.
		if over > 0 || short > seeds/100 {
			t.Errorf("MTU %d: of %d searches %d ended too small, %d too large", mtu, seeds, short, over)
		}
		// One that had to begin again, from the error state, costs more.
		if bytes > Budget+MaxProbes*7000 {
			t.Errorf("MTU %d: a search took %d bytes", mtu, bytes)
		}
	}
}

func TestSuspicionRecoversWithinThreeRoundTrips(t *testing.T) {
	for _, mtu := range []int{1492, 1400, 1280, 1124, 1000, 900, 576} {
		if took, bytes := recovery(t, mtu, 0, 1); took > 100*time.Millisecond {
			t.Errorf("MTU %d: took %v, more than a round trip", mtu, took)
		} else {
			t.Logf("MTU %d: usable after %v, %d bytes in all", mtu, took, bytes)
		}
		const seeds = 200
		slow := 0
		for seed := range seeds {
			if took, _ := recovery(t, mtu, 0.05, uint64(seed)); took > 300*time.Millisecond {
				slow++
			}
		}
		if t.Logf("MTU %d, 5 %% loss: %d of %d slow", mtu, slow, seeds); slow > seeds/20 {
			t.Errorf("MTU %d: %d of %d recoveries took more than three round trips", mtu, slow, seeds)
		}
	}
}

// recovery is how long it takes from a suspicion until Size is the largest
// usual size that the way now carries, and what the search costs.
func recovery(t *testing.T, mtu int, loss float64, seed uint64) (took time.Duration, bytes int) {
	t.Helper()
	w := newWay(mostMTU, HeadersV4)
	s := New(HeadersV4, w.rtt, start)
	w.run(t, s, 10*time.Second, func() bool { return false })
	w.mtu, w.loss, w.rnd = func(time.Duration) int { return mtu }, loss, rand.New(rand.NewPCG(seed, 2))
	began, spent := w.now, w.bytes
	s.Suspect(w.now)
	if s.Size() > mtu-HeadersV4 {
		t.Errorf("MTU %d: believes in %v after a suspicion", mtu, s)
	}
	rung := 0
	for _, r := range rungs() {
		if r <= mtu {
			rung = r
		}
	}
	w.send(t, s)
	w.run(t, s, time.Minute, func() bool { return s.Size() >= rung-HeadersV4 })
	took = w.now.Sub(began)
	w.run(t, s, time.Minute, complete(s))
	if s.Size() > mtu-HeadersV4 || loss == 0 && !within(s, mtu-HeadersV4) {
		t.Errorf("MTU %d, loss %v: found %v", mtu, loss, s)
	}
	return took, w.bytes - spent
}

func TestAnUnnoticedBlackHoleIsFound(t *testing.T) {
	for _, mtu := range []int{1400, 1000, 576} {
		w := newWay(mostMTU, HeadersV4)
		w.mtu = func(at time.Duration) int {
			if at > 45*time.Second {
				return mtu
			}
			return mostMTU
		}
		s := New(HeadersV4, w.rtt, start)
		w.run(t, s, 45*time.Second, func() bool { return false })
		if s.Size() != mostMTU-HeadersV4 {
			t.Fatalf("before: %v", s)
		}
		w.run(t, s, ConfirmEvery+5*time.Second, func() bool { return false })
		if !within(s, mtu-HeadersV4) || s.State() != Complete {
			t.Errorf("MTU shrunk to %d: %v", mtu, s)
		}
	}
}

func TestGrowthIsFound(t *testing.T) {
	for _, mtu := range []int{1500, 1492, 1281, 1004} {
		w := newWay(1000, HeadersV4)
		w.mtu = func(at time.Duration) int {
			if at > time.Minute {
				return mtu
			}
			return 1000
		}
		s := New(HeadersV4, w.rtt, start)
		w.run(t, s, RaiseEvery+10*time.Second, func() bool { return false })
		if !within(s, mtu-HeadersV4) || s.State() != Complete {
			t.Errorf("MTU grown to %d: %v", mtu, s)
		}
	}
}

func TestConfirmingIsCheap(t *testing.T) {
	w := newWay(mostMTU, HeadersV4)
	s := New(HeadersV4, w.rtt, start)
	w.run(t, s, time.Minute, complete(s))
	before := w.bytes
	w.run(t, s, time.Hour, func() bool { return false })
	if rate := (w.bytes - before) / 3600; rate > 60 || w.bytes == before {
		t.Errorf("%d bytes a second", rate)
	}
	before = w.bytes
	for range 600 { // with traffic of full size, none at all
		s.Confirmed(mostMTU-HeadersV4, w.now)
		w.run(t, s, time.Second, func() bool { return false })
	}
	if w.bytes != before {
		t.Errorf("%d bytes spent on what traffic shows", w.bytes-before)
	}
}

func TestTrafficShowsMore(t *testing.T) {
	w := newWay(1000, HeadersV4)
	s := New(HeadersV4, w.rtt, start)
	w.run(t, s, 10*time.Second, complete(s))
	w.mtu = func(time.Duration) int { return mostMTU }
	s.Confirmed(1300, w.now)
	if s.Size() != 1300 {
		t.Errorf("after 1300 arrived: %v", s)
	}
	w.run(t, s, 10*time.Second, func() bool { return s.Size() == mostMTU-HeadersV4 })
	if took := w.now.Sub(start); s.State() != Complete || took > 20*time.Second {
		t.Errorf("%v after %v", s, took)
	}
}

func TestNothingArrives(t *testing.T) {
	w := newWay(100, HeadersV4)
	s := New(HeadersV4, w.rtt, start)
	if s.Size() != Base {
		t.Errorf("at first: %v", s)
	}
	w.run(t, s, time.Hour, func() bool { return false })
	if s.State() != Error || s.Size() != floorMTU-HeadersV4 {
		t.Errorf("after an hour: %v", s)
	}
	if rate := w.bytes / 3600; rate > 150 {
		t.Errorf("%d bytes a second", rate)
	}
	w.mtu = func(time.Duration) int { return 1400 }
	w.run(t, s, retryMost+5*time.Second, complete(s))
	if !within(s, 1400-HeadersV4) {
		t.Errorf("once something arrives: %v", s)
	}
}

func TestWhatWasSentBeforeASuspicionProvesNothing(t *testing.T) {
	s := New(HeadersV4, 100*time.Millisecond, start)
	s.Probes(start)
	at := start.Add(time.Second)
	s.Answered(1472, start, at)
	s.Suspect(at)
	s.Answered(1472, at.Add(-time.Millisecond), at.Add(50*time.Millisecond))
	s.Confirmed(1472, at.Add(50*time.Millisecond))
	if want := floorMTU - HeadersV4; s.Size() != want {
		t.Errorf("believes in %d, want %d", s.Size(), want)
	}
	s.Answered(1252, at, at.Add(100*time.Millisecond))
	if s.Size() != 1252 {
		t.Errorf("believes in %d, want 1252", s.Size())
	}
}

func TestAFalseSuspicionIsOverAfterARoundTrip(t *testing.T) {
	w := newWay(1462, HeadersV4) // on no ladder
	s := New(HeadersV4, w.rtt, start)
	w.run(t, s, time.Minute, complete(s))
	size := s.Size()
	for range 3 { // further ones change nothing
		s.Suspect(w.now)
		w.send(t, s)
	}
	began := w.now
	w.run(t, s, time.Minute, func() bool { return s.Size() == size })
	if took := w.now.Sub(began); took > w.rtt {
		t.Errorf("took %v", took)
	}
}

func TestHintsAreNotBelieved(t *testing.T) {
	w := newWay(mostMTU, HeadersV4)
	s := New(HeadersV4, w.rtt, start)
	w.run(t, s, time.Minute, complete(s))
	before := w.bytes
	for i := range 10_000 {
		s.Hint(600+i%900, w.now)
		w.run(t, s, time.Millisecond, func() bool { return false })
		if s.Size() != mostMTU-HeadersV4 {
			t.Fatalf("believed a hint: %v", s)
		}
	}
	if rate := (w.bytes - before) / 10; rate > 2*mostMTU {
		t.Errorf("forged hints cost %d bytes a second", rate)
	}
}

func TestATrueHintIsFast(t *testing.T) {
	w := newWay(mostMTU, HeadersV4)
	s := New(HeadersV4, w.rtt, start)
	w.run(t, s, time.Minute, complete(s))
	w.mtu = func(time.Duration) int { return 1337 }
	s.Hint(1337, w.now)
	began := w.now
	w.run(t, s, time.Minute, func() bool { return s.Size() == 1337-HeadersV4 })
	if took := w.now.Sub(began); took > 3*w.rtt {
		t.Errorf("took %v", took)
	}
}

func TestTheFirstHopRefuses(t *testing.T) {
	for _, loss := range []float64{0, 0.05} {
		w := newWay(1420, HeadersV4)
		w.loss = loss
		s := New(HeadersV4, w.rtt, start)
		for _, size := range s.Probes(start) {
			if size+HeadersV4 > 1420 {
				s.Refused(size, start)
			} else {
				w.pongs = append(w.pongs, pong{size, start, start.Add(w.rtt)})
			}
		}
		w.run(t, s, time.Minute, complete(s))
		if !within(s, 1420-HeadersV4) {
			t.Errorf("found %v", s)
		}
		s.Refused(1001, w.now) // the interface has changed
		if s.Size() > 1000 {
			t.Errorf("after a refusal: %v", s)
		}
		w.mtu = func(time.Duration) int { return 1028 }
		w.send(t, s)
		w.run(t, s, time.Minute, complete(s))
		if s.Size() != 1000 {
			t.Errorf("after a refusal: %v", s)
		}
	}
}

func TestStringTellsStateAndSize(t *testing.T) {
	s := New(HeadersV4, 0, start)
	if got := s.String(); got != "base 1200" {
		t.Errorf("%q", got)
	}
}

// FuzzSearch plays anything that can happen, in any order.
func FuzzSearch(f *testing.F) {
	f.Add([]byte("\x00\x10\x01\x20\x02\x30\x03\x40\x04\x50\x05\x60\x06\x70"))
	f.Add([]byte("\x00\x00\x01\xff\x00\x00\x02\x00\x03\x80\x00\xff\x00\xff\x00\xff\x00\xff"))
	f.Fuzz(func(t *testing.T, ops []byte) {
		s := New(HeadersV4, 0, start)
		now, lo := start, floorMTU-HeadersV4
		var sent []pong
		for ; len(ops) >= 2; ops = ops[2:] {
			arg := int(ops[1])
			size := arg * 7
			switch ops[0] % 8 {
			case 0:
				now = now.Add(time.Duration(arg*arg) * 10 * time.Millisecond)
			case 1:
				if len(sent) > 0 {
					p := sent[arg%len(sent)]
					s.Answered(p.size, p.sent, now)
				}
			case 2:
				s.Confirmed(size, now)
			case 3:
				s.Suspect(now)
			case 4:
				s.Hint(size, now)
			case 5:
				s.Refused(size, now)
			case 6:
				if next := s.Next(); next.After(now) {
					now = next
				}
			case 7:
				s.Answered(size, now.Add(-time.Duration(arg)*time.Millisecond), now)
			}
			for _, size := range s.Probes(now) {
				if size < 1 || size > mostMTU-HeadersV4 {
					t.Fatalf("probes %d", size)
				}
				sent = append(sent, pong{size: size, sent: now})
			}
			if s.Size() < lo || s.Size() > mostMTU-HeadersV4 {
				t.Fatalf("believes in %v", s)
			}
			if next := s.Next(); !next.IsZero() && !next.After(now) {
				t.Fatalf("%v: more to do at %v, at once", s, next)
			}
			if !slices.IsSortedFunc(s.tries, func(a, b try) int { return cmp.Compare(a.size, b.size) }) {
				t.Fatal(fmt.Sprint(s.tries))
			}
		}
	})
}
