package server

import (
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"landfall"
	"landfall/cmd/internal/config"
	"landfall/cmd/internal/systemd"
)

func addrs(s ...string) (out []netip.Addr) {
	for _, a := range s {
		out = append(out, netip.MustParseAddr(a))
	}
	return out
}

func founding(t *testing.T, dir string) Founding {
	return Founding{
		Dir: dir, File: filepath.Join(t.TempDir(), "network.toml"), Node: "fra1", Roles: landfall.Roles(), WireGuard: 51820,
		Addresses: addrs("127.30.0.1"), Log: slog.New(slog.DiscardHandler),
		Map: &landfall.Map{Network: "shop", Domain: "edge.test", Regions: []landfall.Region{{ID: "fra", Home: true}}},
	}
}

// TestInitFillsTheDirectoryOfThePackage: an empty directory that is there
// already, and belongs to the service's user, is used and stays his.
func TestInitFillsTheDirectoryOfThePackage(t *testing.T) {
	const nobody = 65534
	parent := t.TempDir()
	dir := filepath.Join(parent, "landfall")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	root := os.Geteuid() == 0
	if root {
		for p := parent; p != "/" && p != os.TempDir(); p = filepath.Dir(p) {
			os.Chmod(p, 0o755) // so that he gets there
		}
		if err := os.Chown(dir, nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	f := founding(t, dir)
	m, err := Init(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	self, _ := m.Node("fra1")
	if m.Serial != 1 || m.Authority == "" || self.Key.IsZero() || self.Sealing.IsZero() || self.Endpoints[0].String() != "127.30.0.1:51820" {
		t.Errorf("map is %+v", m)
	}
	if l, err := ReadLocal(dir); err != nil || l.Network != "shop" || l.Node != "fra1" {
		t.Errorf("node.toml is %+v, %v", l, err)
	}
	err = filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if owner := info.Sys().(*syscall.Stat_t).Uid; root && owner != nobody {
			t.Errorf("%s belongs to %d", path, owner)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(parent); err != nil || len(left) != 1 {
		t.Errorf("beside the directory: %v, %v", left, err)
	}
}

// TestInitLeavesWhatIsThere: whatever is in the way is named, and stays.
func TestInitLeavesWhatIsThere(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "diary"), []byte("dear"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := founding(t, dir)
	if _, err := Init(t.Context(), f); err == nil || !strings.Contains(err.Error(), "diary") {
		t.Errorf("got %v", err)
	}
	f = founding(t, filepath.Join(t.TempDir(), "new"))
	f.Map.Domain = "not a domain"
	if _, err := Init(t.Context(), f); err == nil || !strings.Contains(err.Error(), "domain") {
		t.Errorf("got %v", err)
	}
	f.Map.Domain = "edge.test"
	if err := os.WriteFile(f.File, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Init(t.Context(), f); err == nil || !strings.Contains(err.Error(), "already there") {
		t.Errorf("got %v", err)
	}
	if b, _ := os.ReadFile(f.File); string(b) != "mine" {
		t.Errorf("the file is %q now", b)
	}
}

// TestInitTakesUpAfterAKill: a workshop left by an init that was killed, and
// the file that it wrote, are no obstacle.
func TestInitTakesUpAfterAKill(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "landfall")
	f := founding(t, dir)
	workshop := filepath.Join(filepath.Dir(dir), ".landfall.init-123")
	if err := os.MkdirAll(filepath.Join(workshop, "control"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{filepath.Join(workshop, "control", "map.key"): "half", f.File: config.Write(f.Map, true)} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// What only looks like one, somebody else's link, is left alone.
	precious := t.TempDir()
	if err := os.WriteFile(filepath.Join(precious, "diary"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(precious, filepath.Join(filepath.Dir(dir), ".landfall.init-link")); err != nil {
		t.Fatal(err)
	}
	if _, err := Init(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(workshop); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the old workshop is still there: %v", err)
	}
	if _, err := os.Stat(filepath.Join(precious, "diary")); err != nil {
		t.Error(err)
	}
	if _, err := Init(t.Context(), f); err == nil || !strings.Contains(err.Error(), "already node fra1") {
		t.Errorf("founded twice: %v", err)
	}
}

// TestInitWantsAPlaceOfItsOwn: where others may exchange directories, root
// makes none.
func TestInitWantsAPlaceOfItsOwn(t *testing.T) {
	parent := t.TempDir()
	if err := os.Chmod(parent, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := Init(t.Context(), founding(t, filepath.Join(parent, "landfall"))); err == nil || !strings.Contains(err.Error(), "others may change") {
		t.Errorf("got %v", err)
	}
}

func TestSettle(t *testing.T) {
	for _, c := range []struct {
		name             string
		given, ours      []netip.Addr
		advertise, bound []netip.Addr
		fault            string
	}{
		{name: "public", ours: addrs("198.18.7.7", "2600::7"), advertise: addrs("198.18.7.7", "2600::7")},
		{name: "one private", ours: addrs("10.0.0.5", "2600::7"), advertise: addrs("2600::7")},
		{name: "nat", ours: addrs("10.0.0.5"), fault: "--address"},
		{name: "carrier's nat", ours: addrs("100.64.3.2"), fault: "--address"},
		{name: "given", given: addrs("203.0.113.7"), ours: addrs("10.0.0.5"), advertise: addrs("203.0.113.7"), bound: addrs("10.0.0.5")},
		{name: "given own", given: addrs("127.30.0.9"), ours: addrs("10.0.0.5"), advertise: addrs("127.30.0.9")},
		{name: "given both", given: addrs("203.0.113.7", "127.30.0.9"), ours: addrs("10.0.0.5"), advertise: addrs("203.0.113.7", "127.30.0.9"), bound: addrs("10.0.0.5", "127.30.0.9")},
		{name: "family missing", given: addrs("2001:db8::7"), ours: addrs("10.0.0.5"), fault: "no other of that family"},
		{name: "nothing", fault: "no public address"},
	} {
		// Public ones found here need not be bindable: they are taken as told.
		got, bound, err := settleWith(c.given, c.ours, func(a netip.Addr) bool {
			return a.IsLoopback() || len(c.given) == 0
		})
		if c.fault != "" {
			if err == nil || !strings.Contains(err.Error(), c.fault) {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		if err != nil || !equal(got, c.advertise) || !equal(bound, c.bound) {
			t.Errorf("%s: advertised %v, bound %v, %v", c.name, got, bound, err)
		}
	}
}

func equal(a, b []netip.Addr) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func TestJudge(t *testing.T) {
	self := landfall.Node{ID: "nyc1", Roles: []landfall.Role{"edge"}, Advertised: addrs("192.0.2.1")}
	m := &landfall.Map{Nodes: []landfall.Node{self}}
	for want, change := range map[error]func(*landfall.Map){
		nil:        func(m *landfall.Map) { m.Nodes[0].State = landfall.Draining },
		errRemoved: func(m *landfall.Map) { m.Nodes[0].State = landfall.Gone },
		errChanged: func(m *landfall.Map) { m.Ports.DNS = 5300 },
	} {
		next := m.Clone()
		change(next)
		if got := judge(m, self, next); !errors.Is(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	}
	if got := judge(m, self, &landfall.Map{}); !errors.Is(got, errRemoved) {
		t.Errorf("left out: %v", got)
	}
}

// TestBindTellsAllFaultsAndKeepsNothing: every address in the way is named,
// and what could be opened is closed again.
func TestBindTellsAllFaultsAndKeepsNothing(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free.Close()
	port := func(l net.Listener) uint16 { return netip.MustParseAddrPort(l.Addr().String()).Port() }
	m := &landfall.Map{Ports: landfall.Ports{HTTPS: port(taken), HTTP: port(free), DNS: port(taken)}}
	self := landfall.Node{ID: "fra1", Roles: landfall.Roles(), Advertised: addrs("127.0.0.1")}
	_, err = bind(t.Context(), m, self, config.Local{WireGuard: port(free)}, new(systemd.Sockets), nil, true)
	if err == nil {
		t.Fatal("bound to a port that is taken")
	}
	for _, want := range []string{"https on " + taken.Addr().String(), "dns on " + taken.Addr().String(), "ss -lnptu"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in %v", want, err)
		}
	}
	again, err := net.Listen("tcp", free.Addr().String())
	if err != nil {
		t.Errorf("a port was not given back: %v", err)
	} else {
		again.Close()
	}
}
