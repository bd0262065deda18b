package warm

import (
	"context"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"landfall"
	"landfall/mesh/front"
	"landfall/mesh/fronttest"
)

// delay is one way between the two nodes of a kit.
const delay = 75 * time.Millisecond

var page = landfall.Target{Node: "fra1", Service: landfall.MeshHTTP, Class: landfall.Interactive}

var use = Use{page.Node, page.Service, page.Class}

// kit is nyc1 with a pool and fra1 with a door, whose service sends back what
// it is sent.
type kit struct {
	near, far *fronttest.MemoryFront
	there     netip.AddrPort
	pool      *Pool
	door      *Door
	ctx       context.Context

	mu     sync.Mutex
	served []*served
	unsure bool
	opened int // connections
}

func newKit(t *testing.T, cfg Config, door DoorConfig) *kit {
	t.Helper()
	m := fronttest.NewMemory(delay)
	a, b := landfall.MeshAddr("test", "nyc1"), landfall.MeshAddr("test", "fra1")
	k := &kit{near: m.Front(a), far: m.Front(b), there: netip.AddrPortFrom(b, 1000), door: NewDoor(door)}
	cfg.Open = func(ctx context.Context, t landfall.Target, first []byte, sink landfall.Sink) (front.Stream, error) {
		k.mu.Lock()
		k.opened++
		k.mu.Unlock()
		return k.near.Open(ctx, k.there, t.Class, first, sink)
	}
	cfg.Sure = func(landfall.NodeID) bool {
		k.mu.Lock()
		defer k.mu.Unlock()
		return !k.unsure
	}
	var err error
	if k.pool, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	k.listen(t)
	ctx, stop := context.WithCancel(t.Context())
	k.ctx = ctx
	var running sync.WaitGroup
	running.Go(func() {
		if err := k.pool.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		stop()
		running.Wait()
		k.near.Close()
		k.far.Close()
		time.Sleep(time.Minute) // what is under way arrives
	})
	return k
}

func (k *kit) listen(t *testing.T) {
	t.Helper()
	if err := k.far.Listen(k.there.Port(), k.door.Answer(k.serve)); err != nil {
		t.Fatal(err)
	}
}

func (k *kit) serve(s front.Stream) {
	sv := &served{kit: k, stream: s}
	k.mu.Lock()
	k.served = append(k.served, sv)
	k.mu.Unlock()
	s.Start(sv)
}

func (k *kit) services() []*served {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.served
}

// keep lets spares for the page be ready.
func (k *kit) keep() {
	k.pool.Keep([]Use{use})
	time.Sleep(time.Second)
	synctest.Wait()
}

// served is a stream at the service.
type served struct {
	kit    *kit
	stream front.Stream
	got    []byte // guarded by kit.mu
	mute   bool   // it does not answer
}

func (s *served) Data(b []byte) int {
	s.kit.mu.Lock()
	s.got = append(s.got, b...)
	s.kit.mu.Unlock()
	if s.mute {
		return len(b)
	}
	n, err := s.stream.Write(b)
	if err != nil {
		return len(b)
	}
	return n
}
func (s *served) EOF()         { _ = s.stream.CloseWrite() }
func (s *served) Writable()    { s.stream.Resume() }
func (s *served) Closed(error) {}

// client is a sink that keeps what it is told.
type client struct {
	mu     sync.Mutex
	got    []byte
	eofs   int
	rooms  int
	closed int
	err    error
	first  time.Time // when the first byte arrived
}

func (c *client) Data(b []byte) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.got) == 0 {
		c.first = time.Now()
	}
	c.got = append(c.got, b...)
	return len(b)
}
func (c *client) EOF()      { c.mu.Lock(); c.eofs++; c.mu.Unlock() }
func (c *client) Writable() { c.mu.Lock(); c.rooms++; c.mu.Unlock() }
func (c *client) Closed(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed++
	c.err = err
}

// open opens a stream to the page.
func (k *kit) open(t *testing.T, first string) (Stream, *client) {
	t.Helper()
	c := &client{}
	s, err := k.pool.Open(t.Context(), page, []byte(first), c)
	if err != nil {
		t.Fatal(err)
	}
	return s, c
}

// visit has a user come and go.
func (k *kit) visit(t *testing.T) {
	t.Helper()
	s, _ := k.open(t, "x")
	settle()
	s.Close()
}

// settle lets everything happen that is under way.
func settle() {
	time.Sleep(5 * time.Second)
	synctest.Wait()
}
