package mesh_test

import (
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"landfall"
	"landfall/mesh/meshtest"
	"landfall/mesh/probe"
)

// caller stands for a node's process, and says what the test wants.
type caller struct {
	t    *testing.T
	conn net.PacketConn
	keys probe.Keys
	to   netip.AddrPort
}

// impersonate ends a node and takes its place towards another.
func (w *world) impersonate(id, to landfall.NodeID) *caller {
	w.t.Helper()
	from, peer := w.nodes[id], w.nodes[to]
	from.stop()
	conn, err := w.wire.Conn(from.addr)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { conn.Close() })
	secret, err := from.key.Shared(peer.key.Public())
	if err != nil {
		w.t.Fatal(err)
	}
	keys, err := probe.NewKeys(secret, from.key.Public(), peer.key.Public())
	if err != nil {
		w.t.Fatal(err)
	}
	return &caller{w.t, conn, keys, peer.addr}
}

// ping is a genuine one.
func (c *caller) ping(stamp time.Time, pass uint64) []byte {
	return c.keys.AppendSeal(nil, probe.Message{Kind: probe.Ping, Stamp: stamp.UnixNano(), Pass: pass})
}

// pass asks for the pass, as a process does that has just started.
func (c *caller) pass(stamp time.Time) uint64 {
	c.t.Helper()
	if _, err := c.conn.WriteTo(c.ping(stamp, 0), net.UDPAddrFromAddrPort(c.to)); err != nil {
		c.t.Fatal(err)
	}
	if err := c.conn.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
		c.t.Fatal(err)
	}
	b := make([]byte, 2000)
	for {
		n, _, err := c.conn.ReadFrom(b)
		if err != nil {
			c.t.Fatalf("no pong: %v", err)
		}
		if m, err := c.keys.Open(b[:n]); err == nil && m.Kind == probe.Pong && m.Stamp == stamp.UnixNano() {
			return m.Pass
		}
	}
}

// TestPingFromAPeersAddressLocksNobodyOut: a peer's ping, sent on from where
// another peer lives, says nothing about the other peer.
func TestPingFromAPeersAddressLocksNobodyOut(t *testing.T) {
	wire := meshtest.NewPackets(time.Millisecond)
	w := newWorld(t, wire, "a", "b", "c")
	y, z := initiator(w, "a", "b")
	serveEcho(t, w, z)
	healed(w, y, z)
	w.nodes[y].stop()
	x := w.impersonate("c", z)
	pass := x.pass(time.Now())
	wire.Inject(w.nodes[y].addr, w.nodes[z].addr, x.ping(time.Now(), pass))
	if !testing.Short() {
		<-time.After(3 * time.Second) // until z has given the address up
	}
	w.start(y)
	w.nodes[y].SetMap(w.m)
	if took := healed(w, y, z); took > 2*time.Second {
		t.Errorf("healed after %v", took)
	}
}

// asked tells whether a node sends pings to an address within half a second.
func (w *world) asked(from landfall.NodeID, at netip.AddrPort, do func()) bool {
	pinged := make(chan struct{}, 1)
	w.wire.Tap(func(src, to netip.AddrPort, b []byte) {
		if src == w.nodes[from].addr && to == at && probe.Is(b) && probe.Kind(b[2]) == probe.Ping {
			select {
			case pinged <- struct{}{}:
			default:
			}
		}
	})
	defer w.wire.Tap(nil)
	do()
	select {
	case <-pinged:
		return true
	case <-time.After(500 * time.Millisecond):
		return false
	}
}

var elsewhere = netip.MustParseAddrPort("198.51.100.9:4000")

// TestOldPingsAreNotBelieved records one, and plays it back to a node that
// has restarted, and so cannot know that it has heard it.
func TestOldPingsAreNotBelieved(t *testing.T) {
	w := newWorld(t, meshtest.NewPackets(time.Millisecond), "a", "b")
	x := w.impersonate("b", "a")
	old := x.ping(time.Now(), x.pass(time.Now()))
	if !w.asked("a", elsewhere, func() { w.wire.Inject(elsewhere, x.to, old) }) {
		t.Error("a ping was not believed when it was fresh")
	}
	w.restart("a")
	if w.asked("a", elsewhere, func() { w.wire.Inject(elsewhere, x.to, old) }) {
		t.Error("a ping was believed after a restart")
	}
	again := x.ping(time.Now(), x.pass(time.Now()))
	if !w.asked("a", elsewhere, func() { w.wire.Inject(elsewhere, x.to, again) }) {
		t.Error("a fresh ping was not believed after a restart")
	}
}

// TestClockMayStepBack restarts a peer that has moved, with its clock a day
// behind.
func TestClockMayStepBack(t *testing.T) {
	if testing.Short() {
		t.Skip("waits until a peer is dead")
	}
	w := newWorld(t, meshtest.NewPackets(time.Millisecond), "a", "b")
	serveEcho(t, w, "a")
	healed(w, "b", "a")
	x := w.impersonate("b", "a")
	behind := time.Now().Add(-24 * time.Hour)
	before := x.pass(behind)
	for start := time.Now(); w.nodes["a"].Paths()[0].Alive; <-time.After(50 * time.Millisecond) {
		if time.Since(start) > 5*time.Second {
			t.Fatal("a silent peer is alive")
		}
	}
	pass := x.pass(behind.Add(1))
	if pass == before {
		t.Error("the pass outlived the peer")
	}
	if !w.asked("a", elsewhere, func() { w.wire.Inject(elsewhere, x.to, x.ping(behind.Add(2), pass)) }) {
		t.Error("not believed with its clock set back")
	}
}

// hide takes a node's endpoints off the map: peers learn where it is when it
// calls.
func (w *world) hide(id landfall.NodeID) {
	w.m = w.m.Clone()
	i := slices.IndexFunc(w.m.Nodes, func(n landfall.Node) bool { return n.ID == id })
	w.m.Nodes[i].Endpoints = nil
}

// move ends a node's process and starts it at another address.
func (w *world) move(id landfall.NodeID, to netip.AddrPort) {
	w.t.Helper()
	w.nodes[id].stop()
	w.nodes[id].addr = to
	w.start(id)
	w.nodes[id].SetMap(w.m)
}

// TestAddressPassesFromPeerToPeer is a NAT that gives the port of one peer to
// another.
func TestAddressPassesFromPeerToPeer(t *testing.T) {
	w := newWorld(t, meshtest.NewPackets(time.Millisecond), "a", "b", "c")
	w.hide("a")
	w.hide("b")
	w.publish()
	serveEcho(t, w, "c")
	first, second := initiator(w, "a", "b")
	healed(w, first, "c")
	port := w.nodes[first].addr
	w.move(first, elsewhere)
	w.move(second, port)
	for _, id := range []landfall.NodeID{second, first} {
		if took := healed(w, id, "c"); took > 3*time.Second {
			t.Errorf("%s healed after %v", id, took)
		}
	}
}
