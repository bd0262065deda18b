package mesh_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"landfall"
	"landfall/mesh"
	"landfall/mesh/meshtest"
)

// world is a network on loopback whose nodes come and go.
type world struct {
	t     *testing.T
	m     *landfall.Map
	nodes map[landfall.NodeID]*node
	wire  *meshtest.Packets // nil: real sockets on loopback
	wrap  func(net.PacketConn) net.PacketConn

	change func(*mesh.Config) // of nodes that are started; nil changes nothing
}

type node struct {
	*mesh.Mesh
	key  landfall.PrivateKey
	addr netip.AddrPort
	stop func() // ends Run and waits for it
}

// newWorld starts nodes of these names that know each other.
func newWorld(t *testing.T, wire *meshtest.Packets, ids ...landfall.NodeID) *world {
	t.Helper()
	w := &world{t: t, wire: wire, nodes: map[landfall.NodeID]*node{}, m: &landfall.Map{Network: "test", Serial: 1}}
	t.Cleanup(leakCheck(t))
	t.Cleanup(func() {
		for _, n := range w.nodes {
			n.stop()
		}
	})
	for _, id := range ids {
		w.add(id)
	}
	w.publish()
	return w
}

// add starts a node and puts it on the map, which nobody is told yet.
func (w *world) add(id landfall.NodeID) {
	w.t.Helper()
	n := &node{key: landfall.NewPrivateKey(), addr: netip.MustParseAddrPort("127.0.0.1:0")}
	if w.wire != nil {
		n.addr = netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(len(w.nodes) + 1)}), 7000)
	}
	w.nodes[id] = n
	w.start(id)
	w.m = w.m.Clone()
	w.m.Nodes = append(w.m.Nodes, landfall.Node{
		ID: id, Key: n.key.Public(), Endpoints: []netip.AddrPort{n.addr}, Mesh: landfall.MeshAddr("test", id),
	})
}

// start runs a node's mesh, on the port it had before if it had one.
func (w *world) start(id landfall.NodeID) {
	w.t.Helper()
	n := w.nodes[id]
	conn, err := w.listen(n.addr)
	if err != nil {
		w.t.Fatal(err)
	}
	n.addr = conn.LocalAddr().(*net.UDPAddr).AddrPort()
	if w.wrap != nil {
		conn = w.wrap(conn)
	}
	cfg := mesh.Config{
		Self: id, Network: "test", Key: n.key, Conns: []net.PacketConn{conn}, Front: mesh.FrontNetstack, Timeout: 3 * time.Second,
		Log: slog.New(slog.NewTextHandler(w.t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	if w.change != nil {
		w.change(&cfg)
	}
	n.Mesh, err = mesh.New(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(w.t.Context()))
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	n.stop = func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("%s: Run: %v", id, err)
		}
		n.stop = func() {}
	}
}

func (w *world) listen(at netip.AddrPort) (net.PacketConn, error) {
	if w.wire != nil {
		return w.wire.Conn(at)
	}
	return net.ListenUDP("udp", net.UDPAddrFromAddrPort(at))
}

// restart ends a node's process, so to speak, and starts it anew.
func (w *world) restart(id landfall.NodeID) {
	w.t.Helper()
	w.nodes[id].stop()
	w.start(id)
	w.nodes[id].SetMap(w.m)
}

func (w *world) publish() {
	for _, n := range w.nodes {
		n.SetMap(w.m)
	}
}

// gone takes a node off the map for good.
func (w *world) gone(id landfall.NodeID) {
	w.m = w.m.Clone()
	w.m.Serial++
	i := slices.IndexFunc(w.m.Nodes, func(n landfall.Node) bool { return n.ID == id })
	w.m.Nodes[i].State = landfall.Gone
	w.publish()
}

func (w *world) dial(from, to landfall.NodeID) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(w.t.Context(), 10*time.Second)
	defer cancel()
	return w.nodes[from].Dial(ctx, landfall.Target{Node: to, Service: landfall.MeshHTTP})
}

func (w *world) mustDial(from, to landfall.NodeID) net.Conn {
	w.t.Helper()
	c, err := w.dial(from, to)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// leakCheck fails the test if goroutines are left at its end. WireGuard's
// workers end by themselves shortly after the device has.
func leakCheck(t *testing.T) func() {
	before := ours()
	return func() {
		if t.Failed() {
			return
		}
		var after []string
		for wait := time.Millisecond; wait < 4*time.Second; wait *= 2 {
			if after = ours(); len(after) <= len(before) {
				return
			}
			<-time.After(wait)
		}
		t.Errorf("%d goroutines before, %d after:\n%s", len(before), len(after), strings.Join(after, "\n\n"))
	}
}

// ours are the stacks of goroutines that run code of the mesh.
func ours() []string {
	buf := make([]byte, 4<<20)
	var out []string
	for g := range bytes.SplitSeq(buf[:runtime.Stack(buf, true)], []byte("\n\n")) {
		if s := string(g); strings.Contains(s, "landfall/mesh") || strings.Contains(s, "gvisor") || strings.Contains(s, "wireguard") {
			out = append(out, s)
		}
	}
	return out
}

func ids(n int) []landfall.NodeID {
	var out []landfall.NodeID
	for i := range n {
		out = append(out, landfall.NodeID(fmt.Sprintf("n%d", i)))
	}
	return out
}
