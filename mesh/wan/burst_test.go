package wan

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// A link is in a burst for Enter/(Enter+Leave) of its packets, and bursts are
// 1/Leave packets long in the mean.
func TestBurstsKeepTheirShareAndLength(t *testing.T) {
	const n = 400_000
	for _, b := range []Burst{
		{Enter: 0.01, Leave: 0.25, Loss: 1},
		{Enter: 0.001, Leave: 0.05, Loss: 1},
		{Enter: 0.1, Leave: 1, Loss: 1},
	} {
		_, fates := offer(Link{Burst: b}, 9, 1, make([]time.Duration, n)...)
		gone, runs := 0, 0
		for i, f := range fates {
			if f != lost {
				continue
			}
			gone++
			if i == 0 || fates[i-1] != lost {
				runs++
			}
		}
		share, length := float64(gone)/n, float64(gone)/float64(runs)
		if want := b.Enter / (b.Enter + b.Leave); math.Abs(share/want-1) > 0.1 {
			t.Errorf("%+v: lost %.4f, want %.4f", b, share, want)
		}
		// Runs of losses: a burst may begin in the packet after the last one.
		if want := 1 / b.Leave; math.Abs(length/want-1) > 0.1 {
			t.Errorf("%+v: bursts of %.2f packets, want %.2f", b, length, want)
		}
	}
}

// Each state has its own share of losses.
func TestBothStatesLose(t *testing.T) {
	const n = 400_000
	l := Link{Loss: 0.02, Burst: Burst{Enter: 0.02, Leave: 0.08, Loss: 0.5}}
	w := wire{seed: 4}
	var seen, gone [2]float64
	for range n {
		var v verdict
		w, v = l.packet(w, 100, 0, epoch)
		state := 0
		if w.burst {
			state = 1
		}
		seen[state]++
		if v.fate == lost {
			gone[state]++
		}
	}
	for state, want := range []float64{l.Loss, l.Burst.Loss} {
		sigma := math.Sqrt(seen[state] * want * (1 - want))
		if off := math.Abs(gone[state] - seen[state]*want); off > 5*sigma {
			t.Errorf("state %d: %v of %v lost, want %v", state, gone[state], seen[state], want)
		}
	}
	if share := seen[1] / n; math.Abs(share/0.2-1) > 0.1 {
		t.Errorf("in bursts for %.3f of all packets, want 0.2", share)
	}
}

// A link without bursts has none, whatever it was before.
func TestBurstsEndWithTheirLink(t *testing.T) {
	w, v := Link{}.packet(wire{seed: 1, burst: true}, 1, 0, epoch)
	if w.burst || v.fate != arrives {
		t.Errorf("%+v, %+v", w, v)
	}
}

func TestDuplicatesKeepTheirShare(t *testing.T) {
	const n, share = 50_000, 0.03
	w, doubled := wire{seed: 2}, 0
	for range n {
		var v verdict
		if w, v = (Link{Duplicate: share}).packet(w, 1, 0, epoch); v.copies == 2 {
			doubled++
		}
	}
	if off := math.Abs(float64(doubled) - n*share); off > 5*math.Sqrt(n*share*(1-share)) {
		t.Errorf("%d of %d doubled", doubled, n)
	}
}

// One setting of a link does not change what another does: the same packets
// are lost with jitter, duplicates and a schedule of rates, or without.
func TestFatesAreDrawnApart(t *testing.T) {
	bare := Link{Loss: 0.1, Burst: Burst{Enter: 0.05, Leave: 0.3, Loss: 0.8}}
	rich := bare
	rich.Jitter, rich.Duplicate, rich.Delay, rich.Reorder = time.Millisecond, 0.2, time.Second, true
	times := make([]time.Duration, 2000)
	_, a := offer(bare, 5, 1, times...)
	_, b := offer(rich, 5, 1000, times...)
	for i := range a {
		if a[i] != b[i] {
			t.Fatalf("packet %d: fate %d, then %d", i, a[i], b[i])
		}
	}
}

func TestMTUIsTheLastThatPasses(t *testing.T) {
	for _, icmp := range []bool{false, true} {
		l := Link{MTU: 1280, ICMP: icmp}
		if _, v := l.packet(wire{}, 1280, 0, epoch); v.fate != arrives || v.told {
			t.Errorf("1280: %+v", v)
		}
		if _, v := l.packet(wire{}, 1281, 0, epoch); v.fate != tooBig || v.mtu != 1280 || v.told != icmp || v.copies != 0 {
			t.Errorf("1281: %+v", v)
		}
	}
}

// Those who know ECN are marked where others are dropped, and only a full
// queue drops them.
func TestMarkBeginsBeyondItsThreshold(t *testing.T) {
	l := Link{Rate: 8_000_000, Queue: 10_000, Mark: 3_000} // a packet of 1000 bytes takes a millisecond
	for _, c := range []struct {
		tos            uint8
		marked, passed int
	}{{0, 0, 4}, {1, 6, 10}, {2, 6, 10}, {3, 6, 10}, {46 << 2, 0, 4}, {46<<2 | 2, 6, 10}} {
		w, marked, passed := wire{}, 0, 0
		for range 20 {
			var v verdict
			if w, v = l.packet(w, 1000, c.tos, epoch); v.fate == arrives {
				passed++
			} else if v.fate != full {
				t.Errorf("tos %#x: %+v", c.tos, v)
			}
			if v.marked {
				marked++
			}
		}
		if marked != c.marked || passed != c.passed {
			t.Errorf("tos %#x: %d passed, %d of them marked; want %d, %d", c.tos, passed, marked, c.passed, c.marked)
		}
	}
}

// Whatever the link: what is offered either arrives once or twice, or has
// one fate; nothing else.
func TestNothingIsLostFromTheBooks(t *testing.T) {
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 6))
		l := Link{
			Loss: r.Float64() * 0.2, Duplicate: r.Float64() * 0.2, Rate: 1 + r.Int64N(50_000_000), Queue: 3000 + r.IntN(20_000),
			Mark: r.IntN(2) * 3000, MTU: 1000 + r.IntN(600), ICMP: r.IntN(2) == 0, Jitter: time.Millisecond,
			Burst: Burst{Enter: r.Float64() * 0.1, Leave: 0.1 + r.Float64()/2, Loss: r.Float64()},
		}
		if err := l.Check(); err != nil {
			t.Fatal(err)
		}
		w, now := wire{seed: seed}, epoch
		for i := range uint64(500) {
			l.Down = i/50%5 == 4
			now = now.Add(time.Duration(r.Int64N(int64(time.Millisecond))))
			size := 1 + r.IntN(1600)
			var v verdict
			if w, v = l.packet(w, size, uint8(r.IntN(256)), now); w.sent != i+1 {
				t.Fatalf("%d packets offered, %d counted", i+1, w.sent)
			}
			if arrived := v.fate == arrives; arrived != (v.copies == 1 || v.copies == 2) || !arrived && (v.copies != 0 || v.marked) || v.at.Before(now) {
				t.Fatalf("%+v: %+v", l, v)
			}
			if (v.fate == cut) != l.Down || (v.fate == tooBig) != (!l.Down && size > l.MTU) || v.told != (v.fate == tooBig && l.ICMP) {
				t.Fatalf("%+v, %d bytes: %+v", l, size, v)
			}
		}
	}
}
