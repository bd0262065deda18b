package measure

import (
	"bytes"
	"context"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"landfall"
)

// running is a Book whose Run was begun, and the views that it handed on.
type running struct {
	book *Book
	mu   sync.Mutex
	all  []*View
	stop func() error
}

func run(t *testing.T, c Config) *running {
	t.Helper()
	r := &running{}
	m := testMap()
	c.World = func() World {
		return World{Map: m, Prior: func(netip.Prefix) []Guess { return []Guess{{Edge: "fra"}, {Edge: "nyc"}} }}
	}
	c.Changed = func(v *View) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.all = append(r.all, v)
	}
	var err error
	if r.book, err = New(c); err != nil {
		t.Fatal(err)
	}
	r.book.SetMap(m)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- r.book.Run(ctx) }()
	r.stop = func() error { cancel(); return <-done }
	return r
}

func (r *running) views() []*View {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.all
}

func TestRunMakesAViewAtTheBeginningOfEachEpoch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(77 * time.Second) // begins within an epoch
		r := run(t, Config{})
		synctest.Wait()
		if n := len(r.views()); n != 1 {
			t.Fatalf("%d views at the beginning, want one", n)
		}
		time.Sleep(DefaultEpoch - 78*time.Second)
		synctest.Wait()
		if n := len(r.views()); n != 1 {
			t.Fatalf("%d views before the first epoch ends", n)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		views := r.views()
		if len(views) != 2 || views[1].Epoch() != views[0].Epoch()+1 {
			t.Fatalf("%d views after it", len(views))
		}
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestRunHeedsANewMapAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, Config{})
		synctest.Wait()
		r.book.SetMap(testMap())
		synctest.Wait()
		if views := r.views(); len(views) != 2 || views[1].Epoch() != views[0].Epoch() {
			t.Errorf("%d views after a new map, want two of one epoch", len(views))
		}
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestRunKeepsWhatItLearns(t *testing.T) {
	dir := tempRoot(t)
	synctest.Test(t, func(t *testing.T) {
		r := run(t, Config{Keep: dir})
		synctest.Wait()
		said := landfall.Sample{Prefix: netip.MustParsePrefix("192.0.2.0/24"), RTT: 30 * time.Millisecond, Count: 20}
		for range 4 {
			said.When = time.Now()
			r.book.Add("fra", []landfall.Sample{said})
			time.Sleep(DefaultEpoch)
			synctest.Wait()
		}
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
		again := run(t, Config{Keep: dir})
		synctest.Wait()
		v, ok := again.views()[0].Find(said.Prefix.Addr())
		if !ok || len(v.Estimates) != 1 || v.Estimates[0].RTT != said.RTT {
			t.Errorf("after a restart: %+v, %v", v, ok)
		}
		if err := again.stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestDamagedFileIsSaidInTheLog(t *testing.T) {
	dir := tempRoot(t)
	if err := dir.WriteFile(fileName, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		r := run(t, Config{Keep: dir, Log: slog.New(slog.NewTextHandler(&log, nil))})
		synctest.Wait()
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	})
	if !strings.Contains(log.String(), "round trips are measured anew") || !strings.Contains(log.String(), fileName) {
		t.Errorf("the log says %q", log.String())
	}
}

func TestRunWantsAWorld(t *testing.T) {
	b, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Run(t.Context()); err == nil {
		t.Error("it runs without one")
	}
}

// Samples, views and figures may come at the same time.
func TestBookIsForManyAtOnce(t *testing.T) {
	b, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	m := testMap()
	b.SetMap(m)
	w := World{Map: m, Prior: func(netip.Prefix) []Guess { return []Guess{{Edge: "fra"}, {Edge: "nyc"}} }}
	var wg sync.WaitGroup
	for _, n := range m.Nodes {
		wg.Go(func() {
			for range 20 {
				b.Add(n.ID, crowd(20, time.Now()))
				b.Stats()
				for v := range b.Freeze(w).All() {
					_ = v.Estimates
				}
			}
		})
	}
	wg.Wait()
	if got := b.Stats(); got.Samples+got.Hearsay != 6*20*20 {
		t.Errorf("%+v", got)
	}
}
