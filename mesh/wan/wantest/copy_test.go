package wantest

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// What stands in go.mod is the version whose timers we know.
func TestPinnedTimersAreKnown(t *testing.T) {
	dir, err := command(t.Context(), ".", "list", "-m", "-f", "{{.Dir}}", upstream)
	if err != nil {
		t.Fatal(err)
	}
	to := t.TempDir()
	if err := copyEven(dir, to); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(to, "device", "timers.go"))
	if err != nil || bytes.Contains(b, []byte("linkname")) || !bytes.Contains(b, []byte(noLuck)) {
		t.Errorf("luck is still in it: %v", err)
	}
	if tests, _ := filepath.Glob(filepath.Join(to, "*", "*_test.go")); len(tests) > 0 {
		t.Errorf("tests were copied: %v", tests)
	}
}

func TestOtherTimersAreRefused(t *testing.T) {
	from := t.TempDir()
	if err := os.Mkdir(filepath.Join(from, "device"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, timers := range []string{"", "package device\n\n" + luck} {
		if err := os.WriteFile(filepath.Join(from, "device", "timers.go"), []byte(timers), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := copyEven(from, t.TempDir()); !errors.Is(err, errUnknown) {
			t.Errorf("%q: %v", timers, err)
		}
	}
}

func TestBuildSaysWhatIsWrong(t *testing.T) {
	for _, c := range []struct{ dir, pkg string }{{".", "landfall/mesh/none"}, {t.TempDir(), "landfall/mesh/wan"}} {
		if p, err := Build(t.Context(), c.dir, c.pkg); err == nil {
			p.Close()
			t.Errorf("%+v was built", c)
		} else {
			t.Log(err)
		}
	}
}
