package day

import (
	"os"
	"testing"
	"testing/synctest"
	"time"

	"landfall/mesh/wan/wantest"
)

// TestDay is one of plain WireGuard: of the length and the seed that Spec.Test
// asks for, otherwise a short one in which the luck of its timers changes
// nothing that counts.
func TestDay(t *testing.T) {
	s, asked, err := Asked()
	if err != nil {
		t.Fatal(err)
	}
	if !asked {
		s = Spec{Seed: 1, Length: 10 * time.Minute}
	}
	synctest.Test(t, func(t *testing.T) {
		r, err := Run(Config{Seed: s.Seed, Length: s.Length, Start: startPlain})
		if err != nil {
			t.Fatal(err)
		}
		check(t, r)
		if asked {
			if err := Report(os.Stdout, r); err != nil {
				t.Error(err)
			}
		}
	})
}

// check is what holds on every day: nothing is lost from the books, and all
// messages arrive but those that weather took.
func check(t *testing.T, r Result) {
	t.Helper()
	var ends uint64
	for _, n := range r.Fates {
		ends += n
	}
	if r.Wrong != 0 || r.Refused != 0 || ends < r.Trace.Packets-100 {
		t.Errorf("%+v", r)
	}
	if r.Sent == 0 || float64(r.Arrived) < 0.95*float64(r.Sent) || r.P50 < 5*time.Millisecond || r.P50 > 300*time.Millisecond {
		t.Errorf("%d of %d messages arrived, median %v", r.Arrived, r.Sent, r.P50)
	}
	for _, fate := range []string{"delayed", "lost", "cut"} {
		if r.Fates[fate] == 0 {
			t.Errorf("no packet was %s: %v", fate, r.Fates)
		}
	}
}

// The same seed gives the same trace of all packets, in processes of their
// own; the full size is a whole day, three times.
func TestSameSeedSameDay(t *testing.T) {
	length := time.Hour
	if testing.Short() {
		t.Skip("builds a program")
	}
	if os.Getenv("LANDFALL_SOAK") != "" {
		length = 24 * time.Hour
	}
	p, err := wantest.Build(t.Context(), ".", "landfall/mesh/wan/day")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	var days []Result
	for _, seed := range []uint64{1, 1, 2} {
		r, err := Spec{Seed: seed, Length: length}.Test(t.Context(), p, "TestDay")
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%+v", r)
		days = append(days, r)
	}
	if days[0].Trace.Hash != days[1].Trace.Hash {
		t.Errorf("one seed, two traces: %+v, %+v", days[0], days[1])
	}
	if days[0].Trace.Hash == days[2].Trace.Hash {
		t.Errorf("two seeds, one trace: %+v", days[2])
	}
}
