package mesh

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"landfall"
	"landfall/mesh/front"
	"landfall/mesh/path"
	"landfall/mesh/peers"
	"landfall/mesh/probe"
	"landfall/mesh/udp"
	"landfall/mesh/warm"
	"landfall/mesh/wg"
)

// The words for Config.Front.
const (
	FrontAuto     = "auto"
	FrontTUN      = "tun"
	FrontNetstack = "netstack"
)

// Config says who the node is.
type Config struct {
	Self    landfall.NodeID
	Network string // the network's name; with Self it gives the node's address
	Key     landfall.PrivateKey
	// Conns carry all datagrams: one, or one for each family of addresses. A
	// *net.UDPConn is used in batches, any other conn one datagram at a time.
	// Run closes them when it ends.
	Conns []net.PacketConn
	// Front is what streams are made of: FrontTUN, the kernel's TCP behind a
	// device that has the node's address in the mesh, which takes
	// CAP_NET_ADMIN; FrontNetstack, a TCP in this process, which takes nothing;
	// FrontAuto or empty, the first where it can be.
	Front string
	// Packets is used in place of a front of our own; nil is none. Where it
	// does not implement front.Streams there are no streams: only its packets
	// travel. Run closes it.
	Packets front.Packets
	// Rate is how many bits a second may leave; 0 is no limit of ours. A little
	// below what the line carries, it keeps the queue here, where what is
	// urgent overtakes.
	Rate int64
	// NoRelay has the node send on nothing for others.
	NoRelay bool
	// Allow lists what peers may reach on this machine beside the mesh's own
	// services, where the front is the kernel's: "tcp/PORT", "udp/PORT" or
	// "all". Streams of a front in this process reach nothing else.
	Allow []string
	// NoWarm has the node neither ask for padding nor send any: connections
	// stand ready, but begin as slowly as new ones.
	NoWarm bool
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
	boot  uint32        // in all our passes: see probe.Life
	seed  maphash.Seed  // of the numbers of pings
	names atomic.Pointer[map[netip.Addr]landfall.NodeID]
	own   passes        // of streams to ourselves
	stray atomic.Uint64 // accepted streams without a pass

	applying sync.Mutex // held while peers change; taken before the two below
	keeping  sync.Mutex // held while the pool is told what to keep; taken before mu

	mu        sync.Mutex
	started   bool
	up        *running // nil before ready and after Run
	current   *landfall.Map
	list      []peers.Peer
	peers     map[landfall.NodeID]*peer
	probes    map[probe.ID]*peer
	shorts    map[uint32]*peer // by their names in reports
	table     path.Table
	listeners map[landfall.MeshService]*listener
	uses      []warm.Use        // what has been opened to the home region
	strangers []landfall.NodeID // peers that are not what they were: see forget
	refreshed time.Time         // when WireGuard was last asked about its sessions
	count     counters
}

// running is what Run has started. It does not change.
type running struct {
	dev     *wg.Device
	packets front.Packets
	streams front.Streams // nil: there are none
	front   Front
	door    *warm.Door // these two are nil without streams
	pool    *warm.Pool
}

func (c *Config) check() error {
	switch {
	case c.Self == "" || c.Network == "":
		return errors.New("mesh: the names of the node and the network are needed")
	case c.Key.IsZero():
		return errors.New("mesh: a WireGuard key is needed")
	case len(c.Conns) == 0 || slices.Contains(c.Conns, nil):
		return errors.New("mesh: a packet conn is needed")
	case c.Rate < 0:
		return errors.New("mesh: the rate is negative")
	}
	if _, err := c.filter(); err != nil {
		return err
	}
	return checkFront(c.Front)
}

// New makes a node's part of the mesh; Run brings it up.
func New(cfg Config) (*Mesh, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	m := &Mesh{
		cfg:       cfg,
		boot:      random(),
		seed:      maphash.MakeSeed(),
		addr:      landfall.MeshAddr(cfg.Network, cfg.Self),
		key:       cfg.Key.Public(),
		log:       cfg.Log,
		ready:     make(chan struct{}),
		ended:     make(chan struct{}),
		kick:      make(chan struct{}, 1),
		peers:     map[landfall.NodeID]*peer{},
		probes:    map[probe.ID]*peer{},
		shorts:    map[uint32]*peer{},
		listeners: map[landfall.MeshService]*listener{},
	}
	if m.log == nil {
		m.log = slog.New(slog.DiscardHandler)
	}
	m.log = m.log.With("node", cfg.Self)
	secret, err := cfg.Key.Shared(m.key)
	if err == nil {
		m.own, err = newPasses(secret, m.key, m.key)
	}
	if err != nil {
		return nil, fmt.Errorf("mesh: %w", err)
	}
	m.names.Store(&map[netip.Addr]landfall.NodeID{m.addr: cfg.Self})
	return m, nil
}

// Run brings the mesh up and blocks until ctx ends, or a packet conn fails.
// All streams and listeners end with it.
func (m *Mesh) Run(ctx context.Context) error {
	m.mu.Lock()
	again := m.started
	m.started = true
	m.mu.Unlock()
	if again {
		return errors.New("mesh: Run was called twice")
	}
	up, err := m.start()
	if err != nil {
		return err
	}
	defer m.stop(up)
	if err := m.begin(up); err != nil {
		return err
	}
	if up.pool != nil {
		warming, stop := context.WithCancel(ctx)
		var work sync.WaitGroup
		defer work.Wait()
		defer stop()
		work.Go(func() { _ = up.pool.Run(warming) }) // it is not run twice
	}
	return m.watch(ctx, up)
}

// start makes what Run runs on, or leaves nothing open.
func (m *Mesh) start() (up *running, err error) {
	up = new(running)
	conns, err := sockets(m.cfg.Conns)
	if err == nil {
		err = m.openFront(up)
	}
	if err == nil {
		err = m.newPool(up)
	}
	if err != nil {
		for _, c := range m.cfg.Conns {
			err = errors.Join(err, c.Close())
		}
		if up.packets != nil {
			err = errors.Join(err, up.packets.Close())
		}
		return nil, err
	}
	// Where it fails, it closes what it was given.
	up.dev, err = wg.Start(wg.Config{
		Self: m.cfg.Self, Key: m.cfg.Key, Conns: conns, Front: up.packets, Rate: m.cfg.Rate,
		Other: m.hear, Wanted: m.wish, Active: m.active, Log: m.log,
	})
	return up, err
}

// sockets are those of the mesh on its conns.
func sockets(conns []net.PacketConn) (out []udp.Conn, err error) {
	for _, c := range conns {
		u, e := udp.New(c)
		out, err = append(out, u), errors.Join(err, e)
	}
	return out, err
}

// begin gives the device what was set before it was up.
func (m *Mesh) begin(up *running) error {
	m.applying.Lock()
	defer m.applying.Unlock()
	m.mu.Lock()
	m.up = up
	var waiting []*peer
	for _, known := range m.list {
		if p := m.peers[known.Node]; p != nil {
			waiting = append(waiting, p)
		}
	}
	var err error
	for _, l := range m.listeners {
		err = errors.Join(err, m.listen(up, l))
	}
	m.mu.Unlock()
	for _, p := range waiting {
		m.connect(up.dev, p)
	}
	m.keep(up)
	close(m.ready)
	return err
}

// stop ends all that start made.
func (m *Mesh) stop(up *running) {
	m.applying.Lock()
	defer m.applying.Unlock()
	close(m.ended)
	m.mu.Lock()
	m.up = nil
	var open []*listener
	for _, l := range m.listeners {
		open = append(open, l)
	}
	for _, p := range m.peers {
		p.die(net.ErrClosed)
	}
	m.mu.Unlock()
	up.dev.Close()
	for _, l := range open {
		l.Close()
	}
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
