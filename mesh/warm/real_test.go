package warm

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"testing"
	"time"

	"landfall"
	"landfall/mesh/front"
	"landfall/mesh/fronttest"
	"landfall/mesh/netstack"
)

// echo sends back what arrives.
type echo struct{ stream front.Stream }

func (e *echo) Data(b []byte) int {
	n, err := e.stream.Write(b)
	if err != nil {
		return len(b)
	}
	return n
}
func (e *echo) EOF()         { _ = e.stream.CloseWrite() }
func (e *echo) Writable()    { e.stream.Resume() }
func (e *echo) Closed(error) {}

// ending is a client that says when it is over.
type ending struct {
	client
	over chan struct{}
}

func (e *ending) Closed(err error) { e.client.Closed(err); close(e.over) }

// TestOverTCP opens streams over TCP in user space while their peer drops what
// stands ready.
func TestOverTCP(t *testing.T) {
	var sides [2]fronttest.Side
	for i, id := range []landfall.NodeID{"a", "b"} {
		addr := landfall.MeshAddr("test", id)
		f, err := netstack.New(netstack.Config{Addr: addr})
		if err != nil {
			t.Fatal(err)
		}
		sides[i] = fronttest.Side{Front: f, Addr: addr}
	}
	near, far := sides[0], sides[1]
	fronttest.Join(t, near, far)
	door := NewDoor(DoorConfig{})
	if err := far.Front.Listen(1000, door.Answer(func(s front.Stream) { s.Start(&echo{s}) })); err != nil {
		t.Fatal(err)
	}
	pool, err := New(Config{Spares: 4, Open: func(ctx context.Context, t landfall.Target, first []byte, sink landfall.Sink) (front.Stream, error) {
		return near.Front.Open(ctx, netip.AddrPortFrom(far.Addr, 1000), t.Class, first, sink)
	}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = pool.Run(ctx) }) // it fails only if it runs already
	defer running.Wait()
	defer stop()
	pool.Keep([]Use{use})
	pool.sent(use)
	for start := time.Now(); pool.Stats().Padding < DefaultPadding; <-time.After(time.Millisecond) {
		if time.Since(start) > 20*time.Second {
			t.Fatalf("spares are not warm: %+v", pool.Stats())
		}
	}
	for i := range 6 {
		if i == 2 {
			far.Front.End(near.Addr, errors.New("restarted"))
		}
		c := &ending{over: make(chan struct{})}
		s, err := pool.Open(t.Context(), page, []byte("hello"), c)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		select {
		case <-c.over:
		case <-time.After(20 * time.Second):
			t.Fatal("no end of a stream")
		}
		if string(c.got) != "hello" || c.eofs != 1 || c.err != nil {
			t.Errorf("stream %d: %q, %d EOFs, ended by %v", i, c.got, c.eofs, c.err)
		}
	}
	if s := pool.Stats(); s.Warm < 2 || s.Lost+s.Retried == 0 || door.Stats().Bad != 0 {
		t.Errorf("%+v, %+v", s, door.Stats())
	}
}
