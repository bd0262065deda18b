package join

import (
	"context"
	"crypto/mlkem"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"landfall"
	"landfall/mesh/mapsync"
)

// home is a control with one node, and the network around it as pipes.
type home struct {
	t       testing.TB
	dir     string
	key     mapsync.SigningKey
	control *mapsync.Control
	book    *Book
	server  *Server
	work    sync.WaitGroup
	cancel  context.CancelFunc
	ctx     context.Context
}

// firstMap has a node at home and one elsewhere.
func firstMap() *landfall.Map {
	node := func(id landfall.NodeID, region landfall.RegionID, addr string, roles ...landfall.Role) landfall.Node {
		a := netip.MustParseAddr(addr)
		return landfall.Node{
			ID: id, Region: region, Roles: roles, Advertised: []netip.Addr{a},
			Endpoints: []netip.AddrPort{netip.AddrPortFrom(a, 51820)},
			Mesh:      landfall.MeshAddr("shop", id), Key: sha256.Sum256([]byte(id)),
		}
	}
	return &landfall.Map{
		Network: "shop",
		Domain:  "edge.example.com",
		Regions: []landfall.Region{
			{ID: "fra", Place: landfall.Place{Lat: 50.11, Lon: 8.68}, Home: true},
			{ID: "sin", Place: landfall.Place{Lat: 1.29, Lon: 103.85}},
		},
		Nodes: []landfall.Node{
			node("fra1", "fra", "192.0.2.1", landfall.RoleOrigin, landfall.RoleEdge, landfall.RoleDNS),
			node("sin1", "sin", "192.0.2.9", landfall.RoleEdge),
		},
		Services: []landfall.Service{{Host: "app.edge.example.com", Upstream: "http://127.0.0.1:3000"}},
	}
}

func newHome(t testing.TB) *home {
	t.Helper()
	h := &home{t: t, dir: t.TempDir(), key: mapsync.NewSigningKey()}
	h.ctx, h.cancel = context.WithCancel(t.Context())
	t.Cleanup(func() { h.cancel(); h.work.Wait() })
	h.open()
	if _, err := h.control.Begin(t.Context(), firstMap()); err != nil {
		t.Fatal(err)
	}
	return h
}

// open makes control, book and server over the directory.
func (h *home) open() {
	h.t.Helper()
	store, err := mapsync.OpenStore(subdir(h.t, h.dir, "maps"), h.key.Public())
	h.must(err)
	h.t.Cleanup(func() { store.Close() })
	h.control, err = mapsync.NewControl(mapsync.ControlConfig{Store: store, Key: h.key})
	h.must(err)
	log := slog.New(slog.NewTextHandler(h.t.Output(), nil))
	h.book, err = NewBook(BookConfig{Control: h.control, Key: h.key.Public(), Dir: subdir(h.t, h.dir, "invites"), Log: log})
	h.must(err)
	h.server, err = NewServer(ServerConfig{Book: h.book, Key: h.key, Log: log})
	h.must(err)
}

func (h *home) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func subdir(t testing.TB, dir, name string) *os.Root {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(dir, name), 0o700); err != nil {
		t.Fatal(err)
	}
	r, err := os.OpenRoot(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// invite makes a token for a node in New York.
func (h *home) invite(node landfall.NodeID) Token {
	h.t.Helper()
	t, err := h.book.Invite(h.t.Context(), nyc(node))
	h.must(err)
	return t
}

func nyc(node landfall.NodeID) Invitation {
	return Invitation{Node: node, Region: "nyc", Place: &landfall.Place{Lat: 40.71, Lon: -74.01}, Roles: []landfall.Role{landfall.RoleEdge, landfall.RoleDNS}}
}

// newest is the map now.
func (h *home) newest() *landfall.Map {
	h.t.Helper()
	_, m, err := h.control.Newest(h.t.Context())
	h.must(err)
	return m
}

func (h *home) node(id landfall.NodeID) landfall.Node {
	h.t.Helper()
	n, ok := h.newest().Node(id)
	if !ok {
		h.t.Fatalf("no node %s", id)
	}
	return n
}

// dialer reaches the server from an address; NAT shows another one to it.
func (h *home) dialer(local, seen string) func(context.Context, string, string) (net.Conn, error) {
	return func(_ context.Context, network, address string) (net.Conn, error) {
		if network != "tcp4" {
			return nil, errors.New("network is unreachable")
		}
		return h.connect(local, seen, address), nil
	}
}

// connect is one connection to the server.
func (h *home) connect(local, seen, address string) net.Conn {
	near, far := net.Pipe()
	at := func(a string) net.Addr { return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(a)) }
	h.take(&ended{far, at(address), at(seen)})
	return &ended{near, at(local), at(address)}
}

// take has the server serve one end of a pipe.
func (h *home) take(c net.Conn) {
	l := &oneConn{c: c, done: make(chan struct{})}
	ctx, cancel := context.WithCancel(h.ctx)
	h.work.Go(func() { h.server.Run(ctx, l) })
	h.work.Go(func() { <-l.done; cancel() })
}

// ended is a pipe that says where it ends.
type ended struct {
	net.Conn
	local, remote net.Addr
}

func (e *ended) LocalAddr() net.Addr  { return e.local }
func (e *ended) RemoteAddr() net.Addr { return e.remote }

// oneConn is a listener of one connection.
type oneConn struct {
	mu   sync.Mutex
	c    net.Conn
	once sync.Once
	done chan struct{}
}

func (l *oneConn) Accept() (net.Conn, error) {
	l.mu.Lock()
	c := l.c
	l.c = nil
	l.mu.Unlock()
	if c != nil {
		return &told{c, l}, nil
	}
	<-l.done
	return nil, net.ErrClosed
}

func (l *oneConn) Close() error   { l.once.Do(func() { close(l.done) }); return nil }
func (l *oneConn) Addr() net.Addr { return &net.TCPAddr{} }

// told closes its listener with itself.
type told struct {
	net.Conn
	l *oneConn
}

func (c *told) Close() error { return errors.Join(c.Conn.Close(), c.l.Close()) }

// server is a machine that may become a node.
type machine struct {
	key     landfall.PrivateKey
	sealing landfall.SealingKey
}

func newMachine(t testing.TB) machine {
	t.Helper()
	kem, err := mlkem.GenerateKey768()
	if err != nil {
		t.Fatal(err)
	}
	return machine{landfall.NewPrivateKey(), landfall.SealingKey{X25519: landfall.NewPrivateKey().Public(), MLKEM: kem.EncapsulationKey().Bytes()}}
}

const (
	outside = "198.51.100.7:40000"
	inside  = "10.0.0.5:40000"
)

// config is what the machine joins with, from behind NAT.
func (m machine) config(h *home, t Token) Config {
	return Config{
		Token: t, Key: m.key.Public(), Sealing: m.sealing, WireGuardPort: 51820, Version: "test",
		Local:    []netip.Addr{netip.MustParseAddr("10.0.0.5")},
		Dial:     h.dialer(inside, outside),
		Progress: func(s string) { fmt.Fprintln(h.t.Output(), s) },
	}
}

func (m machine) join(h *home, t Token) (*Result, error) {
	return Join(h.t.Context(), m.config(h, t))
}

// code is that of a refusal.
func code(err error) Code {
	if f, ok := errors.AsType[*Failure](err); ok && f.Kind == Refused {
		return f.Code
	}
	return "none"
}

// after lets the bubble's time pass.
func after(d time.Duration) { time.Sleep(d) }
