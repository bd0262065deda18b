package join

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"landfall"
	"landfall/mesh/mapsync"
)

func TestServerBecomesANode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, srv := newHome(t), newMachine(t)
		token, err := ParseToken(h.invite("nyc1").Reveal())
		if err != nil {
			t.Fatal(err)
		}
		r, err := srv.join(h, token)
		if err != nil {
			t.Fatal(err)
		}
		m, err := mapsync.Verify(r.Doc, h.key.Public())
		if err != nil || m.Serial != 3 {
			t.Fatalf("map %v, %v", m, err)
		}
		n := h.node("nyc1")
		switch {
		case n.State != landfall.Active || n.Key != srv.key.Public() || n.Region != "nyc":
			t.Errorf("node: %+v", n)
		case !bytes.Equal(n.Sealing.MLKEM, srv.sealing.MLKEM) || n.Mesh != landfall.MeshAddr("shop", "nyc1"):
			t.Errorf("node: %+v", n)
		case !slices.Equal(n.Advertised, addrs("198.51.100.7")) || !slices.Equal(n.Bound, addrs("10.0.0.5")):
			t.Errorf("addresses: %v bound %v", n.Advertised, n.Bound)
		case len(n.Endpoints) != 1 || n.Endpoints[0] != netip.MustParseAddrPort("198.51.100.7:51820"):
			t.Errorf("endpoints: %v", n.Endpoints)
		case len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "10.0.0.5 is seen as 198.51.100.7"):
			t.Errorf("notes: %q", r.Notes)
		}
		if s := h.server.Stats(); s.Hellos != 1 || s.Joined != 1 {
			t.Errorf("stats: %+v", s)
		}
	})
}

func TestJoiningAgainIsTheSameAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, srv := newHome(t), newMachine(t)
		token := h.invite("nyc1")
		first, err := srv.join(h, token)
		if err != nil {
			t.Fatal(err)
		}
		after(DefaultValid + again - time.Minute) // the token has expired by then
		second, err := srv.join(h, token)
		if err != nil || !bytes.Equal(first.Doc, second.Doc) {
			t.Errorf("again: %v", err)
		}
		after(2 * time.Minute)
		if _, err := srv.join(h, token); code(err) != CodeUsed {
			t.Errorf("long after: %v", err)
		}
	})
}

func TestTokenServesOneServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, first, second := newHome(t), newMachine(t), newMachine(t)
		token := h.invite("nyc1")
		if _, err := first.join(h, token); err != nil {
			t.Fatal(err)
		}
		if _, err := second.join(h, token); code(err) != CodeUsed || !strings.Contains(err.Error(), "nothing was changed") {
			t.Errorf("second server: %v", err)
		}
		if h.node("nyc1").Key != first.key.Public() {
			t.Error("the node has another key")
		}
	})
}

// A crash between the change of the map and the mark in the file.
func TestUnmarkedTokenIsUsedAllTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, first, second := newHome(t), newMachine(t), newMachine(t)
		token := h.invite("nyc1")
		file := h.dir + "/invites/nyc1.json"
		before, err := os.ReadFile(file)
		h.must(err)
		if _, err := first.join(h, token); err != nil {
			t.Fatal(err)
		}
		h.must(os.WriteFile(file, before, 0o600))
		if _, err := second.join(h, token); code(err) != CodeUsed {
			t.Errorf("second server: %v", err)
		}
		if _, err := first.join(h, token); err != nil {
			t.Errorf("first server: %v", err)
		}
		var r record
		now, err := os.ReadFile(file)
		h.must(err)
		if err := json.Unmarshal(now, &r); err != nil || r.Joined != first.key.Public() {
			t.Errorf("not marked: %s", now)
		}
	})
}

func TestRefusalsSayWhyAndChangeNothing(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(h *home, token *Token, cfg *Config)
		want  Code
		say   string
	}{
		"expired": {func(*home, *Token, *Config) { after(DefaultValid + 20*time.Minute) }, CodeExpired, "20m0s ago"},
		"long expired": {func(h *home, _ *Token, cfg *Config) {
			after(DefaultValid + 2*time.Hour)
			cfg.Dial = unasked(h.t)
		}, CodeExpired, "2h0m0s ago"},
		"clock an hour ahead": {func(_ *home, _ *Token, cfg *Config) {
			cfg.Now = func() time.Time { return time.Now().Add(time.Hour) }
		}, CodeClock, "the clock of this server is 1h0m0s ahead of"},
		"clock behind": {func(_ *home, _ *Token, cfg *Config) {
			cfg.Now = func() time.Time { return time.Now().Add(-10 * time.Minute) }
		}, CodeClock, "10m0s behind"},
		"replaced": {func(h *home, token *Token, _ *Config) { h.invite("nyc1") }, CodeUnknown, "does not know this token"},
		"withdrawn": {func(h *home, token *Token, _ *Config) {
			h.must(h.book.Withdraw(h.t.Context(), "nyc1"))
		}, CodeUnknown, "does not know this token"},
		"removed by hand": {func(h *home, _ *Token, _ *Config) {
			_, err := h.control.Change(h.t.Context(), func(m *landfall.Map) error { m.Nodes = m.Nodes[:2]; return nil })
			h.must(err)
		}, CodeGone, "was removed"},
		"other network": {func(h *home, token *Token, cfg *Config) {
			cfg.Token = newHome(h.t).invite("nyc1")
		}, CodeNetwork, "has not the key of this token's network"},
		"other network of the same key": {func(_ *home, token *Token, cfg *Config) {
			cfg.Token.Network = "shop2"
		}, CodeNetwork, `speaks for the network "shop", not "shop2"`},
		"address of another node": {func(h *home, _ *Token, cfg *Config) {
			cfg.Dial = h.dialer(inside, "192.0.2.9:40000")
		}, CodeFaulty, `already an address of node "sin1"`},
		"copied state directory": {func(_ *home, _ *Token, cfg *Config) {
			cfg.Key = firstMap().Nodes[1].Key
		}, CodeFaulty, "delete the copied state directory"},
		"seen from within": {func(h *home, _ *Token, cfg *Config) {
			cfg.Dial = h.dialer(inside, inside)
		}, CodeAddress, "--address"},
		"not a sealing key": {func(_ *home, _ *Token, cfg *Config) {
			cfg.Sealing.MLKEM = []byte("short")
		}, CodeRequest, "ML-KEM-768"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHome(t)
				token := h.invite("nyc1")
				cfg := newMachine(t).config(h, token)
				c.spoil(h, &token, &cfg)
				before := h.newest().Serial
				_, err := Join(t.Context(), cfg)
				if code(err) != c.want || !strings.Contains(err.Error(), c.say) || !strings.Contains(err.Error(), "nothing was changed") {
					t.Errorf("%v\nwant %q and %q", err, c.want, c.say)
				}
				if now := h.newest().Serial; now != before {
					t.Errorf("serial %d became %d", before, now)
				}
			})
		})
	}
}

func TestNodeComesBackUnderItsName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, first, second := newHome(t), newMachine(t), newMachine(t)
		old := h.invite("nyc1")
		if _, err := first.join(h, old); err != nil {
			t.Fatal(err)
		}
		for _, s := range []landfall.State{landfall.Draining, landfall.Gone} {
			_, err := h.control.Change(t.Context(), func(m *landfall.Map) error { m.Nodes[2].State = s; return nil })
			h.must(err)
		}
		if _, err := first.join(h, old); code(err) != CodeGone {
			t.Errorf("gone: %v", err)
		}
		_, err := h.control.Change(t.Context(), func(m *landfall.Map) error { m.Nodes = m.Nodes[:2]; return nil })
		h.must(err)
		fresh := h.invite("nyc1")
		if _, err := first.join(h, old); code(err) != CodeUnknown {
			t.Errorf("with the old token: %v", err)
		}
		if _, err := second.join(h, fresh); err != nil {
			t.Errorf("with the new token: %v", err)
		}
	})
}

// unasked is for those who have no reason to ask.
func unasked(t testing.TB) func(context.Context, string, string) (net.Conn, error) {
	return func(_ context.Context, _, address string) (net.Conn, error) {
		t.Errorf("%s was asked", address)
		return nil, net.ErrClosed
	}
}

func addrs(all ...string) (out []netip.Addr) {
	for _, a := range all {
		out = append(out, netip.MustParseAddr(a))
	}
	return out
}
