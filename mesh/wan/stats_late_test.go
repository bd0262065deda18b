package wan

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/quick"
	"time"
)

// A quantile is never less than the true one, and more by a sixteenth at most.
func TestLatenessIsKnownToASixteenth(t *testing.T) {
	holds := func(seed uint64, spread uint8) bool {
		r := rand.New(rand.NewPCG(seed, 0))
		var l lateness
		var all []time.Duration
		for range 1 + r.IntN(1000) {
			d := time.Duration(r.Int64N(1 << (1 + spread%62)))
			all = append(all, d)
			l.add(d)
		}
		slices.Sort(all)
		for _, q := range []float64{0.5, 0.99, 1} {
			i := 0
			for float64(i+1) < q*float64(len(all)) {
				i++
			}
			if got, want := l.counts().quantile(q), all[i]; got < want || got > want+want/16+1 {
				t.Logf("quantile %v is %v, want %v", q, got, want)
				return false
			}
		}
		return l.longest() == all[len(all)-1] && l.counts().total() == uint64(len(all))
	}
	if err := quick.Check(holds, nil); err != nil {
		t.Error(err)
	}
}

// What is early counts as in time.
func TestEarlyIsNotLate(t *testing.T) {
	var l lateness
	l.add(-time.Hour)
	if got := l.counts().quantile(1); got != 1 || l.longest() != 0 {
		t.Errorf("late by %v, at most %v", got, l.longest())
	}
}

func TestPhasesHaveLatenessOfTheirOwn(t *testing.T) {
	n := New(1)
	defer n.Close()
	n.stats.late.add(time.Hour)
	end := n.Phase("one")
	for range 99 {
		n.stats.late.add(100 * time.Microsecond)
	}
	n.stats.late.add(4 * time.Millisecond)
	one := end()
	if one.Packets != 100 || one.LateMax != 4*time.Millisecond || one.LateP99 > 110*time.Microsecond || one.Late() != nil {
		t.Errorf("%+v, %v", one, one.Late())
	}
	end = n.Phase("two")
	if two := end(); two.Packets != 0 || two.LateMax != 0 || two.LateP50 != 0 || len(two.Links) != 0 {
		t.Errorf("%+v", two)
	}
	for want, p := range map[string]Phase{
		"p99 501µs is more than 500µs": {LateP99: 501 * time.Microsecond},
		"one by 6ms, more than 5ms":    {LateP99: 500 * time.Microsecond, LateMax: 6 * time.Millisecond},
	} {
		if err := p.Late(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if got := time.Duration(n.Stats().LateMax * float64(time.Second)).Round(time.Second); got != time.Hour {
		t.Errorf("the whole network was late by %v", got)
	}
}
