package mapsync

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"landfall"
)

func TestStoreSwapsOnlyWhatItCompared(t *testing.T) {
	key := NewSigningKey()
	s := openStore(t, t.TempDir(), key)
	ctx := t.Context()
	if d, err := s.Get(ctx); err != nil || d.Serial != 0 {
		t.Fatalf("empty store: %+v, %v", d, err)
	}
	one, two := signed(t, testMap(1, 1), key), signed(t, testMap(2, 1), key)
	for _, c := range []struct {
		name string
		old  landfall.Serial
		next Signed
		want error
	}{
		{"not empty yet", 1, two, ErrConflict},
		{"first", 0, one, nil},
		{"first again", 0, one, ErrConflict},
		{"second", 1, two, nil},
		{"second again", 1, two, ErrConflict},
	} {
		if err := s.CompareAndSwap(ctx, c.old, c.next); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	if d, _ := s.Get(ctx); d.Serial != 2 || !bytes.Equal(d.Bytes, two.Bytes) {
		t.Errorf("newest is serial %d", d.Serial)
	}
}

func TestStoreTakesNothingUnproven(t *testing.T) {
	key := NewSigningKey()
	s := openStore(t, t.TempDir(), key)
	stranger := signed(t, testMap(1, 1), NewSigningKey())
	mislabelled := signed(t, testMap(1, 1), key)
	mislabelled.Serial = 2
	backwards := signed(t, testMap(1, 1), key)
	for name, err := range map[string]error{
		"stranger":    s.CompareAndSwap(t.Context(), 0, stranger),
		"mislabelled": s.CompareAndSwap(t.Context(), 0, mislabelled),
		"backwards":   s.CompareAndSwap(t.Context(), 1, backwards),
	} {
		if err == nil || errors.Is(err, ErrConflict) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestStoreSurvivesReopening(t *testing.T) {
	key, dir := NewSigningKey(), t.TempDir()
	s := openStore(t, dir, key)
	d := signed(t, testMap(1, 2), key)
	if err := s.CompareAndSwap(t.Context(), 0, d); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenStore(openRoot(t, dir), key.Public()); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("opened twice: %v", err)
	}
	s.Close()
	if got, _ := openStore(t, dir, key).Get(t.Context()); !bytes.Equal(got.Bytes, d.Bytes) {
		t.Errorf("reopened at serial %d", got.Serial)
	}
}

func TestDamagedStoreIsNamedAndLeftAlone(t *testing.T) {
	key := NewSigningKey()
	for name, damage := range map[string]func(b []byte) []byte{
		"cut off":     func(b []byte) []byte { return b[:len(b)/2] },
		"empty":       func(b []byte) []byte { return nil },
		"changed":     func(b []byte) []byte { b[len(b)/2] ^= 1; return b },
		"other's map": func([]byte) []byte { return signed(t, testMap(2, 1), NewSigningKey()).Bytes },
		"misnamed":    func([]byte) []byte { return signed(t, testMap(9, 1), key).Bytes },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := openStore(t, dir, key)
			for n := range landfall.Serial(2) {
				if err := s.CompareAndSwap(t.Context(), n, signed(t, testMap(n+1, 1), key)); err != nil {
					t.Fatal(err)
				}
			}
			s.Close()
			file := filepath.Join(dir, fileName(2))
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			b = damage(b)
			if err := os.WriteFile(file, b, 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := OpenStore(openRoot(t, dir), key.Public()); err == nil || !strings.Contains(err.Error(), file) {
				t.Errorf("opening: %v, want an error that names %s", err, file)
			}
			if now, _ := os.ReadFile(file); !bytes.Equal(now, b) {
				t.Error("the damaged file was overwritten")
			}
			// The lock is free again: the cure is to put back a good copy.
			if err := os.WriteFile(file, signed(t, testMap(2, 1), key).Bytes, 0o600); err != nil {
				t.Fatal(err)
			}
			openStore(t, dir, key)
		})
	}
}

func TestStoreKeepsItsHistory(t *testing.T) {
	key := NewSigningKey()
	s := openStore(t, t.TempDir(), key)
	s.shelf.keep = 5
	for n := range landfall.Serial(12) {
		if err := s.CompareAndSwap(t.Context(), n, signed(t, testMap(n+1, 1), key)); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.History()
	if err != nil || len(got) != 5 || got[0] != 12 || got[4] != 8 {
		t.Errorf("history %v, %v", got, err)
	}
	if m, err := s.Load(9); err != nil || m.Serial != 9 {
		t.Errorf("load 9: %v", err)
	}
	if _, err := s.Load(3); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("load 3: %v", err)
	}
}

func TestStoreWatchWakesAtOnce(t *testing.T) {
	key := NewSigningKey()
	s := openStore(t, t.TempDir(), key)
	got := make(chan Signed)
	go func() {
		d, _ := s.Watch(t.Context(), 0)
		got <- d
	}()
	if err := s.CompareAndSwap(t.Context(), 0, signed(t, testMap(1, 1), key)); err != nil {
		t.Fatal(err)
	}
	if d := <-got; d.Serial != 1 {
		t.Errorf("watch gave serial %d", d.Serial)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Watch(ctx, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("watch after cancel: %v", err)
	}
}

// brittle is a disk on which the power goes at a given step.
type brittle struct {
	disk
	left *int // steps until then
	torn bool // the step is left half done rather than not at all
}

var errPower = errors.New("power cut")

// dies counts a step down; it reports whether the power is gone before it,
// and whether this is the very step.
func (d brittle) dies() (gone, now bool) {
	*d.left--
	return *d.left < 0, *d.left == -1
}

func (d brittle) create(name string, b []byte) error {
	gone, now := d.dies()
	if now && d.torn {
		d.disk.create(name, b[:len(b)/2])
	}
	if gone {
		return errPower
	}
	return d.disk.create(name, b)
}

func (d brittle) step(f func() error) error {
	gone, now := d.dies()
	if now && d.torn {
		f() // it happened, but nobody was told
	}
	if gone {
		return errPower
	}
	return f()
}

func (d brittle) rename(a, b string) error {
	return d.step(func() error { return d.disk.rename(a, b) })
}
func (d brittle) link(a, b string) error { return d.step(func() error { return d.disk.link(a, b) }) }
func (d brittle) remove(name string) error {
	return d.step(func() error { return d.disk.remove(name) })
}
func (d brittle) sync() error { return d.step(d.disk.sync) }

// The power goes before or within each step of a write: what is there
// afterwards is the old map or the new one, and the store goes on from it.
func TestPowerCutLeavesOldOrNew(t *testing.T) {
	key := NewSigningKey()
	one, two := signed(t, testMap(1, 1), key), signed(t, testMap(2, 1), key)
	for _, torn := range []bool{false, true} {
		whole := false
		for at := 0; !whole; at++ {
			if at > 100 {
				t.Fatal("the write never ends")
			}
			dir := t.TempDir()
			s := openStore(t, dir, key)
			s.shelf.keep = 1
			if err := s.CompareAndSwap(t.Context(), 0, one); err != nil {
				t.Fatal(err)
			}
			left := at
			s.shelf.disk = brittle{s.shelf.disk, &left, torn}
			failed := s.CompareAndSwap(t.Context(), 1, two)
			whole = left > 0
			s.Close()

			s = openStore(t, dir, key)
			d, _ := s.Get(t.Context())
			if d.Serial != 2 && (d.Serial != 1 || failed == nil) {
				t.Fatalf("step %d, torn %v: serial %d after %v", at, torn, d.Serial, failed)
			}
			if err := s.CompareAndSwap(t.Context(), d.Serial, signed(t, testMap(d.Serial+1, 1), key)); err != nil {
				t.Fatalf("step %d, torn %v: next change: %v", at, torn, err)
			}
			if names, _ := (rootDisk{openRoot(t, dir)}).names(); strings.Contains(strings.Join(names, " "), tempSuffix) {
				t.Errorf("step %d, torn %v: left behind %v", at, torn, names)
			}
			s.Close()
		}
	}
}

// A process that is killed while it changes maps as fast as it can.
func TestKilledProcessLeavesAGoodStore(t *testing.T) {
	if dir := os.Getenv("MAPSYNC_TEST_DIR"); dir != "" {
		changeForEver(t, dir)
	}
	if testing.Short() {
		t.Skip("starts processes")
	}
	dir := t.TempDir()
	key, err := OpenSigningKey(openRoot(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	rounds := 8
	if os.Getenv("LANDFALL_SOAK") != "" {
		rounds = 300
	}
	var last landfall.Serial
	for round := range rounds {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKilledProcessLeavesAGoodStore$")
		cmd.Env = append(os.Environ(), "MAPSYNC_TEST_DIR="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		acknowledged := readSerials(out, last+landfall.Serial(5+3*(round%8)))
		cmd.Process.Kill()
		cmd.Wait()
		s := openStore(t, dir, key)
		d, _ := s.Get(t.Context())
		if d.Serial < acknowledged {
			t.Fatalf("round %d: serial %d was acknowledged, %d is there", round, acknowledged, d.Serial)
		}
		last = d.Serial
		s.Close()
	}
}

// readSerials reads the child's acknowledgements up to a serial.
func readSerials(out interface{ Read([]byte) (int, error) }, until landfall.Serial) (last landfall.Serial) {
	var line []byte
	b := make([]byte, 1)
	for last < until {
		if _, err := out.Read(b); err != nil {
			return last
		}
		if b[0] != '\n' {
			line = append(line, b[0])
			continue
		}
		if n, err := strconv.ParseUint(string(line), 10, 64); err == nil {
			last = landfall.Serial(n)
		}
		line = line[:0]
	}
	return last
}

func changeForEver(t *testing.T, dir string) {
	key, err := OpenSigningKey(openRoot(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	c := newControl(t, openStore(t, dir, key), key)
	if _, err := c.Begin(t.Context(), testMap(0, 1)); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); {
		m, err := c.Change(t.Context(), func(m *landfall.Map) error {
			m.Regions[1].Title = strconv.Itoa(int(m.Serial))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		os.Stdout.WriteString(strconv.FormatUint(uint64(m.Serial), 10) + "\n")
	}
}
