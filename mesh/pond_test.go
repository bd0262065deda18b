package mesh_test

import (
	"context"
	"encoding/binary"
	"log/slog"
	"net"
	"net/netip"
	"runtime/debug"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"landfall"
	"landfall/mesh"
	"landfall/mesh/meshtest"
)

// pond is a network in a bubble: everything below streams, in virtual time.
type pond struct {
	t    *testing.T
	wire *meshtest.Packets
	m    *landfall.Map
	key  map[landfall.NodeID]landfall.PrivateKey
	at   map[landfall.NodeID]netip.AddrPort
	up   map[landfall.NodeID]*floater

	mu   sync.Mutex // guards what the wire asks
	who  map[netip.AddrPort]landfall.NodeID
	legs map[leg]water
}

// leg is from one node to another.
type leg struct{ from, to landfall.NodeID }

// water is what lies on a leg.
type water struct {
	delay time.Duration
	mtu   int // UDP payload; 0 is no limit
	cut   bool
	eats  func(b []byte) bool // drops some; nil drops none
}

// floater is a node that runs.
type floater struct {
	*mesh.Mesh
	front *meshtest.Front
	stop  func()

	mu  sync.Mutex
	got []arrival
}

// arrival is a packet that came.
type arrival struct {
	seq  uint32
	took time.Duration
	at   time.Time
	ce   bool
}

// inPond runs a test in a bubble, with these nodes a millisecond apart.
func inPond(t *testing.T, ids []landfall.NodeID, f func(p *pond)) {
	t.Helper()
	// WireGuard's finalizers read channels of the bubble, which is fatal outside.
	debug.SetGCPercent(-1)
	synctest.Test(t, func(t *testing.T) {
		p := &pond{
			t: t, wire: meshtest.NewPackets(time.Millisecond), m: &landfall.Map{Network: "test", Serial: 1},
			key: map[landfall.NodeID]landfall.PrivateKey{}, at: map[landfall.NodeID]netip.AddrPort{},
			up: map[landfall.NodeID]*floater{}, who: map[netip.AddrPort]landfall.NodeID{}, legs: map[leg]water{},
		}
		p.wire.Shape(p.shape)
		for i, id := range ids {
			p.key[id] = landfall.NewPrivateKey()
			p.at[id] = netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i + 1)}), 7000)
			p.who[p.at[id]] = id
			p.m.Nodes = append(p.m.Nodes, landfall.Node{
				ID: id, Key: p.key[id].Public(), Endpoints: []netip.AddrPort{p.at[id]}, Mesh: landfall.MeshAddr("test", id),
			})
		}
		defer func() {
			for _, n := range p.up {
				n.stop()
			}
		}()
		f(p)
	})
}

func (p *pond) shape(from, to netip.AddrPort, b []byte) (time.Duration, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	w := p.legs[leg{p.who[from], p.who[to]}]
	return w.delay, !w.cut && (w.mtu == 0 || len(b) <= w.mtu) && (w.eats == nil || !w.eats(b))
}

// lay puts the same water on both legs between two nodes.
func (p *pond) lay(a, b landfall.NodeID, w water) {
	p.one(a, b, w)
	p.one(b, a, w)
}

func (p *pond) one(from, to landfall.NodeID, w water) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.legs[leg{from, to}] = w
}

// start runs all nodes that do not run.
func (p *pond) start(change func(*mesh.Config)) {
	for _, n := range p.m.Nodes {
		if p.up[n.ID] == nil {
			p.run(n.ID, change)
		}
	}
}

func (p *pond) run(id landfall.NodeID, change func(*mesh.Config)) {
	p.t.Helper()
	conn, err := p.wire.Conn(p.at[id])
	if err != nil {
		p.t.Fatal(err)
	}
	n := &floater{}
	n.front = meshtest.NewFront(n.take)
	cfg := mesh.Config{
		Self: id, Network: "test", Key: p.key[id], Conns: []net.PacketConn{conn}, Packets: n.front,
		Log: slog.New(slog.NewTextHandler(p.t.Output(), &slog.HandlerOptions{Level: slog.LevelInfo})),
	}
	if change != nil {
		change(&cfg)
	}
	if n.Mesh, err = mesh.New(cfg); err != nil {
		p.t.Fatal(err)
	}
	n.SetMap(p.m)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	n.stop = func() {
		cancel()
		if err := <-done; err != nil {
			p.t.Errorf("%s: Run: %v", id, err)
		}
		n.stop = func() {}
	}
	p.up[id] = n
}

// restart ends nodes' processes, so to speak, and starts them anew at once.
func (p *pond) restart(ids ...landfall.NodeID) {
	for _, id := range ids {
		p.up[id].stop()
	}
	for _, id := range ids {
		p.run(id, nil)
	}
}

// take notes a packet that came.
func (n *floater) take(b []byte) {
	body, ok := meshtest.Body(b)
	if !ok || len(body) < 12 {
		return
	}
	now := time.Now()
	n.mu.Lock()
	defer n.mu.Unlock()
	n.got = append(n.got, arrival{
		seq: binary.BigEndian.Uint32(body), at: now, ce: b[1]>>4&3 == 3,
		took: time.Duration(now.UnixNano() - int64(binary.BigEndian.Uint64(body[4:]))),
	})
}

// arrived is what came since the last time it was asked, each packet once.
func (n *floater) arrived() []arrival {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := n.got
	n.got = nil
	seen := map[uint32]bool{}
	return slices.DeleteFunc(out, func(a arrival) bool {
		again := seen[a.seq]
		seen[a.seq] = true
		return again
	})
}

// post sends one packet.
func (p *pond) post(from, to landfall.NodeID, c landfall.Class, seq, size int) {
	body := make([]byte, size)
	binary.BigEndian.PutUint32(body, uint32(seq))
	binary.BigEndian.PutUint64(body[4:], uint64(time.Now().UnixNano()))
	p.up[from].front.Send(meshtest.Packet(landfall.MeshAddr("test", from), landfall.MeshAddr("test", to), c, body))
}

// flow sends packets at a steady pace for a while, and returns what became of
// them once the last had time to arrive.
func (p *pond) flow(from, to landfall.NodeID, c landfall.Class, size int, every, during time.Duration) []arrival {
	p.up[to].arrived()
	n := int(during / every)
	for i := range n {
		p.post(from, to, c, i, size)
		time.Sleep(every)
	}
	time.Sleep(time.Second)
	return p.up[to].arrived()
}

// outage is the longest time in which packets of a flow were sent and none of
// them arrived, and how many were lost in all.
func outage(got []arrival, sent int, every time.Duration) (longest time.Duration, lost int) {
	came := map[int]bool{}
	for _, a := range got {
		came[int(a.seq)] = true
	}
	run := 0
	for i := range sent {
		if came[i] {
			run = 0
			continue
		}
		run++
		lost++
		longest = max(longest, time.Duration(run)*every)
	}
	return longest, lost
}

// slowest is the longest that any packet took.
func slowest(got []arrival) (most time.Duration) {
	for _, a := range got {
		most = max(most, a.took)
	}
	return most
}

// to is what a node knows about the way to another.
func (p *pond) to(from, to landfall.NodeID) mesh.Path {
	for _, path := range p.up[from].Paths() {
		if path.Peer == to {
			return path
		}
	}
	p.t.Fatalf("%s does not know %s", from, to)
	return mesh.Path{}
}

// until waits for something, and tells how long that took.
func (p *pond) until(most time.Duration, what string, done func() bool) time.Duration {
	p.t.Helper()
	start := time.Now()
	for !done() {
		if time.Since(start) > most {
			p.t.Fatalf("%s: not within %v", what, most)
		}
		time.Sleep(5 * time.Millisecond)
	}
	return time.Since(start)
}
