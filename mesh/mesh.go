package mesh

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"landfall"
	"landfall/mesh/path"
	"landfall/mesh/peers"
	"landfall/mesh/probe"
	"landfall/mesh/wg"
)

// Config says who the node is.
type Config struct {
	Self    landfall.NodeID
	Network string // the network's name; with Self it gives the node's address
	Key     landfall.PrivateKey
	// Conn carries all datagrams: a *net.UDPConn is used in batches, any
	// other conn one datagram at a time. Run closes it when it ends.
	Conn net.PacketConn
	// Timeout is about how long a peer may be silent before its streams end,
	// twice that for idle ones; 0 means ten seconds.
	Timeout time.Duration
	Log     *slog.Logger // nil means silence
}

// Mesh is one node's part of the mesh.
type Mesh struct {
	cfg   Config
	addr  netip.Addr // ours, inside the mesh
	key   landfall.PublicKey
	log   *slog.Logger
	ready chan struct{} // closed when the device is up
	ended chan struct{} // closed when Run has begun to end
	kick  chan struct{} // the prober is to look at once
	names atomic.Pointer[map[netip.Addr]landfall.NodeID]

	applying sync.Mutex // held while peers change; taken before mu

	mu        sync.Mutex
	running   bool
	dev       *wg.Device // nil before ready
	current   *landfall.Map
	list      []peers.Peer
	peers     map[landfall.NodeID]*peer
	probes    map[probe.ID]*peer
	table     path.Table
	listeners map[landfall.MeshService]*listener
	count     counters
}

// peer is what the mesh knows about one, guarded by Mesh.mu.
type peer struct {
	peers.Peer
	keys    probe.Keys   // never changes
	window  probe.Window // of its pings
	pass    uint64       // what it wants to see in ours
	session wg.Session
	looked  time.Time // at its session
	began   time.Time // our last initiation
	asked   bool      // it asked us for an initiation
	wished  time.Time // when WireGuard last wanted one that is not ours

	life    context.Context // ends, with the reason, when the peer is given up
	die     context.CancelCauseFunc
	changed chan struct{} // closed when it turns alive or dead
}

// New makes a node's part of the mesh; Run brings it up.
func New(cfg Config) (*Mesh, error) {
	switch {
	case cfg.Self == "" || cfg.Network == "":
		return nil, errors.New("mesh: the names of the node and the network are needed")
	case cfg.Key.IsZero():
		return nil, errors.New("mesh: a WireGuard key is needed")
	case cfg.Conn == nil:
		return nil, errors.New("mesh: a packet conn is needed")
	}
	m := &Mesh{
		cfg:       cfg,
		addr:      landfall.MeshAddr(cfg.Network, cfg.Self),
		key:       cfg.Key.Public(),
		log:       cfg.Log,
		ready:     make(chan struct{}),
		ended:     make(chan struct{}),
		kick:      make(chan struct{}, 1),
		peers:     map[landfall.NodeID]*peer{},
		probes:    map[probe.ID]*peer{},
		listeners: map[landfall.MeshService]*listener{},
	}
	if m.log == nil {
		m.log = slog.New(slog.DiscardHandler)
	}
	m.log = m.log.With("node", cfg.Self)
	m.names.Store(&map[netip.Addr]landfall.NodeID{m.addr: cfg.Self})
	return m, nil
}

// Run brings the mesh up and blocks until ctx ends, or the packet conn
// fails. All streams and listeners end with it.
func (m *Mesh) Run(ctx context.Context) error {
	m.mu.Lock()
	again := m.running
	m.running = true
	m.mu.Unlock()
	if again {
		return errors.New("mesh: Run was called twice")
	}
	dev, err := wg.Start(wg.Config{
		Key: m.cfg.Key, Addr: m.addr, Conn: m.cfg.Conn, Timeout: m.cfg.Timeout,
		Other: m.hear, Wanted: m.wish, Log: m.log,
	})
	if err != nil {
		return errors.Join(err, m.cfg.Conn.Close())
	}
	defer m.stop(dev)
	if err := m.begin(dev); err != nil {
		return err
	}
	return m.watch(ctx, dev)
}

// begin gives the device what was set before it was up.
func (m *Mesh) begin(dev *wg.Device) error {
	m.applying.Lock()
	defer m.applying.Unlock()
	m.mu.Lock()
	m.dev = dev
	var waiting []*peer
	for _, p := range m.peers {
		waiting = append(waiting, p)
	}
	var err error
	for _, l := range m.listeners {
		err = errors.Join(err, dev.Listen(l.port, l.take))
	}
	m.mu.Unlock()
	for _, p := range waiting {
		m.connect(dev, p)
	}
	close(m.ready)
	return err
}

func (m *Mesh) stop(dev *wg.Device) {
	m.applying.Lock()
	defer m.applying.Unlock()
	close(m.ended)
	m.mu.Lock()
	m.dev = nil
	var open []*listener
	for _, l := range m.listeners {
		open = append(open, l)
	}
	for _, p := range m.peers {
		p.die(net.ErrClosed)
	}
	m.mu.Unlock()
	dev.Close()
	for _, l := range open {
		l.Close()
	}
}

// SetMap changes the peers to those of the map. Sessions that the map says
// nothing new about are not disturbed.
func (m *Mesh) SetMap(next *landfall.Map) {
	if next.Network != m.cfg.Network {
		m.log.Error("map of another network refused", "serial", next.Serial, "err",
			fmt.Errorf("network %q, want %q", next.Network, m.cfg.Network))
		return
	}
	m.applying.Lock()
	defer m.applying.Unlock()
	now := time.Now()
	list := peers.Of(next, m.cfg.Self, m.key)

	m.mu.Lock()
	changes := peers.Diff(m.list, list)
	m.list, m.current = list, next
	dev := m.dev
	var gone, fresh []*peer
	for _, c := range changes.Removed {
		gone = append(gone, m.drop(c))
	}
	for _, c := range changes.Changed {
		if p := m.peers[c.Node]; p != nil && p.Addr == c.Addr && p.Key == c.Key {
			p.Peer = c
			m.note(m.table.SetPeer(c.Node, c.Endpoints, now))
			continue
		}
		gone = append(gone, m.drop(c))
		fresh = append(fresh, m.admit(c, now))
	}
	for _, c := range changes.Added {
		fresh = append(fresh, m.admit(c, now))
	}
	m.rename()
	m.mu.Unlock()

	if dev != nil {
		m.rewire(dev, gone, fresh)
	}
}

// rewire tells the device who left and who came.
func (m *Mesh) rewire(dev *wg.Device, gone, fresh []*peer) {
	for _, p := range gone {
		if p != nil {
			dev.RemovePeer(wg.Peer{Key: p.Key, Addr: p.Addr}, faultf("peer %s was removed from the map", p.Node))
			m.log.Info("peer removed", "peer", p.Node)
		}
	}
	for _, p := range fresh {
		if p != nil {
			m.connect(dev, p)
		}
	}
	m.look()
}

// connect gives the device a peer. The caller holds applying.
func (m *Mesh) connect(dev *wg.Device, p *peer) {
	m.mu.Lock()
	status, _ := m.table.Status(p.Node)
	p.began = time.Now() // WireGuard initiates as soon as it has the peer
	m.mu.Unlock()
	if err := dev.AddPeer(wg.Peer{Key: p.Key, Addr: p.Addr, Initiate: p.Initiate}, status.Addr); err != nil {
		m.log.Error("peer refused", "peer", p.Node, "err", err)
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	// What was learned meanwhile, the device did not hear.
	if status, _ := m.table.Status(p.Node); status.Addr.IsValid() {
		dev.Use(p.Key, status.Addr)
	}
}

// admit makes a peer known; nil if its key is of no use.
func (m *Mesh) admit(c peers.Peer, now time.Time) *peer {
	secret, err := m.cfg.Key.Shared(c.Key)
	var keys probe.Keys
	if err == nil {
		keys, err = probe.NewKeys(secret, m.key, c.Key)
	}
	if err != nil {
		m.log.Error("peer refused", "peer", c.Node, "err", err)
		return nil
	}
	p := &peer{Peer: c, keys: keys, window: newWindow(), changed: make(chan struct{})}
	p.life, p.die = context.WithCancelCause(context.Background())
	m.peers[c.Node], m.probes[keys.From] = p, p
	m.note(m.table.SetPeer(c.Node, c.Endpoints, now))
	return p
}

// drop forgets a peer; nil if it was never admitted.
func (m *Mesh) drop(c peers.Peer) *peer {
	for _, p := range m.peers {
		if p.Key == c.Key {
			delete(m.peers, p.Node)
			delete(m.probes, p.keys.From)
			m.table.RemovePeer(p.Node)
			p.die(faultf("peer %s was removed from the map", p.Node))
			close(p.changed)
			return p
		}
	}
	return nil
}

// rename rebuilds what PeerOf reads.
func (m *Mesh) rename() {
	names := map[netip.Addr]landfall.NodeID{m.addr: m.cfg.Self}
	for _, p := range m.peers {
		names[p.Addr] = p.Node
	}
	m.names.Store(&names)
}

// PeerOf names the node behind the remote address of a stream of the mesh,
// in the form of net.Addr.String and http.Request.RemoteAddr. WireGuard has
// authenticated it. False for every other address.
func (m *Mesh) PeerOf(remote string) (landfall.NodeID, bool) {
	a, err := netip.ParseAddrPort(remote)
	if err != nil {
		return "", false
	}
	id, ok := (*m.names.Load())[a.Addr()]
	return id, ok
}

// Addr is the node's own address inside the mesh.
func (m *Mesh) Addr() netip.Addr { return m.addr }
