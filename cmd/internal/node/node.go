package node

import (
	"cmp"
	"context"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"landfall"
	"landfall/certs"
	"landfall/cmd/internal/admin"
	"landfall/cmd/internal/control"
	"landfall/edge"
	"landfall/geodns/locate"
	"landfall/geodns/tap"
	"landfall/geodns/tsig"
	"landfall/mesh"
	"landfall/mesh/mapsync"
)

// Sockets are what a node listens on, already bound. A node is an edge if it
// has HTTPS listeners, and a name server if it has DNS sockets.
type Sockets struct {
	WireGuard net.PacketConn
	HTTPS     []net.Listener
	HTTP      []net.Listener // sends browsers on to HTTPS
	Join      []net.Listener // for new nodes, at a home that is no edge
	DNSUDP    []*net.UDPConn
	DNSTCP    []net.Listener
	DNSTLS    []net.Listener // need a Certificate
	DNSHTTPS  []net.Listener
}

// Config is what a Node is made of.
type Config struct {
	Self    landfall.NodeID
	Version string // of the program, for status
	State   *State
	Sockets Sockets
	// Front, Rate, NoRelay, NoWarm and Allow are those of mesh.Config.
	Front   string
	Rate    int64
	NoRelay bool
	NoWarm  bool
	Allow   []string
	// MapKey is whose maps the node serves by.
	MapKey landfall.MapKey
	// Bootstrap is the map of serial 0 that the node begins with: the name of
	// the network, and the nodes to ask: the home region's at least.
	Bootstrap *landfall.Map
	// Home is what only a node with the origin role has; nil elsewhere.
	Home *Home
	// Trouble is why the node serves nothing of what the map wants, for
	// status; nil: nothing is wrong.
	Trouble error
	// Changed hears of each map that is applied, before the parts do; nil is
	// nobody.
	Changed func(*landfall.Map)
	// Certificate is what a name server shows by TLS, and Secrets the keys of
	// its secondaries; nil: none.
	Certificate *Certificate
	Secrets     *tsig.Ring
	// Cookies are where the secrets of a name server's cookies come from; nil
	// derives them from the node's key. Tap is DNSConfig.Tap.
	Cookies *Cookies
	Tap     tap.Config
	// Geo are the files of the geographic databases, which edges and name
	// servers need, and Awaited those of them that are fetched. Coarse is a
	// database for as long as that of places cannot be used; see AtlasConfig.
	Geo, Awaited locate.Sources
	Coarse       []byte
	Log          *slog.Logger // nil: no log
}

// Node is one server of the network.
type Node struct {
	cfg     Config
	log     *slog.Logger
	started time.Time
	roots   []*os.Root                    // open directories
	ended   chan struct{}                 // closed when Run is to end
	applied atomic.Uint64                 // serial of the map that all parts serve by; 0 before the first
	trust   atomic.Pointer[x509.CertPool] // who vouches for edges

	mesh     *mesh.Mesh
	maps     *mapsync.Client
	atlas    *Atlas         // nil unless an edge or a name server
	source   *certs.Source  // nil unless an edge
	edge     *edge.Server   // nil unless an edge
	redirect *edge.Redirect // nil unless an edge
	dns      *DNS           // nil unless a name server
	admin    *admin.Server
}

// New puts a node's parts together; nothing of it runs yet. The sockets
// belong to Run; where New fails they stay the caller's.
func New(cfg Config) (*Node, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	n := &Node{cfg: cfg, log: cfg.Log.With("node", cfg.Self), started: time.Now(), ended: make(chan struct{})}
	err := n.build()
	if err != nil {
		n.closeRoots()
		return nil, fmt.Errorf("node %s: %w", cfg.Self, err)
	}
	return n, nil
}

func (n *Node) build() (err error) {
	n.admin = admin.New(admin.Config{
		Self: n.cfg.Self, Status: n.Status, Overview: n.Overview, Peers: n.peers(),
		Control: n.local(control.Handler(n.Map, n.operators(), n.log)), Log: n.log,
	})
	if err := n.buildMesh(); err != nil {
		return err
	}
	if err := n.buildMaps(); err != nil {
		return err
	}
	if n.isEdge() || n.isDNS() {
		if n.atlas, err = OpenAtlas(AtlasConfig{Sources: n.cfg.Geo, Awaited: n.cfg.Awaited, Coarse: n.cfg.Coarse, Log: n.log}); err != nil {
			return err
		}
		n.admin.Register("locate", func() any { return n.atlas.Stats() })
	}
	if n.isDNS() {
		keep, err := n.root(Learnt)
		if err != nil {
			return err
		}
		if n.dns, err = NewDNS(DNSConfig{
			Self: n.cfg.Self, UDP: n.cfg.Sockets.DNSUDP, TCP: n.cfg.Sockets.DNSTCP, Atlas: n.atlas,
			TLS: n.cfg.Sockets.DNSTLS, HTTPS: n.cfg.Sockets.DNSHTTPS, Certificate: n.cfg.Certificate,
			Secrets: n.cfg.Secrets, Version: "landfall " + n.cfg.Version,
			Cookies: cmp.Or(n.cfg.Cookies, NodeCookies(n.cfg.State.Key)), Tap: n.cfg.Tap, Keep: keep, Sealing: n.cfg.State.Secret, Peer: n.caller,
			Probe: Probe(n.Map, n.trust.Load, n.meshProbe()), Challenges: n.dialChallenges, Log: n.log,
		}); err != nil {
			return err
		}
		n.dns.Register(n.admin)
	}
	if h := n.cfg.Home; h != nil {
		if err := h.bind(n.caller); err != nil {
			return err
		}
		h.register(n.admin)
	}
	if n.isEdge() {
		return n.buildEdge()
	}
	return nil
}

func (n *Node) isEdge() bool { return len(n.cfg.Sockets.HTTPS) > 0 }
func (n *Node) isDNS() bool  { return len(n.cfg.Sockets.DNSUDP)+len(n.cfg.Sockets.DNSTCP) > 0 }

// root opens a folder of the state directory, for as long as the node lives.
func (n *Node) root(name string) (*os.Root, error) {
	r, err := openRoot(filepath.Join(n.cfg.State.Dir, name))
	if err == nil {
		n.roots = append(n.roots, r)
	}
	return r, err
}

func openRoot(dir string) (*os.Root, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("state directory: %w", err)
	}
	return os.OpenRoot(dir)
}

func (n *Node) closeRoots() {
	for _, r := range n.roots {
		r.Close()
	}
}

func (n *Node) buildMaps() error {
	cache, err := n.root(mapCache)
	if err != nil {
		return err
	}
	cfg := mapsync.Config{
		Self: n.cfg.Self, Key: n.cfg.MapKey, Bootstrap: n.cfg.Bootstrap, Cache: cache, Log: n.cfg.Log,
		Dial: func(ctx context.Context, id landfall.NodeID) (net.Conn, error) {
			return n.mesh.Dial(ctx, landfall.Target{Node: id, Service: landfall.MeshMap, Class: landfall.Control})
		},
		Apply: n.applier(),
	}
	if n.cfg.Home != nil {
		cfg.Local = n.cfg.Home.store
	}
	if n.maps, err = mapsync.New(cfg); err != nil {
		return err
	}
	if n.cfg.Home != nil {
		n.cfg.Home.seen.Store(n.maps)
	}
	n.admin.Register("map", func() any { return n.maps.Stats() })
	return nil
}

// Run serves until ctx ends, or until a part cannot go on.
func (n *Node) Run(ctx context.Context) error {
	defer n.closeRoots()
	defer context.AfterFunc(ctx, func() { close(n.ended) })()
	listeners, err := n.listen()
	if err != nil {
		return fmt.Errorf("node %s: %w", n.cfg.Self, err)
	}
	g := newGroup(n.log)
	g.start(ctx, "state", n.cfg.State.guard)
	g.start(ctx, "mesh", n.mesh.Run)
	g.start(ctx, "map", n.maps.Run)
	if h := n.cfg.Home; h != nil {
		h.start(ctx, g)
	}
	for _, l := range listeners {
		g.start(ctx, string(l.service), l.run)
	}
	if n.isEdge() {
		g.start(ctx, "certificates", n.source.Run)
		g.start(ctx, "edge", n.runEdge)
	}
	if ls := n.cfg.Sockets.HTTP; len(ls) > 0 {
		g.start(ctx, "redirect", func(ctx context.Context) error { return n.redirect.Run(ctx, ls...) })
	}
	for _, l := range n.cfg.Sockets.Join {
		g.start(ctx, "join", func(ctx context.Context) error { return n.cfg.Home.joins.Run(ctx, l) })
	}
	if n.atlas != nil {
		g.start(ctx, "databases", n.atlas.Run)
	}
	if n.isEdge() {
		g.start(ctx, "reports", n.report)
	}
	if n.isDNS() {
		g.start(ctx, "votes", n.exchangeVotes)
		g.start(ctx, "name server", n.dns.Run)
	}
	if err := g.wait(ctx); err != nil {
		return fmt.Errorf("node %s: %w", n.cfg.Self, err)
	}
	return nil
}

// applier makes the function that every new map goes through: mesh first, so
// that a newcomer can be reached before anyone is sent to it, name server
// last.
func (n *Node) applier() func(*landfall.Map) {
	first := true
	var last *landfall.Map
	return func(m *landfall.Map) {
		n.farewell(last, m)
		last = m
		if first {
			m, first = withEndpoints(m, n.cfg.Bootstrap), false
		}
		if n.cfg.Changed != nil && m.Serial > 0 {
			n.cfg.Changed(m)
		}
		n.mesh.SetMap(m)
		if m.Serial == 0 {
			return // to find the network by, not to serve by
		}
		n.setTrust(m)
		if h := n.cfg.Home; h != nil {
			h.setMap(m)
		}
		if n.isEdge() {
			n.atlas.SetMap(m)
			n.source.SetMap(m)
			n.edge.SetMap(m)
			n.redirect.SetMap(m)
		}
		if n.isDNS() {
			n.dns.SetMap(m)
		}
		n.applied.Store(uint64(m.Serial))
		n.log.Info("map applied", "serial", m.Serial)
	}
}

// farewellTime is how long home keeps speaking with a node that is gone.
const farewellTime = 700 * time.Millisecond

// farewell lets a node that is gone hear of it from home before its keys are
// worth nothing; it then ends by itself. A newer map, such as that of a node
// cut off, ends the wait.
func (n *Node) farewell(last, m *landfall.Map) {
	if n.cfg.Home == nil || last == nil {
		return
	}
	leaves := slices.ContainsFunc(m.Nodes, func(now landfall.Node) bool {
		was, ok := last.Node(now.ID)
		return ok && was.Joined() && now.State == landfall.Gone
	})
	if leaves {
		ctx, cancel := context.WithTimeout(context.Background(), farewellTime)
		defer cancel()
		stop := make(chan struct{})
		var watching sync.WaitGroup
		watching.Go(func() {
			select {
			case <-n.ended:
				cancel()
			case <-stop:
			}
		})
		_, _ = n.maps.Watch(ctx, m.Serial) // its error is that the time is over
		close(stop)
		watching.Wait()
	}
}

// withEndpoints is a map from disk with the endpoints that the bootstrap map
// gives: what an operator wrote since may be newer than the disk.
func withEndpoints(m, bootstrap *landfall.Map) *landfall.Map {
	if m.Serial == 0 {
		return m
	}
	m = m.Clone()
	for i, n := range m.Nodes {
		if b, ok := bootstrap.Node(n.ID); ok && len(b.Endpoints) > 0 {
			m.Nodes[i].Endpoints = b.Endpoints
		}
	}
	return m
}

// setTrust makes those whom a map names the authorities that vouch for edges.
func (n *Node) setTrust(m *landfall.Map) {
	roots, err := certs.Roots(m)
	if err != nil {
		n.log.Error("authorities not known: edges are judged by those of the map before", "serial", m.Serial, "err", err)
		return
	}
	// Edges show what the network's own authority signed until there is better.
	roots.AppendCertsFromPEM([]byte(m.Authority))
	n.trust.Store(roots)
}

// Map is the newest map the node has.
func (n *Node) Map() *landfall.Map { return n.maps.Map() }

// Answering is closed when the name server is about to read queries, and from
// the beginning where there is none.
func (n *Node) Answering() <-chan struct{} {
	if n.isDNS() {
		return n.dns.Serving()
	}
	none := make(chan struct{})
	close(none)
	return none
}

// Trouble is Config.Trouble.
func (n *Node) Trouble() error { return n.cfg.Trouble }

// Admin is what operators may ask of the node.
func (n *Node) Admin() *admin.Server { return n.admin }
