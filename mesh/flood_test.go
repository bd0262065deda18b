package mesh_test

import (
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"landfall/mesh/meshtest"
	"landfall/mesh/probe"
)

// deaf loses the probes that arrive, as a socket under a flood may.
type deaf struct {
	net.PacketConn
	on atomic.Bool
}

func (d *deaf) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, from, err := d.PacketConn.ReadFrom(b)
		if err != nil || !probe.Is(b[:n]) || !d.on.Load() {
			return n, from, err
		}
	}
}

// TestDataIsASignOfLife loses all probes while data flows.
func TestDataIsASignOfLife(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for a peer to be given up")
	}
	w := newWorld(t, meshtest.NewPackets(5*time.Millisecond))
	var ears deaf
	w.add("b")
	w.wrap = func(c net.PacketConn) net.PacketConn { ears.PacketConn = c; return &ears }
	w.add("a")
	w.publish()
	serveEcho(t, w, "b")
	healed(w, "a", "b")
	c := w.mustDial("a", "b")
	defer c.Close()
	ears.on.Store(true)
	piece := make([]byte, 1000)
	for start := time.Now(); time.Since(start) < 4*time.Second; <-time.After(50 * time.Millisecond) {
		if _, err := c.Write(piece); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c, piece); err != nil {
			t.Fatal(err)
		}
		if p := w.nodes["a"].Paths()[0]; !p.Alive {
			t.Fatalf("not alive after %v of data: %+v", time.Since(start), p)
		}
	}
	for start := time.Now(); w.nodes["a"].Paths()[0].Alive; <-time.After(50 * time.Millisecond) {
		if time.Since(start) > 4*time.Second {
			t.Fatal("alive without data")
		}
	}
}
