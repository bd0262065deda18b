package join

import (
	"bytes"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"landfall"
	"landfall/mesh/mapsync"
)

func TestInvitationEntersTheMap(t *testing.T) {
	h := newHome(t)
	token := h.invite("nyc1")
	m := h.newest()
	n, _ := m.Node("nyc1")
	r, ok := m.Region("nyc")
	if n.State != landfall.Invited || !n.Key.IsZero() || len(n.Roles) != 2 || !ok || r.Home || r.Place.Lat != 40.71 {
		t.Errorf("node %+v, region %+v", n, r)
	}
	if token.Network != "shop" || token.Node != "nyc1" || token.Key != h.key.Public() || !slices.Equal(token.Endpoints, []string{"192.0.2.1:443"}) {
		t.Errorf("token of %s %s at %v", token.Network, token.Node, token.Endpoints)
	}
	if at, err := h.book.Expires("nyc1"); err != nil || !at.Equal(token.Expires) || time.Until(at) > DefaultValid {
		t.Errorf("expires %v, %v", at, err)
	}
	own := nyc("nyc2")
	own.Endpoints, own.Place, own.Valid = []string{"home.example.com:8443"}, nil, 48*time.Hour
	token, err := h.book.Invite(t.Context(), own)
	if err != nil || !slices.Equal(token.Endpoints, own.Endpoints) || time.Until(token.Expires) < 47*time.Hour {
		t.Errorf("second: until %v at %v, %v", token.Expires, token.Endpoints, err)
	}
}

func TestSecretIsNotKeptAtHome(t *testing.T) {
	h := newHome(t)
	token := h.invite("nyc1")
	h.must(filepath.WalkDir(h.dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if info, err := d.Info(); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: mode %v, %v", name, info.Mode(), err)
		}
		b, err := os.ReadFile(name)
		if bytes.Contains(b, token.secret[:]) || bytes.Contains(b, hexed(token.secret[:])) {
			t.Errorf("%s holds the secret", name)
		}
		hash := token.secret.key()
		if has := bytes.Contains(b, hexed(hash[:])); has != strings.HasSuffix(name, "invites/nyc1.json") {
			t.Errorf("%s holds the hash: %v", name, has)
		}
		return err
	}))
}

func hexed(b []byte) []byte { t, _ := proofKey(b).MarshalText(); return t }

func TestInvitationsThatCannotBe(t *testing.T) {
	h := newHome(t)
	before := h.newest().Serial
	for say, spoil := range map[string]func(*Invitation){
		"node sin1 is active":              func(i *Invitation) { i.Node = "sin1" },
		"region nyc is not in the map yet": func(i *Invitation) { i.Place = nil },
		"region sin is at 1.29,103.85":     func(i *Invitation) { i.Region = "sin" },
		"no name for a node":               func(i *Invitation) { i.Node = "NYC/1" },
		"no name for a region":             func(i *Invitation) { i.Region = "" },
		`role "egde" is unknown`:           func(i *Invitation) { i.Roles = []landfall.Role{"egde"} },
		"--roles edge,dns":                 func(i *Invitation) { i.Roles = nil },
		"not on the Earth":                 func(i *Invitation) { i.Place = &landfall.Place{Lat: 100} },
		"cannot stand for":                 func(i *Invitation) { i.Valid = MaxValid + 1 },
		"over before it is typed":          func(i *Invitation) { i.Valid = time.Second },
		"want HOST:PORT":                   func(i *Invitation) { i.Endpoints = []string{"home.example.com"} },
		"endpoints are more":               func(i *Invitation) { i.Endpoints = make([]string, 9) },
		"addresses are more": func(i *Invitation) {
			for n := range byte(maxAddresses + 1) {
				i.Addresses = append(i.Addresses, netip.AddrFrom4([4]byte{198, 51, 100, n}))
			}
		},
		"169.254.169.254 is no address":  func(i *Invitation) { i.Addresses = addrs("169.254.169.254") },
		"is that of node sin1":           func(i *Invitation) { i.Addresses = addrs("192.0.2.9") },
		"origin outside the home region": func(i *Invitation) { i.Roles = []landfall.Role{landfall.RoleOrigin} },
		`has the role "edge" twice`:      func(i *Invitation) { i.Roles = []landfall.Role{"edge", "edge"} },
		"hyphen":                         func(i *Invitation) { i.Node = "nyc-" },
	} {
		inv := nyc("nyc1")
		spoil(&inv)
		if _, err := h.book.Invite(t.Context(), inv); err == nil || !strings.Contains(err.Error(), say) {
			t.Errorf("want %q: %v", say, err)
		}
	}
	if now := h.newest().Serial; now != before {
		t.Errorf("serial %d became %d", before, now)
	}
	if names, _ := os.ReadDir(h.dir + "/invites"); len(names) != 0 {
		t.Errorf("left behind: %v", names)
	}
}

func TestFailedInvitationLeavesTheTokenBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHome(t)
		token := h.invite("nyc1")
		again := nyc("nyc1")
		again.Roles = []landfall.Role{landfall.RoleOrigin}
		if _, err := h.book.Invite(t.Context(), again); err == nil {
			t.Fatal("an origin outside home")
		}
		if _, err := newMachine(t).join(h, token); err != nil {
			t.Errorf("join: %v", err)
		}
		if _, err := h.book.Invite(t.Context(), nyc("nyc1")); err == nil || !strings.Contains(err.Error(), "node nyc1 is active") {
			t.Errorf("inviting a node that has joined: %v", err)
		}
	})
}

func TestWithdrawnNodesAreNoMore(t *testing.T) {
	h := newHome(t)
	h.invite("nyc1")
	h.must(h.book.Withdraw(t.Context(), "nyc1"))
	if _, ok := h.newest().Node("nyc1"); ok {
		t.Error("still in the map")
	}
	if _, err := h.book.Expires("nyc1"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("still in the book: %v", err)
	}
	for node, say := range map[landfall.NodeID]string{"nyc1": "does not have it", "sin1": "drain and remove"} {
		if err := h.book.Withdraw(t.Context(), node); err == nil || !strings.Contains(err.Error(), say) {
			t.Errorf("%s: %v", node, err)
		}
	}
	h.invite("nyc1")
}

func TestDamagedInvitationAdmitsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHome(t)
		token := h.invite("nyc1")
		h.must(os.WriteFile(h.dir+"/invites/nyc1.json", []byte(`{"node":"nyc1"`), 0o600))
		if _, err := newMachine(t).join(h, token); code(err) != CodeUnknown {
			t.Errorf("join: %v", err)
		}
		if _, err := h.book.Expires("nyc1"); err == nil || !strings.Contains(err.Error(), "invites/nyc1.json") || !strings.Contains(err.Error(), "invite the node again") {
			t.Errorf("the file is not named: %v", err)
		}
		if _, err := newMachine(t).join(h, h.invite("nyc1")); err != nil {
			t.Errorf("invited again: %v", err)
		}
	})
}

func TestPartsNeedTheirParts(t *testing.T) {
	h := newHome(t)
	for i, cfg := range []BookConfig{
		{Key: h.key.Public(), Dir: h.book.cfg.Dir}, {Control: h.control, Dir: h.book.cfg.Dir}, {Control: h.control, Key: h.key.Public()},
	} {
		if _, err := NewBook(cfg); err == nil {
			t.Errorf("book %d was made", i)
		}
	}
	for i, cfg := range []ServerConfig{{Key: h.key}, {Book: h.book}, {Book: h.book, Key: mapsync.NewSigningKey()}} {
		if _, err := NewServer(cfg); err == nil {
			t.Errorf("server %d was made", i)
		}
	}
	for i, spoil := range []func(*Config){
		func(c *Config) { c.Token = Token{} }, func(c *Config) { c.Key = landfall.PublicKey{} },
		func(c *Config) { c.Sealing = landfall.SealingKey{} }, func(c *Config) { c.Dial = nil },
		func(c *Config) {
			c.Advertise = addrs("1::1", "1::2", "1::3", "1::4", "1::5", "1::6", "1::7", "1::8", "1::9")
		},
	} {
		cfg := newMachine(t).config(h, aToken())
		spoil(&cfg)
		if _, err := Join(t.Context(), cfg); err == nil {
			t.Errorf("config %d was enough", i)
		}
	}
}
