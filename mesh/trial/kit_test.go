package trial

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"landfall"
	"landfall/mesh"
	"landfall/mesh/meshtest"
	"landfall/mesh/wan"
)

const ms = time.Millisecond

// TestMain keeps finalizers from running: WireGuard's read channels, and those
// of a bubble must not be read outside of it.
func TestMain(m *testing.M) {
	type large [64]byte
	begun := make(chan struct{})
	runtime.SetFinalizer(new(large), func(*large) { close(begun); select {} })
	for waiting := true; waiting; {
		runtime.GC()
		select {
		case <-begun:
			waiting = false
		default:
			runtime.Gosched()
		}
	}
	os.Exit(m.Run())
}

// rounds is how many there are to be.
func rounds(t *testing.T, short, normal, soak int) int {
	t.Helper()
	if s := os.Getenv(Rounds); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			t.Fatalf("%s=%s: want a number", Rounds, s)
		}
		return n
	}
	switch {
	case os.Getenv("LANDFALL_SOAK") != "":
		return soak
	case testing.Short():
		return short
	}
	return normal
}

// print prints a result as Find reads it.
func print(t *testing.T, name string, result any) {
	t.Helper()
	b, err := json.Marshal(result)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s%s: %s", mark, name, b)
}

// world is a mesh on a wide-area network. Its nodes stand at sites of their
// own names.
type world struct {
	t       *testing.T
	seed    uint64
	network *wan.Network
	memory  *wan.Memory
	ids     []landfall.NodeID
	m       *landfall.Map
	key     map[landfall.NodeID]landfall.PrivateKey
	at      map[landfall.NodeID]netip.AddrPort
	nodes   map[landfall.NodeID]*node
	who     map[netip.Addr]landfall.NodeID // by addresses in the mesh

	// These are set before nodes start.
	heard func(from, to landfall.NodeID, body []byte)           // is told of packets, from many goroutines
	wrap  func(landfall.NodeID, *wan.MemoryConn) net.PacketConn // between a node and its conn
	log   slog.Level
}

// node is one that runs.
type node struct {
	*mesh.Mesh
	front *meshtest.Front
	stop  func() // ends Run and waits for it
}

// inWorld runs a test in a bubble with a world of nodes that are not started.
func inWorld(t *testing.T, seed uint64, ids []landfall.NodeID, f func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{
			t: t, seed: seed, network: wan.New(seed), ids: ids, m: &landfall.Map{Network: "trial", Serial: 1},
			key: map[landfall.NodeID]landfall.PrivateKey{}, at: map[landfall.NodeID]netip.AddrPort{},
			nodes: map[landfall.NodeID]*node{}, who: map[netip.Addr]landfall.NodeID{}, log: slog.LevelWarn + 1,
		}
		var err error
		if w.memory, err = w.network.Memory(); err != nil {
			t.Fatal(err)
		}
		for i, id := range ids {
			w.key[id] = privateKey(seed<<8 + uint64(i))
			w.at[id] = netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i + 1)}), 51820)
			w.who[landfall.MeshAddr("trial", id)] = id
			w.m.Nodes = append(w.m.Nodes, landfall.Node{
				ID: id, Key: w.key[id].Public(), Endpoints: []netip.AddrPort{w.at[id]}, Mesh: landfall.MeshAddr("trial", id),
			})
		}
		defer w.network.Close()
		defer func() {
			for _, id := range ids {
				w.stop(id)
			}
		}()
		f(w)
	})
}

// privateKey is the same for the same seed.
func privateKey(seed uint64) landfall.PrivateKey {
	b := make([]byte, 32)
	rand.NewChaCha8([32]byte(fmt.Appendf(nil, "%032d", seed))).Read(b)
	b[0] &= 248
	b[31] = b[31]&127 | 64
	k, err := landfall.ParsePrivateKey("wg-key:" + base64.StdEncoding.EncodeToString(b))
	if err != nil {
		panic(err) // 32 bytes are always a key
	}
	return k
}

func site(id landfall.NodeID) wan.Site { return wan.Site(id) }

// names are those of so many nodes.
func names(n int) (ids []landfall.NodeID) {
	for i := range n {
		ids = append(ids, landfall.NodeID(fmt.Sprintf("n%02d", i)))
	}
	return ids
}

// lay puts the same link both ways between two nodes.
func (w *world) lay(a, b landfall.NodeID, l wan.Link) {
	w.t.Helper()
	if err := w.network.Connect(site(a), site(b), l); err != nil {
		w.t.Fatal(err)
	}
}

// one puts a link one way.
func (w *world) one(from, to landfall.NodeID, l wan.Link) {
	w.t.Helper()
	if err := w.network.SetLink(site(from), site(to), l); err != nil {
		w.t.Fatal(err)
	}
}

// start runs nodes, all if none is named.
func (w *world) start(ids ...landfall.NodeID) {
	w.t.Helper()
	if len(ids) == 0 {
		ids = w.ids
	}
	for _, id := range ids {
		w.run(id)
	}
}

func (w *world) run(id landfall.NodeID) {
	w.t.Helper()
	memory, err := w.memory.Listen(w.at[id], site(id))
	if err != nil {
		w.t.Fatal(err)
	}
	var conn net.PacketConn = memory
	if w.wrap != nil {
		conn = w.wrap(id, memory)
	}
	n := &node{front: meshtest.NewFront(func(p []byte) { w.took(id, p) })}
	n.Mesh, err = mesh.New(mesh.Config{
		Self: id, Network: "trial", Key: w.key[id], Conns: []net.PacketConn{conn}, Packets: n.front,
		Log: slog.New(slog.NewTextHandler(w.t.Output(), &slog.HandlerOptions{Level: w.log})),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	n.SetMap(w.m)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	n.stop = func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("%s: Run: %v", id, err)
		}
	}
	w.nodes[id] = n
}

// stop ends a node, if it runs.
func (w *world) stop(id landfall.NodeID) {
	if n := w.nodes[id]; n != nil {
		n.stop()
		delete(w.nodes, id)
	}
}

// took is told of each packet that arrives.
func (w *world) took(to landfall.NodeID, p []byte) {
	body, ok := meshtest.Body(p)
	if ok && w.heard != nil {
		w.heard(w.who[netip.AddrFrom16([16]byte(p[8:24]))], to, body)
	}
}

// send sends a packet; a node that does not run sends none.
func (w *world) send(from, to landfall.NodeID, c landfall.Class, body []byte) {
	if n := w.nodes[from]; n != nil {
		n.front.Send(meshtest.Packet(landfall.MeshAddr("trial", from), landfall.MeshAddr("trial", to), c, body))
	}
}

// to is what a node knows about the way to another.
func (w *world) to(from, to landfall.NodeID) mesh.Path {
	for _, p := range w.nodes[from].Paths() {
		if p.Peer == to {
			return p
		}
	}
	w.t.Fatalf("%s does not know %s", from, to)
	return mesh.Path{}
}

// spread is the distribution of what it is given, which it sorts.
func spread(all []time.Duration) (s Spread) {
	if len(all) == 0 {
		return s
	}
	slices.Sort(all)
	at := func(q float64) time.Duration { return all[int(q*float64(len(all)-1))] }
	return Spread{at(0.5), at(0.99), at(1)}
}

// until waits for something to be so, and tells how long that took; 0 is that
// it was not within the time.
func until(most, every time.Duration, done func() bool) time.Duration {
	start := time.Now()
	for time.Since(start) < most {
		time.Sleep(every)
		if done() {
			return time.Since(start)
		}
	}
	return 0
}
