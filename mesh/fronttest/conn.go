package fronttest

import (
	"errors"
	"net"
	"net/netip"
	"testing"

	"golang.org/x/net/nettest"

	"landfall"
	"landfall/mesh/conn"
	"landfall/mesh/front"
)

var errDone = errors.New("done with it")

// netConn: package conn makes net.Conns of the front's streams.
func netConn(t *testing.T, w *world) {
	far := make(chan net.Conn)
	done := make(chan struct{})
	defer close(done)
	if err := w.b.Front.Listen(port, func(s front.Stream) {
		c, err := conn.Open(func(sink landfall.Sink) (landfall.Stream, net.Addr, net.Addr, error) {
			s.Start(sink)
			return s, nil, nil, nil
		})
		if err != nil {
			t.Error(err)
			return
		}
		go func() {
			select {
			case far <- c:
			case <-done:
			}
		}()
	}); err != nil {
		t.Fatal(err)
	}
	nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
		c1, err = conn.Open(func(sink landfall.Sink) (landfall.Stream, net.Addr, net.Addr, error) {
			s, err := w.a.Front.Open(t.Context(), netip.AddrPortFrom(w.b.Addr, port), landfall.Normal, nil, sink)
			return s, nil, nil, err
		})
		if err != nil {
			return nil, nil, nil, err
		}
		c2 = <-far
		return c1, c2, func() { c1.Close(); c2.Close() }, nil
	})
}
