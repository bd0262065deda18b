package main

import (
	"fmt"
	"testing"
	"time"
)

// What users wrote down lands in the window of the cut that it belongs to.
func TestFeltSortsByWindow(t *testing.T) {
	start := time.UnixMicro(1_000_000_000)
	cuts := []time.Time{start.Add(10 * time.Second), start.Add(40 * time.Second)}
	line := func(what string, at, took time.Duration, why string) string {
		return fmt.Sprint(what, " ", start.Add(at).UnixMicro(), " ", took.Microseconds(), " ", why)
	}
	const ms = time.Millisecond
	f := felt{began: start.Add(time.Second)}
	f.requests.why, f.messages.why = map[string]int{}, map[string]int{}
	for _, s := range []string{
		line(didMessage, 0, 10*ms, ""),                            // before all was ready
		line(didMessage, 2*time.Second, 10*ms, ""),                // in no window
		line(didMessage, 9*time.Second, 20*ms, ""),                // before the first cut
		line(didMessage, 9900*ms, 30*ms, ""),                      // under way at the cut
		line(didMessage, 11*time.Second, 40*ms, ""),               // after it
		line(didMessage, 12100*ms, 50*ms, ""),                     // no more
		line(didMessage, 41*time.Second, 60*ms, ""),               // after the second
		line(didRequest, 41*time.Second, 70*ms, `"503 too many"`), // and what failed
		line(didDrop, 41*time.Second, 70*ms, `"reset"`),
		line(didOpen, 42*time.Second, 70*ms, ""),
	} {
		if err := f.line(s, cuts); err != nil {
			t.Fatal(err)
		}
	}
	if got := fmt.Sprint(f.messages.all, f.messages.before, f.messages.when); got != "6 [20ms] [30ms 40ms 60ms]" {
		t.Error(got)
	}
	if f.requests.failed != 1 || f.requests.why["503 too many"] != 1 || f.dropped != 1 || f.opens != 1 {
		t.Errorf("%+v", f)
	}
	for _, s := range []string{"", "message 1", "message x 1", "dance 2000000000 1"} {
		if f.line(s, cuts) == nil {
			t.Errorf("%q was understood", s)
		}
	}
}

// The floors are those that are worked out by hand: 778 segments of 1480 bytes,
// and 725 of 1500.
func TestFloorsOfAMebibyte(t *testing.T) {
	for _, c := range []struct {
		payload, packet int
		want            string
	}{{1348, 1480, "242.1"}, {1448, 1500, "237.0"}} {
		if got := fmt.Sprintf("%.1f", mibFloor(c.payload, c.packet)); got != c.want {
			t.Errorf("%d of %d: %s ms, want %s", c.payload, c.packet, got, c.want)
		}
	}
}
