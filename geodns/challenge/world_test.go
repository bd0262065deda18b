package challenge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"landfall"
)

const ms = time.Millisecond

// world is a home with a book and name servers with clients, in one bubble.
// What arrives at a name server, and at home, takes the time that its road
// says, and waits while the road is cut.
type world struct {
	t    *testing.T
	ctx  context.Context
	m    *landfall.Map
	work sync.WaitGroup

	mu      sync.Mutex
	book    *Book
	home    *door
	servers map[landfall.NodeID]*server
}

// server is a name server as the authority sees it.
type server struct {
	id     landfall.NodeID
	road   *road
	client *Client

	mu      sync.Mutex
	txt     map[string][]string
	known   bool
	applied int
	unknown []time.Time
}

func (s *server) serves() (txt map[string][]string, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.txt, s.known
}

// newWorld makes a world whose roads take delay one way.
func newWorld(t *testing.T, delay time.Duration, ids ...landfall.NodeID) *world {
	ctx, cancel := context.WithCancel(t.Context())
	w := &world{t: t, ctx: ctx, servers: map[landfall.NodeID]*server{}, m: &landfall.Map{
		Domain: "landfall.test", Serial: 1,
		Regions: []landfall.Region{{ID: "fra", Home: true}},
		Nodes:   []landfall.Node{{ID: "fra1", Region: "fra", Roles: []landfall.Role{landfall.RoleOrigin}}},
	}}
	for _, id := range ids {
		w.m.Nodes = append(w.m.Nodes, landfall.Node{ID: id, Region: "fra", Roles: []landfall.Role{landfall.RoleDNS}})
	}
	w.start()
	for _, id := range ids {
		w.join(id, delay)
	}
	t.Cleanup(func() {
		cancel()
		w.mu.Lock()
		w.home.Close()
		for _, s := range w.servers {
			s.road.heal()
		}
		w.mu.Unlock()
		w.work.Wait()
	})
	return w
}

// start starts the home's process, again if it ran.
func (w *world) start() {
	w.t.Helper()
	b, err := NewBook(BookConfig{
		Log: w.log("fra1"),
		Caller: func(r *http.Request) (landfall.NodeID, bool) {
			return landfall.NodeID(r.RemoteAddr), r.RemoteAddr != ""
		},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	b.SetMap(w.m)
	d := &door{conns: make(chan net.Conn), shut: make(chan struct{})}
	srv := &http.Server{Handler: b}
	w.work.Go(func() { srv.Serve(d) })
	context.AfterFunc(w.ctx, func() { srv.Close() })
	d.then = func() { srv.Close() }
	w.mu.Lock()
	defer w.mu.Unlock()
	w.book, w.home = b, d
}

// stop ends the home's process at once.
func (w *world) stop() {
	w.mu.Lock()
	d := w.home
	w.mu.Unlock()
	d.Close()
	d.then()
}

// join starts a name server's process.
func (w *world) join(id landfall.NodeID, delay time.Duration) *server {
	w.t.Helper()
	s := &server{id: id, road: &road{delay: delay, open: make(chan struct{})}}
	close(s.road.open)
	var err error
	s.client, err = NewClient(ClientConfig{
		Log: w.log(id),
		Dial: func(ctx context.Context, node landfall.NodeID) (net.Conn, error) {
			if err := s.road.pass(ctx.Done()); err != nil {
				return nil, err
			}
			w.mu.Lock()
			home := w.home
			w.mu.Unlock()
			if node != "fra1" {
				return nil, fmt.Errorf("nobody at %s", node)
			}
			return home.dial(ctx, id, s.road)
		},
		Apply: func(txt map[string][]string) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.txt, s.known = txt, true
			s.applied++
		},
		Unknown: func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.txt, s.known = nil, false
			s.unknown = append(s.unknown, time.Now())
		},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	s.client.SetMap(w.m)
	w.work.Go(func() { s.client.Run(w.ctx) })
	w.mu.Lock()
	defer w.mu.Unlock()
	w.servers[id] = s
	return s
}

func (w *world) log(id landfall.NodeID) *slog.Logger {
	return slog.New(slog.NewTextHandler(w.t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug})).With("node", id)
}

// judge tells who serves something else than txt, and does not say that it
// does not know.
func (w *world) judge(txt map[string][]string) (wrong []landfall.NodeID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id, s := range w.servers {
		if got, known := s.serves(); known && !maps.EqualFunc(got, txt, slices.Equal) {
			wrong = append(wrong, id)
		}
	}
	return wrong
}

func token(v string) map[string][]string {
	return map[string][]string{"_acme-challenge.landfall.test": {v}}
}

// road is the way between home and one name server.
type road struct {
	mu    sync.Mutex
	delay time.Duration
	open  chan struct{} // closed while the road is open
}

func (r *road) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-r.open:
		r.open = make(chan struct{})
	default:
	}
}

func (r *road) heal() {
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-r.open:
	default:
		close(r.open)
	}
}

func (r *road) setDelay(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.delay = d
}

// pass takes the time of the road.
func (r *road) pass(done <-chan struct{}) error {
	r.mu.Lock()
	open, timer := r.open, time.NewTimer(r.delay)
	r.mu.Unlock()
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-done:
		return errors.New("closed on the road")
	}
	select {
	case <-open:
		return nil
	case <-done:
		return errors.New("closed on the road")
	}
}

// traveller is one end of a pipe; what it reads has come along the road.
type traveller struct {
	net.Conn
	road   *road
	remote landfall.NodeID
	once   sync.Once
	closed chan struct{}
}

func (c *traveller) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if lost := c.road.pass(c.closed); lost != nil {
		return 0, lost
	}
	return n, err
}

func (c *traveller) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

func (c *traveller) RemoteAddr() net.Addr { return &net.UnixAddr{Name: string(c.remote), Net: "unix"} }

// door is a listener of pipes.
type door struct {
	conns chan net.Conn
	once  sync.Once
	shut  chan struct{}
	then  func()
}

func (d *door) dial(ctx context.Context, from landfall.NodeID, r *road) (net.Conn, error) {
	a, b := net.Pipe()
	select {
	case d.conns <- &traveller{Conn: b, road: r, remote: from, closed: make(chan struct{})}:
		return &traveller{Conn: a, road: r, remote: "fra1", closed: make(chan struct{})}, nil
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

func (d *door) Close() error   { d.once.Do(func() { close(d.shut) }); return nil }
func (d *door) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }
