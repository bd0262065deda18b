package world

import (
	"context"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"landfall"
)

// start runs a world on free ports until the test ends.
func start(t *testing.T) *World {
	t.Helper()
	w, err := Open(Config{
		Dir: t.TempDir(), Ocean: DefaultOcean(), Started: time.Now(),
		Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	if err := w.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w
}

// TestEndsInTimeAndLeavesNoGoroutine interrupts a world with clients on all
// its edges.
func TestEndsInTimeAndLeavesNoGoroutine(t *testing.T) {
	before := runtime.NumGoroutine()
	w, err := Open(Config{Dir: t.TempDir(), Ocean: DefaultOcean(), Started: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	if err := w.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	streams := openStreams(t, w, 3)
	stopped := time.Now()
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if took := time.Since(stopped); took > 2*time.Second {
		t.Errorf("took %v to end", took)
	}
	for _, s := range streams {
		s.close()
	}
	noGoroutinesBeyond(t, before)
}

// noGoroutinesBeyond waits for goroutines that are on their way out.
func noGoroutinesBeyond(t *testing.T, before int) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before; <-tick.C {
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<20)
			stacks = stacks[:runtime.Stack(stacks, true)]
			t.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, stacks)
		}
	}
}

// TestStartsAgainFromItsState keeps keys, drains and the account, whatever
// ports the next start finds.
func TestStartsAgainFromItsState(t *testing.T) {
	dir := t.TempDir()
	var accounts []Account
	var keys []landfall.PublicKey
	for round := range 2 {
		w, err := Open(Config{Dir: dir, Ocean: DefaultOcean(), Started: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- w.Run(ctx) }()
		if err := w.Ready(ctx); err != nil {
			t.Fatal(err)
		}
		m := w.Map()
		nyc, _ := m.Node("nyc1")
		accounts, keys = append(accounts, w.First), append(keys, nyc.Key)
		if round == 0 {
			if _, err := w.home.Control.Change(ctx, func(m *landfall.Map) error { m.Nodes[1].State = landfall.Draining; return nil }); err != nil {
				t.Error(err)
			}
		} else if nyc.EffectiveState() != landfall.Draining {
			t.Errorf("nyc1 is %s after the second start, want draining", nyc.EffectiveState())
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	if accounts[0] != accounts[1] || keys[0] != keys[1] {
		t.Error("the second start has another account or key")
	}
}

// TestNothingSecretIsReadableByOthers walks the state of a world.
func TestNothingSecretIsReadableByOthers(t *testing.T) {
	dir := t.TempDir()
	w, err := Open(Config{Dir: dir, Ocean: DefaultOcean(), Started: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.close(); err != nil {
		t.Fatal(err)
	}
	public := func(path string) bool {
		return strings.HasSuffix(path, "geo.mmdb") || strings.HasSuffix(path, ".crt")
	}
	err = walkFiles(dir, func(path string, info os.FileInfo) {
		if info.Mode().Perm()&0o077 != 0 && !public(path) {
			t.Errorf("%s may be read by others: %v", path, info.Mode())
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}
