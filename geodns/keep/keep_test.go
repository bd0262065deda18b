package keep

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"testing"
)

func open(t *testing.T) *os.Root {
	t.Helper()
	dir, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dir.Close() })
	return dir
}

func text(s string) func(io.Writer) error {
	return func(w io.Writer) error { _, err := io.WriteString(w, s); return err }
}

func TestWriteReplacesTheFileOrLeavesItAsItWas(t *testing.T) {
	dir := open(t)
	if err := Write(dir, "state", text("first")); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	long := strings.Repeat("half of it", 1<<15)
	err := Write(dir, "state", func(w io.Writer) error { return errors.Join(text(long)(w), broken) })
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "keep state") {
		t.Errorf("got %v", err)
	}
	if b, err := dir.ReadFile("state"); string(b) != "first" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
	if err := Write(dir, "state", text("second")); err != nil {
		t.Fatal(err)
	}
	if b, err := dir.ReadFile("state"); string(b) != "second" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
	if _, err := dir.Stat("state" + temporary); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the unfinished file is still there: %v", err)
	}
}

func TestWriteSaysWhereItCannot(t *testing.T) {
	dir := open(t)
	if err := Write(dir, "no/such/folder", text("x")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if err := dir.Mkdir("state", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Write(dir, "state", text("x")); err == nil {
		t.Error("a folder was replaced by a file")
	}
}
