package measure

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io/fs"
	"net/netip"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"landfall"
	"landfall/geodns/keep/keeptest"
)

func tempRoot(t testing.TB) *os.Root {
	t.Helper()
	dir, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dir.Close() })
	return dir
}

// A name server that is started again goes on as if nothing had been.
func TestLearningOutlivesARestart(t *testing.T) {
	one, two := newSimulation(t, newEarth(1, 300, 0.15)), newSimulation(t, newEarth(1, 300, 0.15))
	one.run(40)
	two.run(40)
	dir := tempRoot(t)
	if err := two.book.Save(dir, "it"); err != nil {
		t.Fatal(err)
	}
	fresh, err := New(two.book.cfg)
	if err != nil {
		t.Fatal(err)
	}
	fresh.SetMap(two.m)
	if err := fresh.Load(dir, "it"); err != nil {
		t.Fatal(err)
	}
	if again := fresh.Freeze(two.world()); !reflect.DeepEqual(again, two.view) {
		t.Error("the view of the same epoch is another after the restart")
	}
	two.book = fresh
	for range 10 {
		one.step()
		two.step()
		if !reflect.DeepEqual(one.view, two.view) {
			t.Fatalf("epoch %d: another view after the restart", one.view.Epoch())
		}
	}
}

func TestDamagedFilesAreRefused(t *testing.T) {
	s := newSimulation(t, newEarth(1, 8, 0.15))
	s.run(8)
	whole := s.book.encode()
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"empty":           {nil, "not a file of this version"},
		"of another kind": {[]byte("something else altogether"), "not a file of this version"},
		"version alone":   {whole[:len(version)], "checksum"},
		"half":            {whole[:len(whole)/2], "checksum"},
		"one byte less":   {whole[:len(whole)-1], "checksum"},
		"one byte more":   {append(bytes.Clone(whole), 0), "checksum"},
		"cut, signed":     {signed(whole[len(version) : len(whole)/2]), "before the end"},
		"more, signed":    {signed(append(bytes.Clone(whole[len(version):len(whole)-4]), 0)), "more than was to come"},
		"another epoch":   {signed([]byte{1, 0, 0, 0, 0}), "epochs last"},
	} {
		b, err := New(s.book.cfg)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.decode(c.file); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if len(b.entries) > 0 || len(b.edges) > 0 {
			t.Errorf("%s: something was learnt of it", name)
		}
	}
	for i := range whole { // a bit at a time
		damaged := bytes.Clone(whole)
		damaged[i] ^= 1 << (i % 8)
		if err := s.book.decode(damaged); err == nil {
			t.Fatalf("a file with bit %d of byte %d changed is taken", i%8, i)
		}
	}
}

// signed is a file with that body.
func signed(body []byte) []byte {
	file := append([]byte(version), body...)
	return binary.BigEndian.AppendUint32(file, crc32.ChecksumIEEE(file))
}

func TestNoFileIsNoDamage(t *testing.T) {
	b, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Load(tempRoot(t), "it"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

// FuzzLoad reads files whose checksum is right; what is taken can be worked
// with and comes back the same.
func FuzzLoad(f *testing.F) {
	s := newSimulation(f, newEarth(1, 6, 0.5))
	f.Add([]byte{})
	for range 3 {
		s.run(4)
		whole := s.book.encode()
		f.Add(whole[len(version) : len(whole)-4])
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		b, err := New(s.book.cfg)
		if err != nil {
			t.Fatal(err)
		}
		b.SetMap(s.m)
		if err := b.decode(signed(body)); err != nil {
			return
		}
		again, err := New(s.book.cfg)
		if err != nil {
			t.Fatal(err)
		}
		again.SetMap(s.m)
		if err := again.decode(b.encode()); err != nil {
			t.Fatalf("what was read and written is not read: %v", err)
		}
		if !reflect.DeepEqual(b.entries, again.entries) || !reflect.DeepEqual(b.edges, again.edges) {
			t.Fatal("what was read and written comes back otherwise")
		}
		w := s.world()
		known := w.Prior
		w.Prior = func(p netip.Prefix) []Guess {
			if _, ok := s.index[p]; ok {
				return known(p)
			}
			return s.clients[0].guess
		}
		w.Weight = nil
		b.Freeze(w)
		b.Add("fra", []landfall.Sample{{Prefix: s.clients[0].prefix, RTT: time.Millisecond, Count: 1, When: s.now}})
		b.Freeze(w)
	})
}

func TestKilledProcessLeavesAWholeFile(t *testing.T) {
	now := time.Unix(1_500_000_000, 0)
	learning, err := New(Config{Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	m := testMap()
	learning.SetMap(m)
	first := learning.epoch(now)
	keeptest.Kill(t, func(dir *os.Root, state int) error { // an epoch after the one before
		now = now.Add(DefaultEpoch)
		learning.Add("fra", crowd(2000, now))
		learning.Freeze(World{Map: m, Prior: Nearest(m, fixed{})})
		return learning.Save(dir, "it")
	}, func(dir *os.Root, said int) {
		b, err := New(Config{})
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Load(dir, "it"); err != nil {
			t.Fatal(err)
		}
		if state := int(b.frozen - first); state < said || len(b.entries) != 2000 {
			t.Fatalf("%d prefixes in state %d; state %d was said to be kept", len(b.entries), state, said)
		}
	})
}
