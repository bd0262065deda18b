package wg

import (
	"testing"
	"testing/synctest"
	"time"

	"landfall/mesh/path"
	"landfall/mesh/relay"
)

// TestHandshakesAreTriedBothWays has a relay that both ends believe in, for it
// forwards their probes. No data can tell on it before there is a session.
func TestHandshakesAreTriedBothWays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 3)
		a, b, c := w.nodes[0], w.nodes[1], w.nodes[2]
		time.Sleep(time.Second)
		w.setFate(func(d *datagram) (time.Duration, bool) {
			relayed := d.from == c.at && relay.Is(d.b)
			return 10 * time.Millisecond, !relayed || d.b[relay.Overhead] == probeKind
		})
		before := a.Sessions()[b.id].Handshake
		via := path.Way{Via: c.id}
		a.Use(b.id, path.Route{Primary: via, Backup: b.way(), MTU: 1400, BackupMTU: 1400})
		b.Use(a.id, path.Route{Primary: via, Backup: a.way(), MTU: 1400, BackupMTU: 1400})
		time.Sleep(again)
		for range 2 {
			a.Initiate(b.id)
			time.Sleep(time.Second)
		}
		if !a.Sessions()[b.id].Handshake.After(before) {
			t.Error("no session came about")
		}
	})
}
