package wg

import (
	"testing"
	"testing/synctest"
	"time"

	"landfall"
	"landfall/mesh/path"
)

// TestUseNeverWaits: not even while the socket is full, which is often what
// makes a way doubtful.
func TestUseNeverWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 3)
		a, b, c := w.nodes[0], w.nodes[1], w.nodes[2]
		time.Sleep(time.Second)
		r := path.Route{Primary: b.way(), MTU: 1472, Backup: path.Way{Via: c.id}, BackupMTU: 1438}
		a.Use(b.id, r)
		a.say(t, b, landfall.Normal, 0, 100, 1300)
		synctest.Wait()
		a.sock.hold(true)
		time.AfterFunc(700*time.Millisecond, func() { a.sock.hold(false) })
		began := time.Now()
		r.Doubt = true
		a.Use(b.id, r)
		if took := time.Since(began); took > 0 {
			t.Errorf("it took %v", took)
		}
		time.Sleep(time.Second)
		if n := a.Stats().Resent; n == 0 || n > resendBatch {
			t.Errorf("%d datagrams were sent again, whatever the socket said", n)
		}
	})
}

// TestSecondCopiesAreWithinTheRate: what is sent twice, and again, is of the
// node's rate, and what is sent once does not wait long for it.
func TestSecondCopiesAreWithinTheRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 3, func(c *Config) { c.Rate = 8_000_000 })
		a, b, c := w.nodes[0], w.nodes[1], w.nodes[2]
		time.Sleep(time.Second)
		sent, n := 0, 0
		w.setTap(func(d datagram) {
			if d.from == a.at {
				sent += len(d.b) + 48
			}
		})
		r := path.Route{Primary: b.way(), MTU: 1472, Backup: path.Way{Via: c.id}, BackupMTU: 1438}
		for i := range 1000 {
			r.Doubt = i%100 > 50
			a.Use(b.id, r)
			a.say(t, b, landfall.Normal, 0, 2, 1300)
			if i%10 == 0 {
				a.say(t, b, landfall.Interactive, 1, 2, 200)
				n++
			}
			time.Sleep(time.Millisecond)
		}
		w.setTap(nil)
		if sent > 1_060_000 {
			t.Errorf("%d bytes in a second of 1 MB", sent)
		}
		if s := a.Stats(); s.QueueDropped["interactive"] != 0 || s.Doubled < uint64(n/4) {
			t.Errorf("%d of %d were doubled: %+v", s.Doubled, n, s)
		}
	})
}

// TestManyDoubtsAreDoubledLikeAFew: the cause is near then.
func TestManyDoubtsAreDoubledLikeAFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const peers = 12
		w := newWorld(t, peers)
		a, c := w.nodes[0], w.nodes[1]
		time.Sleep(time.Second)
		for _, b := range w.nodes[2:] {
			a.Use(b.id, path.Route{Primary: b.way(), MTU: 1472, Backup: path.Way{Via: c.id}, BackupMTU: 1438, Doubt: true})
			a.say(t, b, landfall.Normal, 0, 300, 1420)
		}
		synctest.Wait()
		if n := a.Stats().Doubled * 1420; n > extraBurst || n < extraBurst/2 {
			t.Errorf("%d bytes were doubled, want about %d", n, extraBurst)
		}
	})
}
