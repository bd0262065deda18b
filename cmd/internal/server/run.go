package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"landfall"
	"landfall/cmd/internal/admin"
	"landfall/cmd/internal/config"
	"landfall/cmd/internal/geofetch"
	"landfall/cmd/internal/handover"
	"landfall/cmd/internal/node"
	"landfall/cmd/internal/process"
	"landfall/cmd/internal/systemd"
	"landfall/geodns/tap"
	"landfall/geodns/tsig"
	"landfall/mesh"
)

// Config is what a server is run by.
type Config struct {
	Dir     string
	Version string // of the program, for status
	// Replace has the server take the place of the process that serves by the
	// same directory, if there is one.
	Replace bool
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
func Run(ctx context.Context, cfg Config) (err error) {
	if err := process.Undumpable(); err != nil {
		return err
	}
	local, err := ReadLocal(cfg.Dir)
	if err != nil {
		return err
	}
	s := &server{cfg: cfg, local: local, desk: newDesk()}
	defer func() { err = errors.Join(err, s.leave()) }()
	defer func() { err = errors.Join(err, s.dismiss()) }()
	defer func() { s.settle(err) }()
	if err := s.enter(ctx); err != nil {
		return err
	}
	if err := s.prepare(ctx); err != nil {
		return err
	}
	return s.serveAll(ctx)
}

// prepare reads what is beside node.toml, and waits until the process before
// has ended, if there is one.
func (s *server) prepare(ctx context.Context) (err error) {
	if err := complete(s.cfg.Dir, s.local); err != nil {
		return err
	}
	if err := mesh.CanFront(s.local.Mesh.Front); err != nil { // before anybody is told that the node serves
		return err
	}
	if s.fetcher, err = fetcher(s.cfg, s.local); err != nil {
		return err
	}
	if err := s.private(); err != nil {
		return err
	}
	if s.legacy != nil {
		return s.takeOver(ctx)
	}
	return nil
}

// serveAll serves operators, successors and the node.
func (s *server) serveAll(ctx context.Context) error {
	err := s.session(ctx)
	for errors.Is(err, errAlone) && ctx.Err() == nil {
		err = s.session(ctx)
	}
	if errors.Is(err, errAlone) {
		err = nil // and this one is to end, too
	}
	if s.replaced {
		return err // and what the service manager started goes on
	}
	return errors.Join(err, systemd.Stopping())
}

// session is serveAll until a successor is gone that had begun to take over:
// the sockets in the state directory may have been its own.
func (s *server) session(ctx context.Context) (err error) {
	if s.old, err = handover.Open(handover.Config{Dir: s.cfg.Dir, Give: s.give, Log: s.cfg.Log}); err != nil {
		return err
	}
	defer s.old.Close()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var work sync.WaitGroup
	defer work.Wait()
	defer stop(nil)
	work.Go(func() {
		if err := admin.Serve(ctx, s.cfg.Dir, s.operators()); err != nil {
			stop(err)
		}
	})
	err = s.loop(ctx)
	if why := context.Cause(ctx); err == nil && !errors.Is(why, context.Canceled) {
		err = why
	}
	return err
}

// server is a state directory that is served from.
type server struct {
	cfg    Config
	local  config.Local
	state  *node.State
	handed *systemd.Sockets
	desk   *desk // where operators ask, whatever becomes of the node behind it

	fetcher *geofetch.Fetcher // nil: databases are the operator's business

	certificate *node.Certificate // of the name server; nil: none
	secrets     *tsig.Ring        // of its secondaries; nil: none

	cookies *node.Cookies // where its cookies come from; nil: the node's key

	told bool // Started was called

	legacy  *handover.Legacy // of the process before, until this one serves; nil: there is none
	standIn *standIn         // answers until the node does; nil: nobody
	old     *handover.Old    // where successors come
	heir    *handover.Heir   // one that is ready; nil: there is none

	replaced bool // there is nothing left to do here

	mu   sync.Mutex       // guards what a successor would get
	held handover.Sockets // of the name server
	node *node.Node
}

// tap is how operators hear what is asked.
func (s *server) tap() tap.Config {
	d := s.local.DNS
	return tap.Config{File: d.QueryLog, Socket: d.Dnstap, Sample: int(d.Sample), Whole: d.WholeAddresses, Stdout: os.Stdout}
}

// private reads what the name server keeps to itself.
func (s *server) private() (err error) {
	if files := s.local.DNS; files.Certificate != "" {
		if s.certificate, err = node.OpenCertificate(files.Certificate, files.Key, s.cfg.Log); err != nil {
			return err
		}
	}
	if files := s.local.DNS; files.CookieSecrets != "" {
		if s.cookies, err = node.CookieFile(files.CookieSecrets); err != nil {
			return err
		}
	}
	s.secrets, err = node.OpenSecrets(s.local.DNS.TSIG)
	return err
}

// loop serves the node that the map on disk describes, and the next, when the
// map describes another.
func (s *server) loop(ctx context.Context) error {
	for {
		err := s.serve(ctx)
		if s.heir != nil {
			return s.release(ctx)
		}
		switch {
		case errors.Is(err, errRemoved):
			s.cfg.Log.Error("this node was removed from the network: it serves nothing any more", "node", s.local.Node, "network", s.local.Network)
			return nil
		case errors.Is(err, errChanged):
			s.cfg.Log.Info("starting anew: the node's entry in the map has changed", "node", s.local.Node)
			continue
		}
		return err
	}
}

// serve runs the node by the map on disk, until ctx ends or the map says
// that it is another node now.
func (s *server) serve(ctx context.Context) error {
	m, self, err := s.entry()
	if err != nil {
		return err
	}
	if self.Has(landfall.RoleDNS) && m.Ports.DNSTLS+m.Ports.DNSHTTPS > 0 && s.certificate == nil {
		s.cfg.Log.Warn("queries by TLS and HTTPS are not answered here: node.toml names no certificate under [dns]", "node", self.ID)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	sockets, trouble := bind(ctx, m, self, s.local, s.handed, s.held, !s.told)
	if trouble != nil {
		if sockets, err = s.limp(ctx, self, trouble); err != nil {
			return err
		}
	}
	if err := s.hold(sockets); err != nil {
		closeSockets(sockets)
		return err
	}
	n, home, err := s.assemble(node.Config{
		Sockets: sockets, Trouble: trouble, Bootstrap: bootstrap(m),
		Changed: func(next *landfall.Map) {
			if why := judge(m, self, next); why != nil {
				cancel(why)
			}
		},
	}, m, self)
	if err != nil {
		return err
	}
	err = s.run(ctx, n, m, self, cancel)
	if home != nil {
		err = errors.Join(err, home.Close())
	}
	return err
}

// entry is the newest map on disk, and the node's own entry in it.
func (s *server) entry() (*landfall.Map, landfall.Node, error) {
	m, err := node.DiskMap(s.cfg.Dir, s.local.Node, s.local.MapKey)
	if err != nil {
		return nil, landfall.Node{}, err
	}
	self, ok := m.Node(s.local.Node)
	switch {
	case m.Network != s.local.Network:
		return nil, self, fmt.Errorf("%s holds maps of the network %s, and node.toml is of %s: put the right file back", s.cfg.Dir, m.Network, s.local.Network)
	case !ok || self.State == landfall.Gone:
		return nil, self, errRemoved
	case self.Key != s.state.Key.Public():
		return nil, self, fmt.Errorf("map serial %d knows node %s by another key than %s: put the right state directory back, or remove the node and join again",
			m.Serial, self.ID, filepath.Join(s.cfg.Dir, "node.key"))
	}
	return m, self, nil
}

// How long a node that cannot open its ports at its start waits for a map that
// gives it others, and how often it tries them again.
const (
	limpTime  = 10 * time.Second
	limpRetry = 5 * time.Second
)

// limp is for a node that cannot open its ports: it stays in the mesh, so that
// a map can mend what a map broke, and tries again. One that never served
// gives up soon, and the home at once, for nobody else could mend it.
func (s *server) limp(ctx context.Context, self landfall.Node, trouble error) (node.Sockets, error) {
	if !s.told && self.Has(landfall.RoleOrigin) {
		return node.Sockets{}, trouble
	}
	sockets, err := bindMesh(ctx, self, s.local.WireGuard)
	if err != nil {
		return sockets, errors.Join(trouble, err)
	}
	s.cfg.Log.Error("ports cannot be opened: serving nothing until they can, or the map changes", "node", self.ID, "err", trouble)
	return sockets, nil
}

// retry ends a node that limps, when its ports are free at last or when it has
// to give up.
func (s *server) retry(ctx context.Context, m *landfall.Map, self landfall.Node, trouble error) error {
	tick := time.NewTicker(limpRetry)
	defer tick.Stop()
	giveUp := make(<-chan time.Time)
	if !s.told {
		giveUp = time.After(limpTime)
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-giveUp:
			return trouble
		case <-tick.C:
			if free(ctx, m, self, s.local, s.handed, s.held) {
				return errChanged
			}
		}
	}
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

// assemble puts the node together. The sockets of cfg are the node's from then
// on, or closed; home is to be closed when the node has ended, and nil outside
// the home region.
func (s *server) assemble(cfg node.Config, m *landfall.Map, self landfall.Node) (n *node.Node, home *node.Home, err error) {
	cfg.Self, cfg.Version, cfg.State, cfg.MapKey, cfg.Log = self.ID, s.cfg.Version, s.state, s.local.MapKey, s.cfg.Log
	cfg.Front, cfg.Rate, cfg.NoRelay = s.local.Mesh.Front, s.local.Mesh.Rate, s.local.Mesh.NoRelay
	cfg.NoWarm, cfg.Allow = s.local.Mesh.NoWarm, s.local.Mesh.Allow
	cfg.Certificate, cfg.Secrets, cfg.Cookies, cfg.Tap = s.certificate, s.secrets, s.cookies, s.tap()
	err = s.geography(&cfg)
	if err == nil && self.Has(landfall.RoleOrigin) {
		home, err = node.OpenHome(self.ID, s.state, m.Network, m.Domain, s.cfg.Log)
		cfg.Home = home
	}
	if err == nil {
		n, err = node.New(cfg)
	}
	if err != nil {
		closeSockets(cfg.Sockets)
		if home != nil {
			err = errors.Join(err, home.Close())
		}
		return nil, nil, err
	}
	return n, home, nil
}

// bootstrap is what a node begins with: whom it can ask, and nothing of what
// it serves.
func bootstrap(m *landfall.Map) *landfall.Map {
	return &landfall.Map{Network: m.Network, Domain: m.Domain, Regions: m.Regions, Nodes: m.Nodes}
}

// run serves, and keeps the service manager told.
func (s *server) run(ctx context.Context, n *node.Node, m *landfall.Map, self landfall.Node, cease context.CancelCauseFunc) error {
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
	if s.fetcher != nil {
		n.Admin().Register("geofetch", func() any { return s.fetcher.Stats() })
		part(s.fetcher.Run)
	}
	s.mu.Lock()
	s.node = n
	s.mu.Unlock()
	s.desk.seat(n.Admin().Local())
	defer s.desk.seat(nil)
	part(n.Run)
	part(func(ctx context.Context) error { return s.watch(ctx, n) })
	part(func(ctx context.Context) error { return s.await(ctx, cease) })
	part(func(ctx context.Context) error {
		select {
		case <-n.Answering():
			return s.dismiss()
		case <-ctx.Done():
			return nil
		}
	})
	if trouble := n.Trouble(); trouble != nil {
		part(func(ctx context.Context) error { return s.retry(ctx, m, self, trouble) })
	} else {
		part(func(ctx context.Context) error { return s.report(ctx, n) })
	}
	if !s.told && n.Trouble() == nil {
		s.told = true
		s.settle(nil)
		if s.cfg.Started != nil {
			s.cfg.Started(Serving{m.Network, self, m.Ports, m.Serial})
		}
	}
	work.Wait()
	if err := context.Cause(running); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}
