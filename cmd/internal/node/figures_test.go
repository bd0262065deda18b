package node

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"landfall/geodns"
)

// What is told of a name server is how it fares now, not since its start.
func TestFiguresAreOfTheLastSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		f := &figures{stats: func() geodns.Stats {
			n := uint64(time.Since(began) / time.Second)
			late := max(n, 60) - 60
			return geodns.Stats{
				Serial: 7, Issued: time.Since(began).Seconds(),
				Queries: map[string]uint64{"udp": 60 * n, "tcp": 40 * n}, Cookies: map[string]uint64{"valid": 20 * n, "new": 5 * n},
				Truncated: 10 * late, Limited: 1000 + late,
				Named: map[string]uint64{"fra1": 1000 + 20*late, "nyc1": 30 * late, "sin1": 5000},
			}
		}}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); f.run(ctx) }()
		synctest.Wait()
		if rate := f.status().Rate; rate != 0 {
			t.Errorf("%v queries a second at once", rate)
		}
		time.Sleep(5 * time.Second)
		if s := f.status(); s.Rate != 100 || len(s.Edges) != 0 {
			t.Errorf("%+v", s)
		}
		time.Sleep(2 * time.Minute)
		s := f.status()
		if got := fmt.Sprint(s.Rate, s.Cookies, s.Truncated, s.Limited, s.Edges); got != "100 0.25 0.1 0.01 [{nyc1 0.6} {fra1 0.4}]" {
			t.Error(got)
		}
		if s.Serial != 7 || !s.Issued.Equal(began) {
			t.Errorf("map %d of %v", s.Serial, s.Issued)
		}
		stop()
		<-done
	})
}
