package mesh_test

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"landfall"
	"landfall/mesh/meshtest"
	"landfall/mesh/probe"
)

// ping is a genuine one.
func ping(t *testing.T, from, to *node, m probe.Message) []byte {
	t.Helper()
	secret, err := from.key.Shared(to.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	k, err := probe.NewKeys(secret, from.key.Public(), to.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	m.Kind = probe.Ping
	b := k.Seal(m)
	return b[:]
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
	wire.Inject(w.nodes[y].addr, w.nodes[z].addr, ping(t, w.nodes["c"], w.nodes[z], probe.Message{Stamp: time.Now().UnixNano()}))
	if !testing.Short() {
		<-time.After(3 * time.Second) // until z has given the address up
	}
	w.start(y)
	w.nodes[y].SetMap(w.m)
	if took := healed(w, y, z); took > 2*time.Second {
		t.Errorf("healed after %v", took)
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
	elsewhere := netip.MustParseAddrPort("198.51.100.9:4000")
	w.move(first, elsewhere)
	w.move(second, port)
	for _, id := range []landfall.NodeID{second, first} {
		if took := healed(w, id, "c"); took > 3*time.Second {
			t.Errorf("%s healed after %v", id, took)
		}
	}
}
