package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"landfall"
	"landfall/certs"
	"landfall/cmd/internal/admin"
	"landfall/edge/forward"
	"landfall/mesh/mapsync"
	"landfall/origin"
)

// Home is what only the home region has: the control of the map, the
// authority for certificates, the chat and its data.
type Home struct {
	Authority *certs.Authority
	Control   *mapsync.Control
	Chat      *origin.Server
	MapKey    landfall.MapKey

	store     *mapsync.DirStore
	issuer    *certs.Issuer
	upstreams *forward.Upstreams
	close     []func() error
}

// OpenHome opens the home region's part of a state directory, and makes at
// first start what is not there yet.
func OpenHome(self landfall.NodeID, state *State, network, domain string, log *slog.Logger) (*Home, error) {
	h := &Home{}
	if err := h.open(self, state, network, domain, log); err != nil {
		return nil, errors.Join(fmt.Errorf("node %s: %w", self, err), h.Close())
	}
	return h, nil
}

func (h *Home) open(self landfall.NodeID, state *State, network, domain string, log *slog.Logger) error {
	if err := h.openControl(state.Dir, log); err != nil {
		return err
	}
	dir, err := h.root(state.Dir, "authority")
	if err != nil {
		return err
	}
	if h.Authority, err = certs.OpenAuthority(dir, network, domain); err != nil {
		return err
	}
	if h.upstreams, err = forward.NewUpstreams(forward.UpstreamsConfig{Self: self, Log: log}); err != nil {
		return err
	}
	if h.Chat, err = origin.New(origin.Config{Dir: filepath.Join(state.Dir, "chat"), Domain: domain, Log: log}); err != nil {
		return err
	}
	h.close = append(h.close, h.Chat.Close)
	return nil
}

func (h *Home) openControl(dir string, log *slog.Logger) error {
	keys, err := h.root(dir, "control")
	if err != nil {
		return err
	}
	key, err := mapsync.OpenSigningKey(keys)
	if err != nil {
		return err
	}
	h.MapKey = key.Public()
	maps, err := h.root(dir, "control/maps")
	if err != nil {
		return err
	}
	if h.store, err = mapsync.OpenStore(maps, h.MapKey); err != nil {
		return err
	}
	h.close = append(h.close, h.store.Close)
	h.Control, err = mapsync.NewControl(mapsync.ControlConfig{Store: h.store, Key: key, Log: log})
	return err
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

// bind lets the issuer know its callers by their addresses on the mesh.
func (h *Home) bind(caller func(*http.Request) (landfall.NodeID, bool), log *slog.Logger) (err error) {
	h.issuer, err = certs.NewIssuer(certs.IssuerConfig{Signer: h.Authority, Caller: caller, Log: log})
	return err
}

func (h *Home) setMap(m *landfall.Map) {
	h.issuer.SetMap(m)
	h.upstreams.SetMap(m)
}

func (h *Home) register(a *admin.Server) {
	a.Register("chat", func() any { return h.Chat.Stats() })
	a.Register("upstreams", func() any { return h.upstreams.Stats() })
	a.Register("issuer", func() any { return h.issuer.Stats() })
}

// drainer changes a node's state in the map, where there is a control.
func (n *Node) drainer() func(context.Context, landfall.NodeID, bool) (landfall.Serial, error) {
	if n.cfg.Home == nil {
		return nil
	}
	return func(ctx context.Context, id landfall.NodeID, undo bool) (landfall.Serial, error) {
		m, err := n.cfg.Home.Control.Change(ctx, func(m *landfall.Map) error { return setDraining(m, id, undo) })
		if err != nil {
			return 0, err
		}
		return m.Serial, nil
	}
}

// setDraining takes a node out of the answers, or in again.
func setDraining(m *landfall.Map, id landfall.NodeID, undo bool) error {
	i := slices.IndexFunc(m.Nodes, func(n landfall.Node) bool { return n.ID == id })
	if i < 0 {
		return fmt.Errorf("there is no node %q (the nodes are %s)", id, names(m.Nodes))
	}
	if m.Nodes[i].EffectiveState() == landfall.Gone {
		return fmt.Errorf("node %s is gone: it has to join again", id)
	}
	if undo {
		m.Nodes[i].State = landfall.Active
		return nil
	}
	m.Nodes[i].State = landfall.Draining
	for n := range m.Having(landfall.RoleEdge) {
		if n.EffectiveState() == landfall.Active {
			return nil
		}
	}
	return fmt.Errorf("node %s is the last edge that is not draining: nobody would be left to name", id)
}

func names(nodes []landfall.Node) string {
	var out []string
	for _, n := range nodes {
		out = append(out, string(n.ID))
	}
	return strings.Join(out, ", ")
}
