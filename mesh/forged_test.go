package mesh_test

import (
	"bytes"
	"math/rand/v2"
	"net/netip"
	"sync"
	"testing"
	"time"

	"landfall"
	"landfall/mesh/meshtest"
)

type datagram struct {
	from, to netip.AddrPort
	body     []byte
}

var stranger = netip.MustParseAddrPort("203.0.113.66:666")

// molest sends a node garbage, and all that was heard: again, from elsewhere,
// and with a bit flipped.
func molest(w *world, victim landfall.NodeID, heard []datagram) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 2000 {
		garbage := make([]byte, r.IntN(200))
		for i := range garbage {
			garbage[i] = byte(r.Uint32())
		}
		if len(garbage) > 3 && r.IntN(2) == 0 {
			copy(garbage, []byte{byte(r.IntN(5)), 0, 0, 0})
		}
		w.wire.Inject(stranger, w.nodes[victim].addr, garbage)
	}
	for _, d := range heard {
		w.wire.Inject(d.from, d.to, d.body)   // replayed
		w.wire.Inject(stranger, d.to, d.body) // and from elsewhere
		bad := bytes.Clone(d.body)
		bad[r.IntN(len(bad))] ^= 1 << r.IntN(8)
		w.wire.Inject(d.from, d.to, bad) // forged
	}
}

// TestStrangersChangeNothing sends two nodes garbage, everything they ever
// said to each other once more, and the same from elsewhere.
func TestStrangersChangeNothing(t *testing.T) {
	wire := meshtest.NewPackets(time.Millisecond)
	var mu sync.Mutex
	var heard []datagram
	wire.Tap(func(from, to netip.AddrPort, b []byte) {
		mu.Lock()
		defer mu.Unlock()
		heard = append(heard, datagram{from, to, bytes.Clone(b)})
	})
	w := newWorld(t, wire, "a", "b")
	serveEcho(t, w, "b")
	c := w.mustDial("a", "b")
	defer c.Close()
	echo(t, c, randomBytes(50_000))
	wire.Tap(nil)
	before := w.nodes["a"].Paths()[0]

	molest(w, "b", heard)
	again := w.mustDial("a", "b")
	defer again.Close()
	echo(t, again, randomBytes(50_000))
	for _, id := range []landfall.NodeID{"a", "b"} {
		p, s := w.nodes[id].Paths()[0], w.nodes[id].Stats()
		if !p.Alive || p.Endpoint == stranger {
			t.Errorf("%s: %+v", id, p)
		}
		if s.ProbesForged == 0 {
			t.Errorf("%s refused nothing: %+v", id, s)
		}
	}
	if after := w.nodes["a"].Paths()[0]; !after.Handshake.Equal(before.Handshake) {
		t.Errorf("the session was renewed at %v, it was from %v", after.Handshake, before.Handshake)
	}
}
