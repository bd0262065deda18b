package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"landfall"
	"landfall/certs"
	"landfall/cmd/internal/admin"
	"landfall/edge/forward"
	"landfall/edge/tunnel"
	"landfall/geodns/challenge"
	"landfall/mesh/join"
	"landfall/mesh/mapsync"
	"landfall/origin"
)

// Home is what only the home region has: the control of the map and of who
// joins, the keeper of certificates, the chat and its data, and the way to
// the upstreams.
type Home struct {
	Authority *certs.Authority
	Control   *mapsync.Control
	Chat      *origin.Server
	MapKey    landfall.MapKey

	store     *mapsync.DirStore
	book      *join.Book   // of invitations
	joins     *join.Server // where new nodes prove theirs
	keeper    *certs.Keeper
	accounts  *os.Root // at public authorities
	upstreams *forward.Upstreams
	tunnel    *tunnel.Front
	zoneKeys  *zoneKeys
	seen      atomic.Pointer[mapsync.Client] // what the network has; nil before the node is built
	log       *slog.Logger
	close     []func() error

	// Made by bind.
	bundles    *certs.Server
	challenges *challenge.Book
}

// OpenHome opens the home region's part of a state directory, and makes at
// first start what is not there yet.
func OpenHome(self landfall.NodeID, state *State, network, domain string, log *slog.Logger) (*Home, error) {
	h := &Home{log: log}
	if err := h.open(self, state, network, domain); err != nil {
		return nil, errors.Join(fmt.Errorf("node %s: %w", self, err), h.Close())
	}
	return h, nil
}

func (h *Home) open(self landfall.NodeID, state *State, network, domain string) error {
	if err := h.openControl(state.Dir); err != nil {
		return err
	}
	if err := h.openCerts(state.Dir, network, domain); err != nil {
		return err
	}
	var err error
	if h.zoneKeys, err = newZoneKeys(h, state.Dir); err != nil {
		return err
	}
	if h.upstreams, err = forward.NewUpstreams(forward.UpstreamsConfig{Self: self, Log: h.log}); err != nil {
		return err
	}
	if h.tunnel, err = tunnel.New(tunnel.Config{Self: self, Log: h.log}); err != nil {
		return err
	}
	if h.Chat, err = origin.New(origin.Config{Dir: filepath.Join(state.Dir, "chat"), Domain: domain, Log: h.log}); err != nil {
		return err
	}
	h.close = append(h.close, h.Chat.Close)
	return nil
}

// openControl opens what the map is changed by, and who may join.
func (h *Home) openControl(dir string) error {
	keys, err := h.root(dir, "control")
	if err != nil {
		return err
	}
	key, err := mapsync.OpenSigningKey(keys)
	if err != nil {
		return err
	}
	h.MapKey = key.Public()
	maps, err := h.root(dir, controlMaps)
	if err != nil {
		return err
	}
	if h.store, err = mapsync.OpenStore(maps, h.MapKey); err != nil {
		return err
	}
	h.close = append(h.close, h.store.Close)
	if h.Control, err = mapsync.NewControl(mapsync.ControlConfig{Store: h.store, Key: key, Seen: h.newest, Log: h.log}); err != nil {
		return err
	}
	invitations, err := h.root(dir, "control/invitations")
	if err != nil {
		return err
	}
	if h.book, err = join.NewBook(join.BookConfig{Control: h.Control, Key: h.MapKey, Dir: invitations, Log: h.log}); err != nil {
		return err
	}
	h.joins, err = join.NewServer(join.ServerConfig{Book: h.book, Key: key, Log: h.log})
	return err
}

// openCerts opens the authority and what it signed.
func (h *Home) openCerts(dir, network, domain string) error {
	authority, err := h.root(dir, "authority")
	if err != nil {
		return err
	}
	if h.Authority, err = certs.OpenAuthority(authority, network, domain); err != nil {
		return err
	}
	if h.accounts, err = h.root(dir, "authority/accounts"); err != nil {
		return err
	}
	kept, err := h.root(dir, "authority/certificates")
	if err != nil {
		return err
	}
	h.keeper, err = certs.NewKeeper(certs.KeeperConfig{Dir: kept, Signer: h.signer, Log: h.log})
	return err
}

// signer is who signs the edges' certificates under a map.
func (h *Home) signer(m *landfall.Map) (certs.Signer, error) {
	if !m.ACME.Agreed {
		return h.Authority, nil
	}
	return certs.NewACME(certs.ACMEConfig{Dir: h.accounts, Policy: m.ACME, Map: m, Challenges: h.challenges, Log: h.log})
}

func (h *Home) root(dir, name string) (*os.Root, error) {
	r, err := openRoot(filepath.Join(dir, name))
	if err == nil {
		h.close = append(h.close, r.Close)
	}
	return r, err
}

// Close gives the directory back.
func (h *Home) Close() error {
	var errs []error
	for i := len(h.close) - 1; i >= 0; i-- {
		errs = append(errs, h.close[i]())
	}
	return errors.Join(errs...)
}

// newest is the newest map that any node of the network has told us: newer
// than the store's where that was put back from an old copy.
func (h *Home) newest() mapsync.Signed {
	if c := h.seen.Load(); c != nil {
		return c.Newest()
	}
	return mapsync.Signed{}
}

// bind lets the parts know their callers by their addresses on the mesh.
func (h *Home) bind(caller func(*http.Request) (landfall.NodeID, bool)) (err error) {
	if h.challenges, err = challenge.NewBook(challenge.BookConfig{Caller: caller, Log: h.log}); err != nil {
		return err
	}
	h.bundles, err = certs.NewServer(certs.ServerConfig{Keeper: h.keeper, Caller: caller, Log: h.log})
	return err
}

func (h *Home) setMap(m *landfall.Map) {
	h.challenges.SetMap(m)
	h.bundles.SetMap(m)
	h.keeper.SetMap(m)
	h.zoneKeys.setMap(m)
	h.upstreams.SetMap(m)
	h.tunnel.SetMap(m)
}

// start runs what has work of its own.
func (h *Home) start(ctx context.Context, g *group) {
	g.start(ctx, "chat", h.Chat.Run)
	g.start(ctx, "upstreams", h.upstreams.Run)
	g.start(ctx, "keeper", h.keeper.Run)
	g.start(ctx, "keys of zones", h.zoneKeys.run)
}

func (h *Home) register(a *admin.Server) {
	a.Register("chat", func() any { return h.Chat.Stats() })
	a.Register("upstreams", func() any { return h.upstreams.Stats() })
	a.Register("tunnel", func() any { return h.tunnel.Stats() })
	a.Register("keys", func() any { return h.zoneKeys.keeper.Stats() })
	a.Register("keeper", func() any { return h.keeper.Stats() })
	a.Register("bundles", func() any { return h.bundles.Stats() })
	a.Register("challenges", func() any { return h.challenges.Stats() })
	a.Register("join", func() any { return h.joins.Stats() })
}

func names(nodes []landfall.Node) string {
	var out []string
	for _, n := range nodes {
		out = append(out, string(n.ID))
	}
	return strings.Join(out, ", ")
}
