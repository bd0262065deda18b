package fronttest

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"testing"
	"time"

	"landfall"
	"landfall/mesh/front"
)

func firstBytes(t *testing.T, w *world) {
	near, far := newEnd(t), newEnd(t)
	w.open(t, near, far, landfall.Normal, []byte("first"))
	near.write(t, []byte(" second"))
	far.until(t, "bytes", patience, func() bool { return string(far.got) == "first second" })
	if l, r := near.stream.Local(), near.stream.Remote(); l != far.stream.Remote() || r != far.stream.Local() {
		t.Errorf("from %v to %v is from %v to %v over there", l, r, far.stream.Remote(), far.stream.Local())
	}
	if l, r := near.stream.Local().Addr(), near.stream.Remote(); l != w.a.Addr || r != netip.AddrPortFrom(w.b.Addr, port) {
		t.Errorf("from %v to %v", l, r)
	}
	if a, b := w.a.Front.Streams(), w.b.Front.Streams(); a != 1 || b != 1 {
		t.Errorf("%d and %d streams", a, b)
	}
}

func refused(t *testing.T, w *world) {
	s, err := w.a.Front.Open(t.Context(), netip.AddrPortFrom(w.b.Addr, 99), landfall.Normal, nil, newEnd(t))
	if !errors.Is(err, syscall.ECONNREFUSED) || s != nil {
		t.Errorf("%v, %v", s, err)
	}
}

func honoursContext(t *testing.T, w *world) {
	w.link.Cut(true)
	why := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	timer := time.AfterFunc(50*time.Millisecond, func() { cancel(why) })
	defer timer.Stop()
	if _, err := w.a.Front.Open(ctx, netip.AddrPortFrom(w.b.Addr, port), landfall.Normal, nil, newEnd(t)); !errors.Is(err, why) {
		t.Errorf("got %v", err)
	}
	if n := w.a.Front.Streams(); n != 0 {
		t.Errorf("%d streams", n)
	}
}

// oneself: a node's own services have addresses of the mesh, too.
func oneself(t *testing.T, w *world) {
	w.b = w.a
	near, far := w.pair(t)
	near.write(t, []byte("hello"))
	far.until(t, "bytes", patience, func() bool { return string(far.got) == "hello" })
}

func unlisten(t *testing.T, w *world) {
	near, far := w.pair(t) // which unlistens
	if _, err := w.a.Front.Open(t.Context(), netip.AddrPortFrom(w.b.Addr, port), landfall.Normal, nil, newEnd(t)); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("got %v", err)
	}
	far.write(t, []byte("still here"))
	near.until(t, "bytes", patience, func() bool { return string(near.got) == "still here" })
	again, there := newEnd(t), newEnd(t)
	w.open(t, again, there, landfall.Normal, nil)
}

func listenTwice(t *testing.T, w *world) {
	accepted := make(chan front.Stream, 1)
	accept := func(s front.Stream) { accepted <- s }
	if err := w.b.Front.Listen(port, accept); err != nil {
		t.Fatal(err)
	}
	if err := w.b.Front.Listen(port, accept); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("got %v", err)
	}
	near := newEnd(t)
	w.dial(t, near, landfall.Normal, nil)
	(<-accepted).Abort(net.ErrClosed)
	if err := near.over(t, patience); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("ended by %v", err)
	}
}

func closeOpening(t *testing.T, w *world) {
	w.link.Cut(true)
	opened := make(chan error, 1)
	go func() {
		_, err := w.a.Front.Open(context.Background(), netip.AddrPortFrom(w.b.Addr, port), landfall.Normal, nil, newEnd(t))
		opened <- err
	}()
	select {
	case err := <-opened:
		t.Errorf("opened to nobody: %v", err)
	case <-time.After(20 * time.Millisecond):
	}
	closeBoth(t, w.a)
	if err := <-opened; !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v", err)
	}
}

func closeBusy(t *testing.T, w *world) {
	const count = 8
	if err := w.b.Front.Listen(port, func(s front.Stream) { s.Start(&echoer{stream: s}) }); err != nil {
		t.Fatal(err)
	}
	ends := make([]*end, count)
	var writers sync.WaitGroup
	for i := range ends {
		e := newEnd(t)
		ends[i] = e
		w.dial(t, e, landfall.Normal, nil)
		writers.Go(func() {
			for {
				if _, err := e.stream.Write(make([]byte, 10_000)); err != nil {
					if !errors.Is(err, net.ErrClosed) {
						t.Errorf("write: %v", err)
					}
					return
				}
				select {
				case <-e.news:
				case <-time.After(time.Millisecond):
				}
			}
		})
	}
	ends[0].until(t, "bytes", patience, func() bool { return ends[0].count > 50_000 })
	if err := w.a.Front.Close(); err != nil {
		t.Error(err)
	}
	writers.Wait()
	for _, e := range ends {
		e.mu.Lock()
		if !e.closed || !errors.Is(e.err, net.ErrClosed) {
			t.Errorf("closed %v: %v", e.closed, e.err)
		}
		e.mu.Unlock()
	}
	if _, err := w.a.Front.Open(t.Context(), netip.AddrPortFrom(w.b.Addr, port), landfall.Normal, nil, newEnd(t)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("open: %v", err)
	}
	if err := w.a.Front.Listen(port, func(front.Stream) {}); !errors.Is(err, net.ErrClosed) {
		t.Errorf("listen: %v", err)
	}
	if n := w.a.Front.Streams(); n != 0 {
		t.Errorf("%d streams", n)
	}
}
