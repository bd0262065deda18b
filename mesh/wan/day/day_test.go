package day

import (
	"bytes"
	"cmp"
	"os"
	"path/filepath"
	"testing"
	"time"

	"landfall/mesh/wan/wantest"
)

// TestDay is a day of plain WireGuard. By itself it is a short one, in which
// the luck of upstream's timers changes nothing that counts.
func TestDay(t *testing.T) {
	r := Live(t, Config{Spec: Spec{Seed: 1, Length: 10 * time.Minute}, Start: startPlain})
	var ends uint64
	for _, n := range r.Fates {
		ends += n
	}
	if r.Wrong != 0 || r.Refused != 0 || ends+100 < r.Trace.Packets { // some are still under way
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

// The same seed gives the same trace of all packets in processes of their
// own. The full size is a whole day.
func TestSameSeedSameDay(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a program")
	}
	length := time.Hour
	if os.Getenv("LANDFALL_SOAK") != "" {
		length = 24 * time.Hour
	}
	p, err := wantest.Build(t.Context(), ".", "landfall/mesh/wan/day")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	dir := t.TempDir()
	live := func(log string, seed uint64) Result {
		r, err := Spec{Seed: seed, Length: length, Log: filepath.Join(dir, log)}.Test(t.Context(), p, "TestDay")
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%+v", r)
		return r
	}
	first, again, other := live("first", 1), live("again", 1), live("other", 2)
	if first.Trace.Hash != again.Trace.Hash {
		a, b := parting(t, filepath.Join(dir, "first"), filepath.Join(dir, "again"))
		t.Errorf("one seed, two traces; they part at\n%s\n%s", a, b)
	}
	if first.Trace.Hash == other.Trace.Hash {
		t.Error("two seeds, one trace")
	}
}

// parting is the first line in which two files differ.
func parting(t *testing.T, one, two string) (a, b []byte) {
	t.Helper()
	x, err1 := os.ReadFile(one)
	y, err2 := os.ReadFile(two)
	if err := cmp.Or(err1, err2); err != nil {
		t.Fatal(err)
	}
	for len(x) > 0 || len(y) > 0 {
		a, x, _ = bytes.Cut(x, []byte("\n"))
		b, y, _ = bytes.Cut(y, []byte("\n"))
		if !bytes.Equal(a, b) {
			return a, b
		}
	}
	return nil, nil
}

func TestSpecIsAskedByTheEnvironment(t *testing.T) {
	own := Spec{Seed: 7, Length: time.Minute}
	for _, c := range []struct {
		env  map[string]string
		want Spec
		ok   bool
	}{
		{nil, own, true},
		{map[string]string{seedKey: "3", lengthKey: "2h", logKey: "x"}, Spec{3, 2 * time.Hour, "x"}, true},
		{map[string]string{seedKey: "3"}, Spec{}, false},
		{map[string]string{lengthKey: "2h"}, Spec{}, false},
		{map[string]string{seedKey: "-1", lengthKey: "2h"}, Spec{}, false},
	} {
		if got, err := own.asked(func(k string) string { return c.env[k] }); got != c.want || (err == nil) != c.ok {
			t.Errorf("%v: %+v, %v", c.env, got, err)
		}
	}
}

// All delays are what distances allow, and some way round is faster than the
// straight one: else there would be no routes to choose.
func TestFibreMakesDetours(t *testing.T) {
	regions := Regions()
	if d := distance(regions[0], regions[1]); d < 6400 || d > 6700 {
		t.Errorf("Frankfurt to Ashburn is %v km", d)
	}
	links := map[[2]int]time.Duration{}
	r := random(1)
	for i, a := range regions {
		for j, b := range regions[:i] {
			l := fibre(r, a, b)
			if light := time.Duration(distance(a, b) / kmPerSecond * float64(time.Second)); l.Check() != nil || l.Delay < light || l.Delay > 3*light+time.Millisecond {
				t.Errorf("%s - %s: %+v", a.Name, b.Name, l)
			}
			links[[2]int{i, j}], links[[2]int{j, i}] = l.Delay, l.Delay
		}
	}
	var shorter int
	for ends, straight := range links {
		for via := range regions {
			a, b := links[[2]int{ends[0], via}], links[[2]int{via, ends[1]}]
			if a > 0 && b > 0 && a+b < straight {
				shorter++
				break
			}
		}
	}
	if shorter == 0 || shorter > len(links)/2 {
		t.Errorf("%d of %d pairs have a shorter way round", shorter, len(links))
	}
}

func TestParseRefusesOtherOutput(t *testing.T) {
	for _, s := range []string{"", "PASS", mark, mark + "{", mark + `{"Seed":"x"}` + "\n"} {
		if r, err := parse([]byte(s)); err == nil {
			t.Errorf("%q: %+v", s, r)
		}
	}
	if r, err := parse([]byte("x\n    spec.go:1: " + mark + `{"Seed":5}` + "\nPASS")); err != nil || r.Seed != 5 {
		t.Errorf("%+v, %v", r, err)
	}
}
