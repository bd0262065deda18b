package meshtest_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/nettest"

	"landfall"
	"landfall/mesh/meshtest"
)

var target = landfall.Target{Node: "fra1", Service: landfall.MeshHTTP}

// pipe is a connection from nyc1 to fra1.
func pipe(t *testing.T) (near, far net.Conn, stop func()) {
	n := meshtest.NewNetwork()
	l, err := n.Node("fra1").Listen(landfall.MeshHTTP)
	if err != nil {
		t.Fatal(err)
	}
	near, err = n.Node("nyc1").Dial(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	far, err = l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return near, far, func() { near.Close(); far.Close(); l.Close() }
}

func TestConnIsANetConn(t *testing.T) {
	nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
		c1, c2, stop = pipe(t)
		return c1, c2, stop, nil
	})
}

func TestStreamsCarryAndHalfClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far, stop := pipe(t)
		defer stop()
		big := bytes.Repeat([]byte("landfall"), 200_000) // more than is buffered
		var sending sync.WaitGroup
		sending.Go(func() {
			_, _ = near.Write(big)
			near.(interface{ CloseWrite() error }).CloseWrite()
		})
		got, err := io.ReadAll(far)
		sending.Wait()
		if err != nil || !bytes.Equal(got, big) {
			t.Fatalf("got %d bytes of %d, %v", len(got), len(big), err)
		}
		if _, err := far.Write([]byte("back")); err != nil {
			t.Fatal(err)
		}
		far.Close()
		if got, err := io.ReadAll(near); string(got) != "back" || err != nil {
			t.Fatalf("got %q, %v", got, err)
		}
	})
}

func TestDeadlinesPassInBubbles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, _, stop := pipe(t)
		defer stop()
		start := time.Now()
		near.SetReadDeadline(start.Add(time.Hour))
		_, err := near.Read(make([]byte, 1))
		if e, ok := errors.AsType[net.Error](err); !ok || !e.Timeout() || time.Since(start) != time.Hour {
			t.Fatalf("%v after %v", err, time.Since(start))
		}
	})
}

func TestCloseWithUnreadBytesResets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far, stop := pipe(t)
		defer stop()
		big := make([]byte, 1<<20)
		var sending sync.WaitGroup
		sending.Go(func() {
			if _, err := near.Write(big); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("write: %v", err)
			}
		})
		synctest.Wait()
		far.Close()
		sending.Wait()
	})
}

func TestDialWithoutListenerIsRefused(t *testing.T) {
	n := meshtest.NewNetwork()
	if _, err := n.Node("nyc1").Dial(t.Context(), target); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Fatal(err)
	}
}

// recorder takes two bytes at a time and must be asked to go on.
type recorder struct {
	mu     sync.Mutex
	got    []byte
	events []string
}

func (r *recorder) Data(b []byte) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := min(2, len(b))
	r.got = append(r.got, b[:n]...)
	return n
}
func (r *recorder) note(s string)    { r.mu.Lock(); r.events = append(r.events, s); r.mu.Unlock() }
func (r *recorder) EOF()             { r.note("eof") }
func (r *recorder) Writable()        { r.note("writable") }
func (r *recorder) Closed(err error) { r.note("closed " + errorText(err)) }

func errorText(err error) string {
	if err == nil {
		return "in order"
	}
	return err.Error()
}

func TestOpenFeedsASinkAsItAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := meshtest.NewNetwork()
		l, err := n.Node("fra1").Listen(landfall.MeshHTTP)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		r := &recorder{}
		s, err := n.Node("nyc1").Open(t.Context(), target, []byte("first"), r)
		if err != nil {
			t.Fatal(err)
		}
		far, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		first := make([]byte, 5)
		if _, err := io.ReadFull(far, first); string(first) != "first" {
			t.Fatal(string(first), err)
		}
		if who, ok := n.Node("fra1").PeerOf(far.RemoteAddr().String()); who != "nyc1" || !ok {
			t.Errorf("accepted from %q", who)
		}
		far.Write([]byte("abcde"))
		far.Close()
		for range 4 {
			synctest.Wait()
			s.Resume()
		}
		s.CloseWrite()
		synctest.Wait()
		if string(r.got) != "abcde" || len(r.events) != 2 || r.events[0] != "eof" || r.events[1] != "closed in order" {
			t.Errorf("got %q, %q", r.got, r.events)
		}
	})
}
