package mesh_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"landfall"
	"landfall/mesh"
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
	size := 8 << 20
	for _, pair := range [][2]landfall.NodeID{{"fra1", "nyc1"}, {"nyc1", "fra1"}, {"nyc1", "nyc1"}} {
		if testing.Short() {
			size = 256 << 10
		}
		c := w.mustDial(pair[0], pair[1])
		if who, ok := w.nodes[pair[0]].PeerOf(c.RemoteAddr().String()); !ok || who != pair[1] {
			t.Errorf("%s dialled %s and is told that it is %q", pair[0], pair[1], who)
		}
		echo(t, c, randomBytes(size))
		c.Close()
		size = 2 << 20
	}
}

// TestLingerSaysHowAStreamEnds: with none, the peer hears that it broke.
func TestLingerSaysHowAStreamEnds(t *testing.T) {
	for sec, want := range map[int]error{0: syscall.ECONNRESET, 5: io.EOF} {
		w := newWorld(t, nil, "fra1", "nyc1")
		l, err := w.nodes["fra1"].Listen(landfall.MeshHTTP)
		if err != nil {
			t.Fatal(err)
		}
		c := w.mustDial("nyc1", "fra1")
		far, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		one := make([]byte, 1)
		if _, err := far.Read(one); err != nil {
			t.Fatal(err)
		}
		if err := c.(interface{ SetLinger(int) error }).SetLinger(sec); err != nil {
			t.Fatal(err)
		}
		c.Close()
		if _, err := far.Read(one); !errors.Is(err, want) {
			t.Errorf("linger %d: the peer reads %v, want %v", sec, err, want)
		}
		far.Close()
		l.Close()
	}
}

func TestManyStreamsBothWays(t *testing.T) {
	w := newWorld(t, nil, ids(3)...)
	for _, id := range ids(3) {
		serveEcho(t, w, id)
	}
	body, each := randomBytes(30_000), 12
	if testing.Short() {
		each = 4
	}
	var clients sync.WaitGroup
	for _, from := range ids(3) {
		for _, to := range ids(3) {
			for range each {
				clients.Go(func() {
					c, err := w.dial(from, to)
					if err != nil {
						t.Error(err)
						return
					}
					defer c.Close()
					go func() {
						_, _ = c.Write(body)
						_ = c.(interface{ CloseWrite() error }).CloseWrite()
					}()
					if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, body) {
						t.Errorf("%s to %s: %d bytes of %d, %v", from, to, len(got), len(body), err)
					}
				})
			}
		}
	}
	clients.Wait()
}

func TestDialSaysWhatIsWrong(t *testing.T) {
	w := newWorld(t, nil, "a", "b")
	w.m = w.m.Clone()
	w.m.Nodes = append(w.m.Nodes,
		landfall.Node{ID: "bare"},
		landfall.Node{ID: "guest", State: landfall.Invited},
		landfall.Node{ID: "lost", Key: landfall.NewPrivateKey().Public()},
		landfall.Node{ID: "mute", Key: landfall.NewPrivateKey().Public(), Endpoints: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:9")}})
	w.publish()
	serveEcho(t, w, "b")
	a := w.nodes["a"]
	for _, c := range []struct {
		target landfall.Target
		want   string
		is     error
	}{
		{landfall.Target{Node: "zzz", Service: landfall.MeshHTTP}, "node zzz is unknown to map serial 1", syscall.EHOSTUNREACH},
		{landfall.Target{Node: "guest", Service: landfall.MeshHTTP}, "node guest is invited but has not joined yet (map serial 1): run `landfall join` there", syscall.EHOSTUNREACH},
		{landfall.Target{Node: "bare", Service: landfall.MeshHTTP}, "node bare has no WireGuard key in map serial 1", syscall.EHOSTUNREACH},
		{landfall.Target{Node: "lost", Service: landfall.MeshHTTP}, "peer lost not reachable: the map names no endpoint of it, and it has not called", syscall.EHOSTUNREACH},
		{landfall.Target{Node: "mute", Service: landfall.MeshHTTP}, "peer mute not reachable: no answer from 127.0.0.1:9 for 1.", syscall.EHOSTUNREACH},
		{landfall.Target{Node: "b", Service: landfall.MeshMap}, "peer b does not serve map: connection refused", syscall.ECONNREFUSED},
		{landfall.Target{Node: "a", Service: landfall.MeshMap}, "peer a does not serve map: connection refused", syscall.ECONNREFUSED},
		{landfall.Target{Node: "b", Service: "gopher"}, `mesh service "gopher" is unknown (want one of [http map certs acme samples probes chat admin tcp])`, nil},
	} {
		if _, err := a.Dial(t.Context(), c.target); err == nil || !strings.HasPrefix(err.Error(), c.want) || c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%v: %v, want %s: %v", c.target, err, c.want, c.is)
		}
	}
	target := landfall.Target{Node: "mute", Service: landfall.MeshHTTP, Deadline: time.Now().Add(-time.Second)}
	if _, err := a.Dial(t.Context(), target); err == nil {
		t.Error("dialled after the deadline")
	}
}

func TestDialWaitsForRun(t *testing.T) {
	m, err := mesh.New(mesh.Config{Self: "a", Network: "test", Key: landfall.NewPrivateKey(), Conns: []net.PacketConn{&net.UDPConn{}}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_, err = m.Dial(ctx, landfall.Target{Node: "b", Service: landfall.MeshHTTP})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

func TestNewRefusesHalfAConfig(t *testing.T) {
	whole := mesh.Config{Self: "a", Network: "test", Key: landfall.NewPrivateKey(), Conns: []net.PacketConn{&net.UDPConn{}}}
	for _, spoil := range []func(*mesh.Config){
		func(c *mesh.Config) { c.Self = "" },
		func(c *mesh.Config) { c.Network = "" },
		func(c *mesh.Config) { c.Key = landfall.PrivateKey{} },
		func(c *mesh.Config) { c.Conns = nil },
		func(c *mesh.Config) { c.Conns = []net.PacketConn{nil} },
		func(c *mesh.Config) { c.Front = "tap" },
		func(c *mesh.Config) { c.Rate = -1 },
	} {
		c := whole
		spoil(&c)
		if _, err := mesh.New(c); err == nil {
			t.Errorf("accepted %+v", c)
		}
	}
}

func TestListenOncePerService(t *testing.T) {
	w := newWorld(t, nil, "a")
	l, err := w.nodes["a"].Listen(landfall.MeshMap)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.nodes["a"].Listen(landfall.MeshMap); err == nil {
		t.Error("listened twice")
	}
	l.Close()
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("accept after Close: %v", err)
	}
	again, err := w.nodes["a"].Listen(landfall.MeshMap)
	if err != nil {
		t.Fatal(err)
	}
	w.nodes["a"].stop()
	if _, err := again.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("accept after Run: %v", err)
	}
}

func TestMapOfAnotherNetworkIsRefused(t *testing.T) {
	w := newWorld(t, nil, "a", "b")
	other := w.m.Clone()
	other.Network, other.Nodes = "elsewhere", nil
	w.nodes["a"].SetMap(other)
	if n := len(w.nodes["a"].Paths()); n != 1 {
		t.Errorf("%d peers", n)
	}
}

func TestPathsAndStatsTell(t *testing.T) {
	w := newWorld(t, nil, "a", "b")
	serveEcho(t, w, "b")
	c := w.mustDial("a", "b")
	defer c.Close()
	echo(t, c, randomBytes(10_000))
	p := w.nodes["a"].Paths()[0]
	if p.Peer != "b" || p.Endpoint != w.nodes["b"].addr || p.RTT <= 0 || !p.Alive || p.Handshake.IsZero() || p.RxBytes < 10_000 || p.TxBytes < 10_000 {
		t.Errorf("%+v", p)
	}
	s := w.nodes["a"].Stats()
	if s.Serial != 1 || s.Peers != 1 || s.PeersAlive != 1 || s.Opened != 1 || s.OpenFailed != 0 ||
		s.ProbesAnswered == 0 || s.RTT["b"] <= 0 || s.Sent["b"] < 10_000 {
		t.Errorf("%+v", s)
	}
}
