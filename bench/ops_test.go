package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestOpsShowsFiguresBesideAims(t *testing.T) {
	f := operations{invited: sample{2, 1, 3}, told: sample{1.5}, cached: sample{4}, second: sample{0.25}}
	var out bytes.Buffer
	if err := f.write(&out, "here", 3); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"medians of 3 rounds", "2.00 s", "(1.00 – 3.00)", "at most 15 s", "at most 10 s: TTL and 5 s", "0.25 s", "TTL 5s"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
}

func TestOpsSaysWhatItLacks(t *testing.T) {
	err := run(t.Context(), []string{"-root", t.TempDir(), "-results", "", "ops"}, new(bytes.Buffer), new(bytes.Buffer))
	if err == nil || !strings.Contains(err.Error(), "pebble") {
		t.Errorf("without a tree: %v", err)
	}
}
