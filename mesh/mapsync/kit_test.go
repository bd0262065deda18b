package mapsync

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"landfall"
	"landfall/mesh/wan"
)

const ms = time.Millisecond

// testMap is a map of a home region and so many edges elsewhere.
func testMap(serial landfall.Serial, edges int) *landfall.Map {
	m := &landfall.Map{
		Network: "landfall",
		Domain:  "landfall.test",
		Serial:  serial,
		Regions: []landfall.Region{
			{ID: "fra", Title: "Frankfurt", Place: landfall.Place{Lat: 50.11, Lon: 8.68}, Home: true},
			{ID: "nyc", Title: "New York", Place: landfall.Place{Lat: 40.71, Lon: -74.01}},
		},
		Services: []landfall.Service{{Host: "chat.landfall.test", Upstream: landfall.UpstreamChat}},
	}
	add := func(id landfall.NodeID, region landfall.RegionID, roles ...landfall.Role) {
		last := byte(len(m.Nodes) + 1)
		m.Nodes = append(m.Nodes, landfall.Node{
			ID: id, Region: region, Roles: roles,
			Advertised: []netip.Addr{netip.AddrFrom4([4]byte{192, 0, 2, last})},
			Endpoints:  []netip.AddrPort{netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, last}), 51820)},
			Mesh:       landfall.MeshAddr("landfall", id),
			Key:        landfall.PublicKey(sha256.Sum256([]byte(id))),
		})
	}
	add("fra1", "fra", landfall.RoleOrigin, landfall.RoleEdge)
	for i := range edges {
		add(landfall.NodeID(fmt.Sprintf("nyc%d", i+1)), "nyc", landfall.RoleEdge)
	}
	return m
}

// sameKey is the same in every process: fuzzing workers share what they find.
func sameKey() SigningKey { return SigningKey{ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))} }

func signed(t testing.TB, m *landfall.Map, key SigningKey) Signed {
	t.Helper()
	d, err := Sign(m, key)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func openRoot(t testing.TB, dir string) *os.Root {
	t.Helper()
	r, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func openStore(t testing.TB, dir string, key SigningKey) *DirStore {
	t.Helper()
	s, err := OpenStore(openRoot(t, dir), key.Public())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func newControl(t testing.TB, s Store, key SigningKey) *Control {
	t.Helper()
	c, err := NewControl(ControlConfig{Store: s, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// retitle is a small lawful change.
func retitle(title string) func(*landfall.Map) error {
	return func(m *landfall.Map) error { m.Regions[1].Title = title; return nil }
}

// town is a network of nodes in one bubble: pipes between them that take the
// time of the links, and a map server at each.
type town struct {
	t   *testing.T
	wan *wan.Network
	ctx context.Context

	mu    sync.Mutex
	doors map[landfall.NodeID]*door
	asked map[landfall.NodeID]int // connections to each node
	work  sync.WaitGroup
}

func newTown(t *testing.T, rtt time.Duration, nodes ...landfall.Node) *town {
	t.Helper()
	w := &town{t: t, wan: wan.New(1), doors: map[landfall.NodeID]*door{}, asked: map[landfall.NodeID]int{}}
	for _, a := range nodes {
		for _, b := range nodes {
			if err := w.wan.SetLink(wan.Site(a.ID), wan.Site(b.ID), wan.Link{Delay: rtt / 2}); err != nil {
				t.Fatal(err)
			}
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	w.ctx = ctx
	t.Cleanup(func() { cancel(); w.work.Wait(); w.wan.Close() })
	return w
}

// serve opens the node's map service, until its door is shut.
func (w *town) serve(id landfall.NodeID, src Source) *door {
	d := &door{conns: make(chan net.Conn), shut: make(chan struct{})}
	w.open(id, d)
	srv := &http.Server{Handler: NewServer(src), BaseContext: func(net.Listener) context.Context { return w.ctx }}
	w.work.Go(func() { srv.Serve(d) })
	context.AfterFunc(w.ctx, func() { srv.Close() })
	return d
}

// open makes a door the node's.
func (w *town) open(id landfall.NodeID, d *door) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.doors[id] = d
}

// knocks are the attempts to reach a node so far.
func (w *town) knocks(id landfall.NodeID) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.asked[id]
}

// run runs a client, its own server included, and notes what it applies.
func (w *town) run(cfg Config) (*Client, *diary) {
	w.t.Helper()
	notes := &diary{}
	id := cfg.Self
	d := wan.Dialer{Network: w.wan, From: wan.Site(id), Dial: w.knock}
	cfg.Dial = func(ctx context.Context, to landfall.NodeID) (net.Conn, error) {
		return d.DialContext(ctx, "tcp", string(to)+":1")
	}
	apply := cfg.Apply
	cfg.Apply = func(m *landfall.Map) {
		notes.add(m.Serial)
		if apply != nil {
			apply(m)
		}
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.NewTextHandler(w.t.Output(), nil))
	}
	c, err := New(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	w.serve(id, c)
	w.work.Go(func() { c.Run(w.ctx) })
	return c, notes
}

// knock reaches the server of a node, if it is open.
func (w *town) knock(ctx context.Context, _, address string) (net.Conn, error) {
	host, _, _ := net.SplitHostPort(address)
	w.mu.Lock()
	d := w.doors[landfall.NodeID(host)]
	w.asked[landfall.NodeID(host)]++
	w.mu.Unlock()
	if d == nil {
		return nil, fmt.Errorf("nobody at %s", host)
	}
	return d.dial(ctx)
}

// door is a listener of pipes.
type door struct {
	conns chan net.Conn
	once  sync.Once
	shut  chan struct{}
}

func (d *door) dial(ctx context.Context) (net.Conn, error) {
	a, b := net.Pipe()
	select {
	case d.conns <- b:
		return a, nil
	case <-d.shut:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (d *door) Accept() (net.Conn, error) {
	select {
	case c := <-d.conns:
		return c, nil
	case <-d.shut:
		return nil, net.ErrClosed
	}
}

func (d *door) Close() error { d.once.Do(func() { close(d.shut) }); return nil }

func (d *door) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

// diary notes which maps were applied, and when.
type diary struct {
	mu      sync.Mutex
	serials []landfall.Serial
	times   []time.Time
}

func (d *diary) add(s landfall.Serial) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.serials, d.times = append(d.serials, s), append(d.times, time.Now())
}

// when is the time at which a serial was applied; zero if it was not.
func (d *diary) when(s landfall.Serial) time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, n := range d.serials {
		if n == s {
			return d.times[i]
		}
	}
	return time.Time{}
}

func (d *diary) all() []landfall.Serial {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]landfall.Serial(nil), d.serials...)
}

// memory is a Store without a disk.
type memory struct{ *newest }

func newMemory() memory { return memory{newNewest()} }

func (s memory) Get(context.Context) (Signed, error) { d, _ := s.get(); return d, nil }

func (s memory) Watch(ctx context.Context, after landfall.Serial) (Signed, error) {
	d, _, err := s.wait(ctx, after)
	return d, err
}

func (s memory) CompareAndSwap(_ context.Context, old landfall.Serial, next Signed) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.doc.Serial != old {
		return ErrConflict
	}
	s.doc = next
	close(s.changed)
	s.changed = make(chan struct{})
	return nil
}

// ramDisk is a disk that forgets.
type ramDisk map[string][]byte

func (d ramDisk) path(name string) string  { return "ram:" + name }
func (d ramDisk) names() ([]string, error) { return slices.Collect(maps.Keys(d)), nil }

func (d ramDisk) read(name string) ([]byte, error) {
	b, ok := d[name]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return b, nil
}

func (d ramDisk) create(name string, b []byte) error {
	if _, ok := d[name]; ok {
		return fs.ErrExist
	}
	d[name] = b
	return nil
}

func (d ramDisk) rename(from, to string) error {
	b, err := d.read(from)
	if err == nil {
		delete(d, from)
		d[to] = b
	}
	return err
}

func (d ramDisk) link(from, to string) error {
	b, err := d.read(from)
	if err != nil {
		return err
	}
	return d.create(to, b)
}

func (d ramDisk) remove(name string) error {
	_, err := d.read(name)
	delete(d, name)
	return err
}

func (d ramDisk) sync() error { return nil }
