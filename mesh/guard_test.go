package mesh_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"landfall"
	"landfall/mesh"
	"landfall/mesh/conn"
	"landfall/mesh/netstack"
)

// TestOtherProgramsOfANodeGetNoStreams: the kernel lets any program connect
// where only the node's own process may. A front that both use stands for it.
func TestOtherProgramsOfANodeGetNoStreams(t *testing.T) {
	w := newWorld(t, nil, "b")
	shared, err := netstack.New(netstack.Config{Addr: landfall.MeshAddr("test", "a")})
	if err != nil {
		t.Fatal(err)
	}
	w.change = func(c *mesh.Config) { c.Packets = shared }
	w.add("a")
	w.publish()
	serveEcho(t, w, "b")
	healed(w, "a", "b")
	at := netip.AddrPortFrom(w.nodes["b"].Addr(), 1000)
	for _, first := range []string{"\x00hello", "0123456789abcdef\x00hello"} {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		c, err := conn.Open(func(sink landfall.Sink) (landfall.Stream, net.Addr, net.Addr, error) {
			s, err := shared.Open(ctx, at, landfall.Normal, []byte(first), sink)
			return s, nil, nil, err
		})
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		if len(first) < 16 {
			if err := c.CloseWrite(); err != nil {
				t.Error(err)
			}
		}
		if n, err := c.Read(make([]byte, 10)); n != 0 || !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, io.EOF) {
			t.Errorf("%q: read %d bytes, %v", first, n, err)
		}
		c.Close()
	}
	if n := w.nodes["b"].Stats().Strays; n != 1 {
		t.Errorf("%d strays counted", n)
	}
}
