package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"landfall"
	"landfall/cmd/internal/admin"
	"landfall/cmd/internal/coarse"
	"landfall/cmd/internal/config"
	"landfall/cmd/internal/node"
	"landfall/cmd/internal/systemd"
)

// Config is what a server is run by.
type Config struct {
	Dir     string
	Version string // of the program, for status
	// Started hears once what the server serves, when all sockets are open.
	Started func(Serving)
	Log     *slog.Logger
}

// Serving is what a server does, for people.
type Serving struct {
	Network string
	Node    landfall.Node
	Ports   landfall.Ports
	Serial  landfall.Serial
}

// Why a node that serves is put together anew, or not again.
var (
	errChanged = errors.New("the node's entry in the map has changed")
	errRemoved = errors.New("the node was removed from the network")
)

// Run serves the node of a state directory until ctx ends. When the map
// changes what the node listens on, its parts are put together anew. A node
// that was removed ends without an error: there is nothing left to do.
func Run(ctx context.Context, cfg Config) error {
	local, err := ReadLocal(cfg.Dir)
	if err != nil {
		return err
	}
	handed, err := systemd.Inherit()
	if err != nil {
		return err
	}
	defer handed.Close()
	state, err := node.OpenState(cfg.Dir)
	if err != nil {
		return err
	}
	defer state.Close()
	s := &server{cfg: cfg, local: local, state: state, handed: handed}
	for {
		err := s.serve(ctx)
		switch {
		case errors.Is(err, errRemoved):
			cfg.Log.Error("this node was removed from the network: it serves nothing any more", "node", local.Node, "network", local.Network)
			return nil
		case errors.Is(err, errChanged):
			cfg.Log.Info("starting anew: the node's entry in the map has changed", "node", local.Node)
			continue
		}
		return err
	}
}

// server is a state directory that is served from.
type server struct {
	cfg    Config
	local  config.Local
	state  *node.State
	handed *systemd.Sockets
	told   bool // Started was called
}

// serve runs the node by the map on disk, until ctx ends or the map says
// that it is another node now.
func (s *server) serve(ctx context.Context) error {
	m, err := node.DiskMap(s.cfg.Dir, s.local.Node, s.local.MapKey)
	if err != nil {
		return err
	}
	if m.Network != s.local.Network {
		return fmt.Errorf("%s holds maps of the network %s, and node.toml is of %s: put the right file back", s.cfg.Dir, m.Network, s.local.Network)
	}
	self, ok := m.Node(s.local.Node)
	if !ok || self.State == landfall.Gone {
		return errRemoved
	}
	if self.Key != s.state.Key.Public() {
		return fmt.Errorf("map serial %d knows node %s by another key than %s: put the right state directory back, or remove the node and join again",
			m.Serial, self.ID, filepath.Join(s.cfg.Dir, "node.key"))
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	n, home, err := s.assemble(ctx, m, self, func(next *landfall.Map) {
		if why := judge(m, self, next); why != nil {
			cancel(why)
		}
	})
	if err != nil {
		return err
	}
	err = s.run(ctx, n, Serving{m.Network, self, m.Ports, m.Serial})
	if home != nil {
		err = errors.Join(err, home.Close())
	}
	return err
}

// judge tells whether a node can go on under the next map as it was put
// together under this one; nil: it can.
func judge(m *landfall.Map, self landfall.Node, next *landfall.Map) error {
	now, ok := next.Node(self.ID)
	switch {
	case !ok || now.State == landfall.Gone:
		return errRemoved
	case !slices.Equal(now.Roles, self.Roles), !slices.Equal(now.Listens(), self.Listens()), next.Ports != m.Ports:
		return errChanged
	}
	return nil
}

// assemble opens the sockets and puts the node together. home is to be closed
// when the node has ended; nil outside the home region.
func (s *server) assemble(ctx context.Context, m *landfall.Map, self landfall.Node, changed func(*landfall.Map)) (_ *node.Node, home *node.Home, err error) {
	cfg := node.Config{
		Self: self.ID, Version: s.cfg.Version, State: s.state, MapKey: s.local.MapKey, Geo: s.local.Geo, Log: s.cfg.Log,
		Bootstrap: bootstrap(m), Changed: changed,
	}
	if cfg.Geo == "" {
		if cfg.Geo, err = coarse.File(s.cfg.Dir); err != nil {
			return nil, nil, err
		}
	}
	if self.Has(landfall.RoleOrigin) {
		if home, err = node.OpenHome(self.ID, s.state, m.Network, m.Domain, s.cfg.Log); err != nil {
			return nil, nil, err
		}
		cfg.Home = home
	}
	var n *node.Node
	if cfg.Sockets, err = bind(ctx, m, self, s.local.WireGuard, s.handed); err == nil {
		if n, err = node.New(cfg); err == nil {
			return n, home, nil
		}
		closeSockets(cfg.Sockets)
	}
	if home != nil {
		err = errors.Join(err, home.Close())
	}
	return nil, nil, err
}

// bootstrap is what a node begins with: whom it can ask, and nothing of what
// it serves.
func bootstrap(m *landfall.Map) *landfall.Map {
	return &landfall.Map{Network: m.Network, Domain: m.Domain, Regions: m.Regions, Nodes: m.Nodes}
}

// run serves, and keeps the service manager told.
func (s *server) run(ctx context.Context, n *node.Node, what Serving) error {
	running, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var work sync.WaitGroup
	part := func(run func(context.Context) error) {
		work.Go(func() {
			if err := run(running); err != nil {
				stop(err)
			}
		})
	}
	part(n.Run)
	part(func(ctx context.Context) error { return admin.Serve(ctx, s.cfg.Dir, n.Admin().Local()) })
	part(func(ctx context.Context) error { return s.watch(ctx, n) })
	part(func(ctx context.Context) error { return s.report(ctx, n) })
	if !s.told && s.cfg.Started != nil {
		s.told = true
		s.cfg.Started(what)
	}
	work.Wait()
	if err := context.Cause(running); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// watch gives the service manager signs of life for as long as the node's
// parts answer.
func (s *server) watch(ctx context.Context, n *node.Node) error {
	dog, err := systemd.NewWatchdog(systemd.WatchdogConfig{Log: s.cfg.Log, Alive: func(context.Context) error {
		n.Status() // takes the locks of all parts: who hangs, hangs here
		return nil
	}})
	if err != nil {
		return err
	}
	return dog.Run(ctx)
}

// reportEvery is how often the service manager's line is brought up to date.
const reportEvery = 5 * time.Second

// report tells the service manager what the node does, until ctx ends.
func (s *server) report(ctx context.Context, n *node.Node) error {
	tick := time.NewTicker(reportEvery)
	defer tick.Stop()
	said := ""
	for {
		if line := statusLine(n); line != said {
			said = line
			if err := systemd.Ready(line); err != nil {
				s.cfg.Log.Warn("service manager not told", "err", err)
			}
		}
		select {
		case <-ctx.Done():
			return systemd.Stopping()
		case <-tick.C:
		}
	}
}

func statusLine(n *node.Node) string {
	st := n.Status()
	var roles []string
	for _, r := range st.Roles {
		roles = append(roles, string(r))
	}
	line := fmt.Sprintf("%s of %s serves %s by map serial %d", st.Node, st.Network, strings.Join(roles, ", "), st.Serial)
	if len(st.Waiting) > 0 {
		line += "; waits for " + strings.Join(st.Waiting, ", ")
	}
	return line
}
