package wg

import (
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"landfall"
	"landfall/mesh/class"
	"landfall/mesh/meshtest"
	"landfall/mesh/path"
	"landfall/mesh/relay"
	"landfall/mesh/udp"
)

// datagram is one on the wire, as its sender and its receiver see it.
type datagram struct {
	from, to netip.AddrPort
	tos      uint8
	b        []byte
}

// wire joins sockets in memory, with marks and batches. It works in bubbles.
type wire struct {
	mu    sync.Mutex
	socks map[netip.AddrPort]*sock
	// fate says what becomes of a datagram, which it may change: how long it
	// takes, and whether it arrives. Nil is at once, always.
	fate func(d *datagram) (delay time.Duration, arrives bool)
	tap  func(d datagram)
	mtu  atomic.Int64 // of every first hop; 0 is no bound
}

func newWire() *wire { return &wire{socks: map[netip.AddrPort]*sock{}} }

func (w *wire) sock(at netip.AddrPort) *sock {
	s := &sock{wire: w, at: at, in: make(chan datagram, 16384), over: make(chan struct{})}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.socks[at] = s
	return s
}

// put sends a datagram as if from an address, which need not exist.
func (w *wire) put(d datagram) {
	d.b = slices.Clone(d.b)
	w.mu.Lock()
	s, delay, arrives := w.socks[d.to], time.Duration(0), true
	if w.tap != nil {
		w.tap(d)
	}
	if w.fate != nil {
		delay, arrives = w.fate(&d)
	}
	w.mu.Unlock()
	switch {
	case s == nil || !arrives:
	case delay > 0:
		s.later(d, delay)
	default:
		s.take(d)
	}
}

func (w *wire) narrow(b []byte) bool {
	mtu := int(w.mtu.Load())
	return mtu > 0 && len(b) > mtu
}

func (w *wire) setFate(f func(d *datagram) (time.Duration, bool)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fate = f
}

func (w *wire) setTap(f func(d datagram)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tap = f
}

// sock is a udp.Conn.
type sock struct {
	wire *wire
	at   netip.AddrPort
	in   chan datagram
	over chan struct{}
	once sync.Once

	mu    sync.Mutex
	late  []datagram // under way
	due   []time.Time
	gate  sync.Cond // for writers, while shut
	shut  bool
	calls int // of Write
}

func (s *sock) take(d datagram) {
	select {
	case s.in <- d:
	default:
	}
}

// later takes a datagram after a time, and those of the same moment in order.
func (s *sock) later(d datagram, delay time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	due := time.Now().Add(delay)
	i := len(s.late)
	for i > 0 && s.due[i-1].After(due) {
		i--
	}
	s.late, s.due = slices.Insert(s.late, i, d), slices.Insert(s.due, i, due)
	time.AfterFunc(delay, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.take(s.late[0])
		s.late, s.due = s.late[1:], s.due[1:]
	})
}

func (s *sock) Read(bufs [][]byte, sizes []int, from []netip.AddrPort, ecn []uint8) (int, error) {
	var d datagram
	select {
	case d = <-s.in:
	case <-s.over:
		return 0, net.ErrClosed
	}
	n := 0
	for {
		sizes[n], from[n], ecn[n] = copy(bufs[n], d.b), d.from, d.tos
		if n++; n == len(bufs) {
			return n, nil
		}
		select {
		case d = <-s.in:
		default:
			return n, nil
		}
	}
}

func (s *sock) Write(bufs [][]byte, to netip.AddrPort, tos uint8) error {
	s.mu.Lock()
	s.calls++
	for s.shut {
		s.gate.Wait()
	}
	s.mu.Unlock()
	tooBig := false
	for _, b := range bufs {
		if s.wire.narrow(b) {
			tooBig = true
			continue
		}
		s.wire.put(datagram{s.at, to, tos, b})
	}
	if tooBig {
		return udp.ErrTooBig
	}
	return nil
}

func (s *sock) Urgent(b []byte, to netip.AddrPort, tos uint8) error {
	if s.wire.narrow(b) {
		return udp.ErrTooBig
	}
	s.wire.put(datagram{s.at, to, tos, b})
	return nil
}

// hold makes writers wait, until it is called again.
func (s *sock) hold(yes bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gate.L = &s.mu
	s.shut = yes
	s.gate.Broadcast()
}

func (s *sock) LocalAddr() netip.AddrPort { return s.at }
func (s *sock) Stats() udp.Stats          { return udp.Stats{} }

func (s *sock) Close() error {
	s.once.Do(func() { close(s.over) })
	return nil
}

// node is a device with a front that a test looks into.
type node struct {
	*Device
	id    landfall.NodeID
	key   landfall.PrivateKey
	addr  netip.Addr     // inside
	at    netip.AddrPort // outside
	sock  *sock
	front *meshtest.Front

	mu     sync.Mutex
	got    [][]byte // packets
	probes []heardProbe
	wanted []landfall.NodeID
	active []landfall.NodeID
}

type heardProbe struct {
	body string
	way  path.Way
	peer landfall.NodeID
}

// world is some nodes that all know each other.
type world struct {
	*wire
	nodes []*node
}

const network = "test"

func addrOf(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i + 1)}), 7000)
}

// newWorld starts nodes a, b, c and so on, that have direct routes to each
// other and sessions as soon as something is sent.
func newWorld(t testing.TB, count int, with ...func(*Config)) *world {
	t.Helper()
	w := &world{wire: newWire()}
	for i := range count {
		n := &node{id: landfall.NodeID('a' + rune(i)), key: landfall.NewPrivateKey(), at: addrOf(i)}
		n.addr = landfall.MeshAddr(network, n.id)
		n.front = meshtest.NewFront(n.arrived)
		n.sock = w.sock(n.at)
		cfg := Config{
			Self: n.id, Key: n.key, Conns: []udp.Conn{n.sock}, Front: n.front,
			Other: n.other, Wanted: n.want, Active: n.wake,
		}
		for _, f := range with {
			f(&cfg)
		}
		d, err := Start(cfg)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(d.Close)
		n.Device = d
		w.nodes = append(w.nodes, n)
	}
	for i, a := range w.nodes {
		for j, b := range w.nodes {
			if i != j {
				a.meet(t, b, i < j)
				a.Use(b.id, path.Route{Primary: path.Way{Addr: b.at}, MTU: 1472})
			}
		}
	}
	for i, a := range w.nodes {
		for _, b := range w.nodes[i+1:] {
			a.Initiate(b.id)
		}
	}
	return w
}

func (n *node) meet(t testing.TB, other *node, initiate bool) {
	t.Helper()
	if err := n.AddPeer(n.peerOf(t, other, initiate)); err != nil {
		t.Fatal(err)
	}
	kept.Store(n.peers.node(other.id), nil)
}

// kept holds on to all peers that there ever were: WireGuard empties the
// queues of those that the garbage collector finds, which must not happen to
// channels of a bubble from without.
var kept sync.Map

func (n *node) peerOf(t testing.TB, other *node, initiate bool) Peer {
	t.Helper()
	key := other.key.Public()
	secret, err := n.key.Shared(key)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := relay.NewKeys(secret, n.key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return Peer{
		Node: other.id, Key: key, Addr: other.addr, Initiate: initiate,
		Name: relay.NameOf(network, key), Relay: keys, Forward: true,
	}
}

func (n *node) arrived(p []byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.got = append(n.got, slices.Clone(p))
}

func (n *node) other(b []byte, way path.Way, peer landfall.NodeID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.probes = append(n.probes, heardProbe{string(b), way, peer})
}

func (n *node) want(id landfall.NodeID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.wanted = append(n.wanted, id)
}

func (n *node) wake(id landfall.NodeID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.active = append(n.active, id)
}

// told is what the callbacks were told so far.
func (n *node) told() (probes []heardProbe, wanted, active []landfall.NodeID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.probes), slices.Clone(n.wanted), slices.Clone(n.active)
}

// packets takes what has arrived.
func (n *node) packets() [][]byte {
	n.mu.Lock()
	defer n.mu.Unlock()
	got := n.got
	n.got = nil
	return got
}

// numbers takes what has arrived as the numbers that say wrote.
func (n *node) numbers() []int {
	var out []int
	for _, p := range n.packets() {
		if body, ok := meshtest.Body(p); ok && len(body) >= 4 {
			out = append(out, int(binary.BigEndian.Uint32(body)))
		}
	}
	return out
}

// numbered is a packet that says which it is, of a size.
func numbered(from, to *node, c landfall.Class, number, size int) []byte {
	body := make([]byte, max(4, size-48))
	binary.BigEndian.PutUint32(body, uint32(number))
	return meshtest.Packet(from.addr, to.addr, c, body)
}

// say sends packets from..to-1.
func (n *node) say(t testing.TB, to *node, c landfall.Class, from, until, size int) {
	t.Helper()
	for i := from; i < until; i++ {
		if !n.front.Send(numbered(n, to, c, i, size)) {
			t.Fatal("the front is full")
		}
	}
}

// probe makes a way to a node known.
func (n *node) probe(t testing.TB, to *node, way path.Way) {
	t.Helper()
	if err := n.SendTo([]byte("L"), to.id, way); err != nil {
		t.Fatal(err)
	}
}

// way is the direct one to a node.
func (n *node) way() path.Way { return path.Way{Addr: n.at} }

func upTo(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// dscp is the class mark of a datagram.
func (d datagram) class() landfall.Class { return class.Of(d.tos >> 2) }
