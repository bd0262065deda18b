package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// standIn is a program that keeps the contract with the harness: what
// `landfall dev` prints, and that it ends when interrupted.
const standIn = `#!/bin/sh
case "$*" in
*--tour*)
	echo '{"ready_ms":12,"server_ms":2,"steps":[
		{"name":"page, cold","straight_ms":460,"edge_ms":178.5,"straight_floor_ms":450,"edge_floor_ms":170},
		{"name":"page, warm","straight_ms":151,"edge_ms":151,"straight_floor_ms":150,"edge_floor_ms":150}]}' ;;
*)
	echo "starting"
	echo "ready in 0.01 s"
	echo "more to read"
	sleep 60 & child=$!
	trap 'kill $child; exit 0' INT
	wait ;;
esac
`

func program(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "landfall")
	if err := os.WriteFile(file, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestSkeletonMeasuresWhatItRuns(t *testing.T) {
	var out, progress bytes.Buffer
	results := t.TempDir()
	err := run(t.Context(), []string{"-landfall", program(t, standIn), "-rounds", "2", "-idle", "50ms", "-results", results, "skeleton"}, &out, &progress)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"medians of 2 rounds", "binary", "process start to ready", "RSS", "page, cold", "178.5 (178.5 – 178.5)", "5.0%", "2.58x"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
	kept, err := filepath.Glob(filepath.Join(results, "skeleton-*.txt"))
	if err != nil || len(kept) != 1 {
		t.Fatalf("kept %v, %v", kept, err)
	}
	if b, _ := os.ReadFile(kept[0]); out.String() != string(b)+"\n" {
		t.Error("the table that was kept is another")
	}
}

func TestSkeletonSaysWhatWentWrong(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"ends by itself": {"#!/bin/sh\necho port taken >&2\nexit 3\n", "port taken"},
		"bad tour":       {"#!/bin/sh\ncase \"$*\" in *--tour*) echo oops;; *) echo ready in 1 s; sleep 60 & c=$!; trap 'kill $c; exit 0' INT; wait;; esac\n", "oops"},
		"empty tour":     {"#!/bin/sh\ncase \"$*\" in *--tour*) echo '{}';; *) echo ready in 1 s; sleep 60 & c=$!; trap 'kill $c; exit 0' INT; wait;; esac\n", "no steps"},
	} {
		t.Run(name, func(t *testing.T) {
			var out, progress bytes.Buffer
			err := run(t.Context(), []string{"-landfall", program(t, c.text), "-rounds", "1", "-idle", "50ms", "-results", "", "skeleton"}, &out, &progress)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

func TestSettleWaitsForSilence(t *testing.T) {
	lines := make(chan line, 3)
	start := time.Now()
	lines <- line{"starting", start.Add(time.Second)}
	lines <- line{"ready in 2 s", start.Add(2 * time.Second)}
	lines <- line{"table", start.Add(3 * time.Second)}
	if ready, err := settle(t.Context(), lines, start, time.Millisecond); err != nil || ready != 2*time.Second {
		t.Errorf("ready after %v, %v", ready, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := settle(ctx, lines, start, time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}

func TestMemoryOfOurselves(t *testing.T) {
	u, err := memory(os.Getpid())
	if err != nil || u.rss < 1<<20 || u.pss < 1<<20 || u.pss > 2*u.rss {
		t.Errorf("%+v, %v", u, err)
	}
	if _, err := kilobytes([]byte("VmRSS: 12 MB\n"), "VmRSS:"); err == nil {
		t.Error("another unit was taken")
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		s    sample
		want float64
	}{{nil, 0}, {sample{3}, 3}, {sample{3, 1}, 2}, {sample{9, 1, 2}, 2}, {sample{4, 1, 3, 2}, 2.5}} {
		if got := c.s.median(); got != c.want {
			t.Errorf("median of %v: %v, want %v", c.s, got, c.want)
		}
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{{}, {"nothing"}, {"-rounds", "0", "skeleton"}, {"skeleton", "more"}, {"-rounds", "0", "ops"}} {
		if err := run(t.Context(), args, new(bytes.Buffer), new(bytes.Buffer)); err == nil {
			t.Errorf("%q was fine", args)
		}
	}
}
