package mesh_test

import (
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"landfall/mesh/meshtest"
	"landfall/mesh/probe"
)

// TestNamesMoveOn: two nodes change their names with each other in one version
// of the map.
func TestNamesMoveOn(t *testing.T) {
	w := newWorld(t, meshtest.NewPackets(time.Millisecond), "x", "a", "b")
	m := w.m.Clone()
	m.Serial++
	for i := range m.Nodes {
		switch m.Nodes[i].ID {
		case "a":
			m.Nodes[i].ID = "b"
		case "b":
			m.Nodes[i].ID = "a"
		}
	}
	healed := func() (n int) {
		for _, p := range w.nodes["x"].Paths() {
			if p.Alive && !p.Handshake.IsZero() {
				n++
			}
		}
		return n
	}
	for _, step := range []func(){func() {}, func() { w.nodes["x"].SetMap(m) }} {
		step()
		for start := time.Now(); healed() < 2; <-time.After(10 * time.Millisecond) {
			if time.Since(start) > 5*time.Second {
				t.Fatalf("sessions with %d of 2 peers", healed())
			}
		}
	}
}

// TestClockMayStepBackAtOnce restarts a node before anybody has missed it, its
// clock an hour behind what it was.
func TestClockMayStepBackAtOnce(t *testing.T) {
	w := newWorld(t, meshtest.NewPackets(time.Millisecond), "a", "b")
	y, z := initiator(w, "a", "b")
	serveEcho(t, w, z)
	healed(w, y, z)
	x := w.impersonate(y, z)
	ahead := time.Now().Add(time.Hour)
	pass := x.pass(ahead)
	for i := range 200 {
		w.wire.Inject(w.nodes[y].addr, x.to, x.ping(ahead.Add(time.Duration(i)), pass))
	}
	x.conn.Close()
	w.start(y)
	w.nodes[y].SetMap(w.m)
	if took := healed(w, y, z); took > 3*time.Second {
		t.Errorf("healed after %v", took)
	}
	stale := w.nodes[z].Stats().ProbesStale
	<-time.After(2 * time.Second)
	if more := w.nodes[z].Stats().ProbesStale - stale; more > 3 { // until the new pass is known
		t.Errorf("%d pings more were stale", more)
	}
}

// TestForeignAddressesGetLittle: a peer's pings bear the address of somebody
// who has nothing to do with it.
func TestForeignAddressesGetLittle(t *testing.T) {
	w := newWorld(t, meshtest.NewPackets(time.Millisecond), "a", "b", "c")
	healed := func() bool { p := w.nodes["a"].Paths(); return p[0].Alive && p[1].Alive }
	for !healed() {
		<-time.After(10 * time.Millisecond)
	}
	x := w.impersonate("b", "a")
	pass := x.pass(time.Now())
	var count, most atomic.Int64
	w.wire.Tap(func(_, to netip.AddrPort, b []byte) {
		if to == elsewhere {
			count.Add(1)
			most.Store(max(most.Load(), int64(len(b))))
		}
	})
	defer w.wire.Tap(nil)
	w.wire.Inject(elsewhere, x.to, x.ping(time.Now(), pass))
	<-time.After(4 * time.Second)
	if n := count.Load(); n > 5 || most.Load() > probe.MinSize {
		t.Errorf("%d datagrams of up to %d bytes for one", n, most.Load())
	}
}

// TestOnlyWhoHeardAPingAnswersIt: a peer knows the stamps of pings that it has
// not got, and cannot answer them.
func TestOnlyWhoHeardAPingAnswersIt(t *testing.T) {
	w := newWorld(t, meshtest.NewPackets(time.Millisecond), "a", "b")
	x := w.impersonate("b", "a")
	before := w.nodes["a"].Stats().ProbesAnswered
	answers := func() bool { return w.nodes["a"].Stats().ProbesAnswered > before }
	b := make([]byte, 2000)
	for _, wrong := range []uint32{1, 0} {
		if err := x.conn.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
			t.Fatal(err)
		}
		for {
			n, _, err := x.conn.ReadFrom(b)
			if err != nil {
				t.Fatal(err)
			}
			if m, err := x.keys.Open(b[:n]); err == nil && m.Kind == probe.Ping {
				pong := x.keys.AppendSeal(nil, probe.Message{Kind: probe.Pong, Stamp: m.Stamp, Way: m.Way + wrong, Pass: 9})
				_, _ = x.conn.WriteTo(pong, net.UDPAddrFromAddrPort(x.to))
				break
			}
		}
		<-time.After(50 * time.Millisecond)
		if answers() == (wrong != 0) {
			t.Errorf("off by %d: answered %v", wrong, answers())
		}
	}
}
