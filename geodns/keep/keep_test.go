package keep

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync"
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

// Two who write the same file, as processes do while one takes the place of
// the other, leave what one of them wrote.
func TestWritersTakeTurns(t *testing.T) {
	dir := open(t)
	var writing sync.WaitGroup
	for _, s := range []string{"a", "b"} {
		writing.Go(func() {
			for range 20 {
				if err := Write(dir, "state", text(strings.Repeat(s, 200<<10))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writing.Wait()
	b, err := dir.ReadFile("state")
	if err != nil || len(b) != 200<<10 || strings.Trim(string(b), string(b[:1])) != "" {
		t.Errorf("%d bytes of both, %v", len(b), err)
	}
}
