package cli

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"landfall"
)

const followedNetwork = `
name = "shop"
domain = "edge.example.com"
[[region]]
id = "fra"
place = "50.11,8.68"
home = true
[[zone]]
name = "example.com"
file = "zones/example.com.zone"
`

// lockedBuffer is written by one and read by another.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// A name server alone serves what its files say, and what they said as long as
// they say nothing good.
func TestNetworkFileIsFollowed(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "zones"), 0o755); err != nil {
		t.Fatal(err)
	}
	write("network.toml", followedNetwork)
	write("zones/example.com.zone", "www A 192.0.2.1\n$INCLUDE more\n")
	write("zones/more", "a A 192.0.2.1\n")
	synctest.Test(t, func(t *testing.T) {
		var log lockedBuffer
		f := &networkFile{
			env: &Env{Dir: dir}, name: "network.toml", log: slog.New(slog.NewTextHandler(&log, nil)),
			prepare: func(m *landfall.Map) error { return nil },
		}
		first, err := f.open()
		if err != nil || first.Serial == 0 {
			t.Fatal(first, err)
		}
		var mu sync.Mutex
		var applied []*landfall.Map
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			f.follow(ctx, func(m *landfall.Map) {
				mu.Lock()
				defer mu.Unlock()
				applied = append(applied, m)
			})
			close(done)
		}()
		// changes reports how many maps came of a change of files.
		changes := func(what string, want int, change func()) {
			t.Helper()
			mu.Lock()
			before := len(applied)
			mu.Unlock()
			change()
			time.Sleep(5 * followEvery)
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			if got := len(applied) - before; got != want {
				t.Errorf("%s: %d new maps, want %d; log:\n%s", what, got, want, &log)
			}
		}
		changes("nothing", 0, func() {})
		changes("a record more", 1, func() { write("zones/more", "a A 192.0.2.1\nbb A 192.0.2.2\n") })
		changes("a fault", 0, func() { write("zones/more", "a A 192.0.2.1\nbad  A 192.0.2.777\n") })
		if want := "zones/more:2:8: "; !strings.Contains(log.String(), want) || strings.Count(log.String(), "refused") != 1 {
			t.Errorf("no %q, or more than one of them, in the log:\n%s", want, &log)
		}
		if got := f.now.Load(); got != applied[0] {
			t.Error("the map in force is not the good one")
		}
		changes("no file", 0, func() { _ = os.Remove(filepath.Join(dir, "zones/more")) })
		changes("the file again, as it was", 0, func() { write("zones/more", "bb A 192.0.2.2\na A 192.0.2.1 ; the same\n") })
		changes("one record less", 1, func() { write("zones/more", "a A 192.0.2.1\n") })
		changes("another network", 1, func() { write("network.toml", strings.ReplaceAll(followedNetwork, "50.11", "50.12")) })
		for i, m := range append([]*landfall.Map{first}, applied...) {
			if i > 0 && m.Serial <= first.Serial {
				t.Errorf("serial %d after %d", m.Serial, first.Serial)
			}
			first = m
		}
		stop()
		<-done
	})
}
