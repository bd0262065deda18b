package systemd

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestWatchdogIsToldThreeTimesInItsTime(t *testing.T) {
	c := manager(t)
	t.Setenv("WATCHDOG_USEC", strconv.Itoa(30_000))
	t.Setenv("WATCHDOG_PID", strconv.Itoa(os.Getpid()))
	w, err := NewWatchdog(WatchdogConfig{Alive: func(context.Context) error { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	if w.every != 10*time.Millisecond {
		t.Errorf("a sign every %v, want every 10ms", w.every)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- w.Run(ctx) }()
	for range 3 {
		if got := heard(t, c); got != "WATCHDOG=1" {
			t.Errorf("manager hears %q, want WATCHDOG=1", got)
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestWatchdogIsSilentWhileTheServiceIsIll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ill atomic.Bool
		var signs atomic.Int64
		alive := func(context.Context) error {
			if ill.Load() {
				return errors.New("the map has stopped")
			}
			return nil
		}
		w := &Watchdog{
			cfg:   WatchdogConfig{Alive: alive, Log: slog.New(slog.DiscardHandler)},
			every: 10 * time.Second,
			sign:  func() error { signs.Add(1); return nil },
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- w.Run(ctx) }()
		time.Sleep(5 * time.Second) // between two ticks from here on

		for _, step := range []struct {
			ill  bool
			want int64 // signs, half a minute later
		}{{false, 4}, {true, 4}, {false, 7}} {
			ill.Store(step.ill)
			time.Sleep(30 * time.Second)
			synctest.Wait()
			if got := signs.Load(); got != step.want {
				t.Errorf("%d signs, want %d", got, step.want)
			}
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestWatchdogThatNobodyAsksForWaits(t *testing.T) {
	for name, env := range map[string][2]string{
		"not asked":       {"", ""},
		"another process": {"30000000", "1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("WATCHDOG_USEC", env[0])
			t.Setenv("WATCHDOG_PID", env[1])
			w, err := NewWatchdog(WatchdogConfig{Alive: func(context.Context) error {
				t.Error("asked for a sign that nobody waits for")
				return nil
			}})
			if err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithCancel(t.Context())
			stop()
			if err := w.Run(ctx); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestWatchdogRefusesWhatItCannotRead(t *testing.T) {
	t.Setenv("WATCHDOG_USEC", "soon")
	if _, err := NewWatchdog(WatchdogConfig{Alive: func(context.Context) error { return nil }}); err == nil {
		t.Error("$WATCHDOG_USEC=soon is taken")
	}
	if _, err := NewWatchdog(WatchdogConfig{}); err == nil {
		t.Error("a watchdog without Alive is made")
	}
}
