package world

import (
	"context"
	"crypto/x509"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"landfall"
	"landfall/cmd/internal/admin"
	"landfall/cmd/internal/coarse"
	"landfall/cmd/internal/config"
	"landfall/cmd/internal/keyring"
	"landfall/cmd/internal/node"
	"landfall/geodns/locate"
	"landfall/mesh"
	"landfall/mesh/wan"
)

// network is the description of the world that `landfall dev` runs.
//
//go:embed network.toml
var network []byte

// Config is what a World is made of.
type Config struct {
	Dir     string         // holds all state; made where it is not
	Ports   landfall.Ports // that the public uses on every node's address; 0 finds free ones
	Ocean   []Leg          // later legs overrule earlier ones
	Started time.Time      // what the time until all serve is counted from
	Version string         // of the program, for status
	Sign    bool           // the domain's zone is signed
	Log     *slog.Logger   // nil: no log
}

// World is a whole network in one process.
type World struct {
	// First is how to sign in to the chat.
	First Account
	// Root is the file with the certificate of the world's own authority.
	Root string

	cfg        Config
	lock       *os.File
	ocean      *wan.Network
	home       *node.Home
	homeID     landfall.NodeID
	nodes      map[landfall.NodeID]*node.Node
	states     []*node.State
	sockets    map[landfall.NodeID]*sockets
	roots      *x509.CertPool
	serial     landfall.Serial // of the map that this start made
	readyAfter time.Duration
}

// Network is the map of the world as it is declared: nodes have neither keys
// nor ports yet.
func Network() (*landfall.Map, error) {
	m, problems := config.Parse("network.toml", network)
	if len(problems) > 0 {
		return nil, &config.Error{Problems: problems}
	}
	if len(m.Origins()) == 0 {
		return nil, errors.New("network.toml: no node of the home region has the role origin")
	}
	return m, nil
}

// Open binds all sockets and opens all state; nothing serves yet. What is
// wrong with a port or a file is an error, and nothing is overwritten.
func Open(cfg Config) (*World, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	w := &World{cfg: cfg, ocean: wan.New(1), nodes: map[landfall.NodeID]*node.Node{}}
	if err := w.open(); err != nil {
		return nil, errors.Join(err, w.close())
	}
	return w, nil
}

func (w *World) open() error {
	draft, err := Network()
	if err != nil {
		return err
	}
	addLoopback6(draft)
	if w.lock, err = node.Lock(w.cfg.Dir); err != nil {
		return err
	}
	if err := flood(w.ocean, draft, w.cfg.Ocean); err != nil {
		return err
	}
	if w.sockets, draft.Ports, err = bind(draft, w.cfg.Ports); err != nil {
		return err
	}
	for i := range draft.Nodes {
		if err := w.openNode(draft, &draft.Nodes[i]); err != nil {
			return err
		}
	}
	if err := w.openHome(draft); err != nil {
		return err
	}
	for i, n := range draft.Nodes {
		if err := w.build(draft, n, w.states[i]); err != nil {
			return err
		}
	}
	return nil
}

// addLoopback6 gives the home edge the loopback address of IPv6 as well,
// where this machine has one: the only one there is.
func addLoopback6(m *landfall.Map) {
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		return
	}
	l.Close()
	m.Nodes[0].Advertised = append(m.Nodes[0].Advertised, netip.IPv6Loopback())
}

// openNode opens a node's state and writes into the map what a node brings.
func (w *World) openNode(draft *landfall.Map, n *landfall.Node) error {
	s, err := node.OpenState(filepath.Join(w.cfg.Dir, string(n.ID)))
	if err != nil {
		return err
	}
	w.states = append(w.states, s)
	n.Key, n.Sealing = s.Key.Public(), s.Sealing
	n.Mesh = landfall.MeshAddr(draft.Network, n.ID)
	n.Endpoints = []netip.AddrPort{netip.MustParseAddrPort(w.sockets[n.ID].wireguard.LocalAddr().String())}
	return nil
}

// openHome opens the home region's part, and makes the first map or brings
// the one there is up to date with this start's ports.
func (w *World) openHome(draft *landfall.Map) (err error) {
	ctx := context.Background() // all local, all short
	w.homeID = draft.Origins()[0].ID
	i := slices.IndexFunc(draft.Nodes, func(n landfall.Node) bool { return n.ID == w.homeID })
	if w.home, err = node.OpenHome(w.homeID, w.states[i], draft.Network, draft.Domain, w.cfg.Log); err != nil {
		return err
	}
	if w.cfg.Sign {
		if err := w.sign(draft.Domain); err != nil {
			return err
		}
	}
	draft.Authority = w.home.Authority.PEM()
	if _, err := w.home.Control.Begin(ctx, draft); err != nil {
		return err
	}
	m, err := w.home.Control.Change(ctx, func(m *landfall.Map) error { return update(m, draft) })
	if err != nil {
		return err
	}
	w.serial = m.Serial
	w.Root = w.home.Authority.Path()
	w.roots = x509.NewCertPool()
	w.roots.AddCert(w.home.Authority.Root())
	w.First, err = signUp(ctx, w.home.Chat, filepath.Join(w.cfg.Dir, "account.json"))
	return err
}

// sign makes keys for a zone that has none.
func (w *World) sign(zone string) error {
	dir := w.keys()
	if _, err := dir.State(zone); !errors.Is(err, keyring.ErrNoKeys) {
		return err
	}
	_, err := dir.Begin(zone, keyring.DefaultPolicy(), time.Now())
	return err
}

// keys is where the home has the keys of zones.
func (w *World) keys() keyring.Dir {
	return keyring.Dir(node.KeysIn(filepath.Join(w.cfg.Dir, string(w.homeID))))
}

// update takes over all of the draft but the states of nodes, which only
// drains change.
func update(m, draft *landfall.Map) error {
	next := draft.Clone()
	next.Serial, next.Issued, next.Signing = m.Serial, m.Issued, m.Signing
	for i, n := range next.Nodes {
		if old, ok := m.Node(n.ID); ok {
			next.Nodes[i].State = old.State
		}
	}
	*m = *next
	return nil
}

// build puts a node together. What it begins with tells whom it can ask, at
// the ports of this start, and nothing of what it serves.
func (w *World) build(draft *landfall.Map, n landfall.Node, s *node.State) error {
	boot := &landfall.Map{Network: draft.Network, Domain: draft.Domain, Regions: draft.Regions, Nodes: draft.Nodes}
	geo, err := coarse.File(w.cfg.Dir)
	if err != nil {
		return err
	}
	own := w.sockets[n.ID]
	far, err := w.ocean.PacketConn(own.wireguard, site(n.Region))
	if err != nil {
		return err
	}
	cfg := node.Config{
		Self: n.ID, Version: w.cfg.Version, State: s, MapKey: w.home.MapKey, Bootstrap: boot, Geo: locate.Sources{Places: geo}, Log: w.cfg.Log,
		Front:   mesh.FrontNetstack, // one kernel cannot be them all
		Sockets: node.Sockets{WireGuard: far, HTTPS: own.https, DNSUDP: own.dnsUDP, DNSTCP: own.dnsTCP},
	}
	if n.ID == w.homeID {
		cfg.Home = w.home
	}
	w.nodes[n.ID], err = node.New(cfg)
	return err
}

// Map is the newest map, as the home region has it.
func (w *World) Map() *landfall.Map { return w.nodes[w.homeID].Map() }

// Run serves until ctx ends or a node cannot go on, and closes everything.
func (w *World) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var running sync.WaitGroup
	errs := make(chan error, len(w.nodes)+1)
	for _, n := range w.nodes {
		running.Go(func() {
			err := n.Run(ctx)
			cancel(err)
			errs <- err
		})
	}
	running.Go(func() {
		err := admin.Serve(ctx, w.cfg.Dir, w.nodes[w.homeID].Admin().Local())
		cancel(err)
		errs <- err
	})
	running.Wait()
	close(errs)
	var all []error
	for err := range errs {
		all = append(all, err)
	}
	return errors.Join(append(all, w.close())...)
}

// close gives back what open took; what Run's parts closed already does not
// mind.
func (w *World) close() error {
	var errs []error
	for _, s := range w.sockets {
		s.close()
	}
	errs = append(errs, w.ocean.Close())
	if w.home != nil {
		errs = append(errs, w.home.Close())
	}
	for _, s := range w.states {
		errs = append(errs, s.Close())
	}
	if w.lock != nil {
		errs = append(errs, w.lock.Close())
	}
	return errors.Join(errs...)
}

// readyTimeout is how long a start may take before something is wrong.
const readyTimeout = 30 * time.Second

// Ready waits until every node serves all its roles.
func (w *World) Ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		waiting := w.waiting()
		if waiting == "" {
			w.readyAfter = time.Since(w.cfg.Started)
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not ready: %s: %w", waiting, context.Cause(ctx))
		case <-tick.C:
		}
	}
}

func (w *World) waiting() string {
	for id, n := range w.nodes {
		s := n.Status()
		if len(s.Waiting) > 0 {
			return fmt.Sprintf("node %s waits for %s", id, strings.Join(s.Waiting, ", "))
		}
		if len(s.Down) > 0 {
			return fmt.Sprintf("node %s sees the edges %v down", id, s.Down)
		}
		if s.Serial < w.serial {
			return fmt.Sprintf("node %s serves by map serial %d, not yet by %d", id, s.Serial, w.serial)
		}
	}
	return ""
}

// ReadyAfter is how long it took until all served.
func (w *World) ReadyAfter() time.Duration { return w.readyAfter }
