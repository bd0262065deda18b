package mapsync

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"landfall"
)

// A store goes back to an old backup while the nodes have newer maps: the
// next change follows what the nodes have.
func TestStoreThatWentBackCatchesUp(t *testing.T) {
	key := NewSigningKey()
	s := openStore(t, t.TempDir(), key)
	ahead := signed(t, testMap(7, 2), key)
	var seen Signed
	c, err := NewControl(ControlConfig{Store: s, Key: key, Seen: func() Signed { return seen }})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Begin(t.Context(), testMap(0, 1)); err != nil {
		t.Fatal(err)
	}
	seen = ahead
	m, err := c.Change(t.Context(), retitle("after the backup"))
	if err != nil || m.Serial != 8 || len(m.Nodes) != 3 {
		t.Errorf("serial %d of %d nodes, %v", m.Serial, len(m.Nodes), err)
	}
	if got, err := s.History(); err != nil || len(got) != 3 || got[1] != 7 {
		t.Errorf("history %v, %v", got, err)
	}
	if doc, m, err := c.Newest(t.Context()); err != nil || doc.Serial != 8 || m.Regions[1].Title != "after the backup" {
		t.Errorf("newest: serial %d, %v", doc.Serial, err)
	}
}

// A store that lost all of its maps, key kept, takes up what nodes have.
func TestEmptyStoreCatchesUp(t *testing.T) {
	key := NewSigningKey()
	s := openStore(t, t.TempDir(), key)
	ahead := signed(t, testMap(7, 2), key)
	c, err := NewControl(ControlConfig{Store: s, Key: key, Seen: func() Signed { return ahead }})
	if err != nil {
		t.Fatal(err)
	}
	if m, err := c.Change(t.Context(), retitle("again")); err != nil || m.Serial != 8 {
		t.Errorf("serial %v, %v", m, err)
	}
}

func TestOnlyNewerMapsOfOursAreAdopted(t *testing.T) {
	key := NewSigningKey()
	c, s := begun(t, key)
	if m, err := c.Change(t.Context(), retitle("two")); err != nil || m.Serial != 2 {
		t.Fatal(err)
	}
	stranger := testMap(9, 1)
	stranger.Network = "other"
	for name, doc := range map[string][]byte{
		"other key":     signed(t, testMap(9, 1), NewSigningKey()).Bytes,
		"other network": signed(t, stranger, key).Bytes,
		"cut off":       signed(t, testMap(9, 1), key).Bytes[:200],
	} {
		if _, err := c.Adopt(t.Context(), doc); err == nil {
			t.Errorf("%s: adopted", name)
		}
	}
	if m, err := c.Adopt(t.Context(), signed(t, testMap(1, 1), key).Bytes); err != nil || m.Serial != 2 {
		t.Errorf("older: %v, %v", m, err)
	}
	if d, _ := s.Get(t.Context()); d.Serial != 2 {
		t.Errorf("the store is at serial %d", d.Serial)
	}
}

func TestChangeFromWhatOneLookedAt(t *testing.T) {
	c, s := begun(t, NewSigningKey())
	if m, err := c.ChangeFrom(t.Context(), 1, retitle("mine")); err != nil || m.Serial != 2 {
		t.Fatalf("%v, %v", m, err)
	}
	called := false
	_, err := c.ChangeFrom(t.Context(), 1, func(*landfall.Map) error { called = true; return nil })
	if !errors.Is(err, ErrConflict) || called || !strings.Contains(err.Error(), "the newest is 2") {
		t.Errorf("%v, called %v", err, called)
	}
	if d, _ := s.Get(t.Context()); d.Serial != 2 {
		t.Errorf("serial %d", d.Serial)
	}
}

func TestNodeStartsFromTheMapItKept(t *testing.T) {
	key, dir := NewSigningKey(), t.TempDir()
	root := openRoot(t, dir)
	if _, err := Newest(root, key.Public()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("empty: %v", err)
	}
	if _, err := Keep(root, key.Public(), signed(t, testMap(5, 1), NewSigningKey()).Bytes); err == nil {
		t.Error("a stranger's map was kept")
	}
	for _, n := range []landfall.Serial{5, 6} {
		if m, err := Keep(root, key.Public(), signed(t, testMap(n, 1), key).Bytes); err != nil || m.Serial != n {
			t.Fatalf("keep: %v, %v", m, err)
		}
	}
	if m, err := Newest(root, key.Public()); err != nil || m.Serial != 6 {
		t.Errorf("newest: %v, %v", m, err)
	}
	bad := filepath.Join(dir, fileName(6))
	if err := os.Truncate(bad, 300); err != nil {
		t.Fatal(err)
	}
	if m, err := Newest(root, key.Public()); err != nil || m.Serial != 5 {
		t.Errorf("newest of a bad one and a good one: %v, %v", m, err)
	}
	if err := os.Remove(filepath.Join(dir, fileName(5))); err != nil {
		t.Fatal(err)
	}
	if _, err := Newest(root, key.Public()); err == nil || !strings.Contains(err.Error(), bad) {
		t.Errorf("newest of a bad one: %v", err)
	}
}

// The key signs two kinds of things, and neither passes for the other.
func TestHelloIsNoMap(t *testing.T) {
	key := NewSigningKey()
	binding, said := [32]byte{1}, []byte("hello")
	sig := key.SignHello(binding, said)
	if !VerifyHello(key.Public(), binding, said, sig) {
		t.Fatal("not even its own")
	}
	if VerifyHello(key.Public(), [32]byte{2}, said, sig) || VerifyHello(key.Public(), binding, []byte("hullo"), sig) ||
		VerifyHello(NewSigningKey().Public(), binding, said, sig) || VerifyHello(key.Public(), binding, said, nil) {
		t.Error("fits what was not signed")
	}
	body := append(bytes.Clone(binding[:]), said...)
	pub := key.Public()
	if ed25519.Verify(pub[:], message(body), sig) {
		t.Error("a hello's signature fits a map")
	}
}
