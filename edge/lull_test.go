package edge

import (
	"errors"
	"io"
	"net/netip"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"landfall/edge/tunnel"
)

// Whoever shakes hands and says nothing is the first to go; whoever speaks
// stays.
func TestSilentStreamsAreShedForAClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := hall(10)
		var lines []*line
		var streams []*tunnel.Lull
		for i := range 8 {
			l, c, _ := arrive(g, from(10, i), false)
			lines, streams = append(lines, l), append(streams, g.follow(c))
			if err := g.admit(c, time.Now()); err != nil {
				t.Fatal(err)
			}
		}
		if _, _, ok := arrive(g, from(192, 0), true); !ok || g.shed.Load() != 0 {
			t.Fatalf("%d streams were shed at once", g.shed.Load())
		}
		for i, s := range streams {
			s.Stir(i%2 == 0) // those of an odd number are greeted, and do not answer
		}
		time.Sleep(tunnel.Mute)
		synctest.Wait()
		streams[1].Stir(true) // at last
		for i := range 3 {
			if _, _, ok := arrive(g, from(192, 1+i), true); !ok {
				t.Errorf("client %d found no room", i)
			}
		}
		for i, l := range lines {
			if l.closed != (i%2 == 1 && i > 1) {
				t.Errorf("stream %d closed: %v", i, l.closed)
			}
		}
		for _, s := range streams {
			s.End()
		}
	})
}

func from(net, host int) string {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{byte(net), 0, 2, byte(host)}), 1).String()
}

// The whole way: the stream that is shed looks broken, not ended.
func TestShedStreamIsReset(t *testing.T) {
	w := newWire(t, introduced)
	conn, err := w.dial(0, "db.landfall.test")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.ReadFull(conn, make([]byte, 20)); err != nil {
		t.Fatal(err)
	}
	w.guests.mu.Lock()
	for c := range w.guests.conns {
		w.guests.rest(c)
		w.guests.dismiss(c.party)
	}
	w.guests.mu.Unlock()
	if _, err := io.ReadAll(conn); !errors.Is(err, syscall.ECONNRESET) {
		t.Error(err)
	}
	w.stop()
	if s := w.Stats(); s.Shed != 1 || s.StreamsOpen != 0 || s.StreamFaults["client"] != 1 {
		t.Errorf("%+v", s)
	}
}
