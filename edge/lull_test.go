package edge

import (
	"errors"
	"io"
	"net/netip"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// Whoever shakes hands and says nothing is the first to go; whoever speaks
// stays.
func TestSilentStreamsAreShedForAClient(t *testing.T) {
	g := hall(10)
	var streams []*lull
	var lines []*line
	for i := range 8 {
		l, c, _ := arrive(g, netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}), 1).String(), false)
		s := g.follow(c)
		streams, lines = append(streams, s), append(lines, l)
		if err := g.admit(c, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, ok := arrive(g, "192.0.2.1:1", true); !ok || g.shed.Load() != 0 {
		t.Fatalf("%d streams were shed at once", g.shed.Load())
	}
	age := func(s *lull, by time.Duration) {
		s.moved.Add(-int64(by))
		s.look()
	}
	age(streams[0], quiet+time.Second) // has never spoken
	streams[1].stir(true)
	age(streams[1], quiet-time.Second)
	streams[2].stir(true)
	age(streams[2], quiet+time.Second)
	streams[3].stir(false) // a greeting that nobody answers
	age(streams[3], mute+time.Second)
	age(streams[4], mute+time.Second)
	streams[4].stir(true) // woken
	age(streams[5], mute+time.Second)
	streams[5].end()
	streams[5].conn.Close()
	for i := range 3 {
		if _, _, ok := arrive(g, netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(2 + i)}), 1).String(), true); !ok {
			t.Errorf("client %d found no room", i)
		}
	}
	for i, want := range []bool{true, false, true, true, false, true, false, false} {
		if lines[i].closed != want {
			t.Errorf("stream %d closed: %v", i, lines[i].closed)
		}
	}
	if g.shed.Load() != 3 {
		t.Errorf("%d shed, want 3", g.shed.Load())
	}
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

func TestStreamsWakeAndSleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := hall(10)
		_, c, _ := arrive(g, "192.0.2.1:1", false)
		l := g.follow(c)
		idle := func() bool {
			synctest.Wait()
			g.mu.Lock()
			defer g.mu.Unlock()
			return c.idle != nil
		}
		time.Sleep(mute - time.Second)
		l.stir(false)
		time.Sleep(mute - time.Second)
		if idle() {
			t.Error("asleep although something moved")
		}
		time.Sleep(time.Second)
		if !idle() {
			t.Error("awake although nothing moves")
		}
		l.stir(true)
		time.Sleep(quiet - time.Second)
		if idle() {
			t.Error("asleep too soon after the client spoke")
		}
		time.Sleep(time.Second)
		if !idle() {
			t.Error("awake for ever")
		}
		l.end()
		c.Close()
		time.Sleep(quiet)
		if len(g.conns) != 0 || len(g.parties) != 0 {
			t.Errorf("%d connections, %d parties are left", len(g.conns), len(g.parties))
		}
	})
}
