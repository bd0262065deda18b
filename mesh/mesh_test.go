package mesh_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"

	"landfall"
)

// serveEcho answers every stream to a node with what it sends.
func serveEcho(t *testing.T, w *world, id landfall.NodeID) {
	t.Helper()
	l, err := w.nodes[id].Listen(landfall.MeshHTTP)
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer c.Close()
				_, _ = io.Copy(c, c) // ends when the other side does
			})
		}
	})
	t.Cleanup(func() {
		w.nodes[id].stop()
		l.Close()
		serving.Wait()
	})
}

// echo sends b and expects it back.
func echo(t *testing.T, c net.Conn, b []byte) {
	t.Helper()
	var sending sync.WaitGroup
	sending.Go(func() {
		if _, err := c.Write(b); err != nil {
			t.Error(err)
		}
		if err := c.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
			t.Error(err)
		}
	})
	got, err := io.ReadAll(c)
	sending.Wait()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, b) {
		t.Fatalf("sent %d bytes, got %d others back", len(b), len(got))
	}
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{1})
	_, _ = r.Read(b)
	return b
}

func TestStreamsCarryBothWays(t *testing.T) {
	w := newWorld(t, nil, "fra1", "nyc1")
	serveEcho(t, w, "fra1")
	serveEcho(t, w, "nyc1")
	big := randomBytes(8 << 20)
	for _, pair := range [][2]landfall.NodeID{{"fra1", "nyc1"}, {"nyc1", "fra1"}, {"nyc1", "nyc1"}} {
		c := w.mustDial(pair[0], pair[1])
		if who, ok := w.nodes[pair[0]].PeerOf(c.RemoteAddr().String()); !ok || who != pair[1] {
			t.Errorf("%s dialled %s and is told that it is %q", pair[0], pair[1], who)
		}
		echo(t, c, big)
		c.Close()
	}
}
