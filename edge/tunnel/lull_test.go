package tunnel

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestStreamsWakeAndSleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		asleep := false
		l := Follow(&mu, func() { asleep = true }, func() { asleep = false })
		idle := func() bool {
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			return asleep
		}
		time.Sleep(Mute - time.Second)
		l.Stir(false)
		time.Sleep(Mute - time.Second)
		if idle() {
			t.Error("asleep although something moved")
		}
		time.Sleep(time.Second)
		if !idle() {
			t.Error("awake although nothing moves")
		}
		l.Stir(true)
		time.Sleep(Quiet - time.Second)
		if idle() {
			t.Error("asleep too soon after the client spoke")
		}
		time.Sleep(time.Second)
		if !idle() {
			t.Error("awake for ever")
		}
		l.Stir(false)
		l.End()
		time.Sleep(2 * Quiet)
		l.Stir(true)
		if idle() {
			t.Error("asleep after its end")
		}
	})
}

// Whatever happens at once, a stream that moves is awake in the end.
func TestStreamsAreNotPutToSleepWhileTheyMove(t *testing.T) {
	var mu sync.Mutex
	calls := 0
	l := Follow(&mu, func() { calls++ }, func() { calls-- })
	var all sync.WaitGroup
	all.Go(func() {
		for range 10000 {
			l.moved.Add(-int64(Quiet))
			l.look()
		}
	})
	for _, up := range []bool{true, false} {
		all.Go(func() {
			for range 10000 {
				l.Stir(up)
			}
		})
	}
	all.Wait()
	l.Stir(true)
	if l.End(); calls != 0 || l.asleep.Load() {
		t.Errorf("asleep: %v, and rest was called %d times more than rouse", l.asleep.Load(), calls)
	}
}
