package node

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"landfall"
)

func TestStateKeepsItsKeys(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "fra1")
	a, err := OpenState(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := OpenState(dir); err == nil || !strings.Contains(err.Error(), "another landfall runs in it") {
		t.Errorf("opened twice: %v", err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := OpenState(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if a.Key != b.Key || a.Sealing.X25519 != b.Sealing.X25519 || string(a.Sealing.MLKEM) != string(b.Sealing.MLKEM) {
		t.Error("the second start has other keys")
	}
	for _, name := range []string{keyFile, sealingFile} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
}

func TestBadKeyFilesAreNamedAndLeftAlone(t *testing.T) {
	for _, name := range []string{keyFile, sealingFile} {
		for _, junk := range []string{"", "junk", "wg-key:AAAA", "sealing-key:00"} {
			dir := t.TempDir()
			path := filepath.Join(dir, name)
			if err := os.WriteFile(path, []byte(junk), 0o600); err != nil {
				t.Fatal(err)
			}
			s, err := OpenState(dir)
			if err == nil {
				s.Close()
				t.Errorf("%s with %q was taken", name, junk)
				continue
			}
			if !strings.Contains(err.Error(), path) {
				t.Errorf("%s with %q: the error does not name the file: %v", name, junk, err)
			}
			if left, err := os.ReadFile(path); err != nil || string(left) != junk {
				t.Errorf("%s with %q: left %q, %v", name, junk, left, err)
			}
		}
	}
}

func TestStateThatOthersCouldReachIsRefused(t *testing.T) {
	dir := t.TempDir()
	for mode, want := range map[os.FileMode]string{0o777: "may be written by others", 0o720: "may be written by others"} {
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenState(dir); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("a directory of mode %o: %v", mode, err)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	s, err := OpenState(dir)
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	for _, name := range []string{keyFile, sealingFile} {
		path := filepath.Join(dir, name)
		if err := os.Chmod(path, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenState(dir); err == nil || !strings.Contains(err.Error(), path+" may be read by others") {
			t.Errorf("%s for all to read: %v", name, err)
		}
		if err := os.Chmod(path, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLockFollowsNoLink(t *testing.T) {
	dir := t.TempDir()
	victim := filepath.Join(t.TempDir(), "victim")
	if err := os.Symlink(victim, filepath.Join(dir, lockFile)); err != nil {
		t.Fatal(err)
	}
	if f, err := Lock(dir); err == nil {
		f.Close()
		t.Error("locked what a link points to")
	}
	if _, err := os.Lstat(victim); err == nil {
		t.Error("made what a link points to")
	}
}

func TestWriteFileLeavesOldOrNew(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "f")
	for _, text := range []string{"old", "new"} {
		if err := WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(name); err != nil || string(b) != text {
			t.Errorf("%q, %v", b, err)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if err := WriteFile(filepath.Join(dir, "none", "f"), nil, 0o600); err == nil {
		t.Error("wrote into a directory that is not there")
	}
}

func FuzzSealingKey(f *testing.F) {
	f.Add(newSealing())
	f.Add("sealing-key:")
	f.Fuzz(func(t *testing.T, s string) {
		if k, err := sealingKey(s); err == nil && (k.Public().IsZero() || !strings.HasPrefix(s, sealingPrefix)) {
			t.Errorf("%q reads as %v", s, k)
		}
	})
}

func threeEdges() *landfall.Map {
	m := &landfall.Map{Network: "n", Serial: 3}
	for _, id := range []landfall.NodeID{"fra1", "nyc1", "sin1"} {
		m.Nodes = append(m.Nodes, landfall.Node{ID: id, Roles: []landfall.Role{landfall.RoleEdge}})
	}
	return m
}

func TestDrainNeverTakesTheLastEdge(t *testing.T) {
	m := threeEdges()
	for _, id := range []landfall.NodeID{"fra1", "nyc1"} {
		if err := setState(m, id, landfall.Draining); err != nil {
			t.Fatal(err)
		}
	}
	if err := setState(m.Clone(), "sin1", landfall.Draining); err == nil {
		t.Error("the last edge was drained")
	}
	if err := setState(m, "fra1", landfall.Active); err != nil || m.Nodes[0].State != landfall.Active {
		t.Errorf("undo: %v, %s", err, m.Nodes[0].State)
	}
	if err := setState(m, "sin1", landfall.Draining); err != nil {
		t.Error(err)
	}
	if err := setState(m, "lon1", landfall.Draining); err == nil || !strings.Contains(err.Error(), "fra1, nyc1, sin1") {
		t.Errorf("an unknown node: %v", err)
	}
	m.Nodes[1].State = landfall.Gone
	if err := setState(m, "nyc1", landfall.Active); err == nil {
		t.Error("a node that is gone came back")
	}
}

func TestTheHomeStays(t *testing.T) {
	m := threeEdges()
	m.Regions = []landfall.Region{{ID: "fra", Home: true}}
	m.Nodes[0].Region, m.Nodes[0].Roles = "fra", []landfall.Role{landfall.RoleOrigin, landfall.RoleEdge}
	if err := setState(m, "fra1", landfall.Draining); err != nil {
		t.Errorf("home cannot be spared as an edge: %v", err)
	}
	if err := setState(m, "fra1", landfall.Gone); err == nil || !strings.Contains(err.Error(), "home of the network") {
		t.Errorf("home removed: %v", err)
	}
}

func TestTheHomeIsNotCutOffByHalf(t *testing.T) {
	m := threeEdges()
	m.Regions = []landfall.Region{{ID: "fra", Home: true}}
	m.Nodes[0].Region, m.Nodes[0].Roles = "fra", []landfall.Role{landfall.RoleOrigin}
	for _, to := range []landfall.State{landfall.Draining, landfall.Gone, ""} {
		if err := cut(m, "fra1", to); err == nil || m.Nodes[0].EffectiveState() != landfall.Active {
			t.Errorf("%q: %v, and fra1 is %s", to, err, m.Nodes[0].EffectiveState())
		}
		if err := cut(m, "sin1", to); err != nil {
			t.Errorf("sin1 to %q: %v", to, err)
		}
	}
	if _, there := m.Node("sin1"); there {
		t.Error("sin1 is still in the map")
	}
}
