package wg

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"landfall"
	"landfall/mesh/path"
	"landfall/mesh/relay"
)

// TestRelayIsNeverDeaf: what it forwards waits for the socket, and its reader
// does not.
func TestRelayIsNeverDeaf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 3)
		a, b, c := w.nodes[0], w.nodes[1], w.nodes[2]
		time.Sleep(time.Second)
		a.Use(b.id, path.Route{Primary: path.Way{Via: c.id}, MTU: 1400})
		c.sock.hold(true)
		a.say(t, b, landfall.Bulk, 0, 2000, 1000)
		a.say(t, b, landfall.Interactive, 2000, 2001, 1000)
		time.Sleep(time.Second)
		for range 10 {
			if err := a.SendTo([]byte("Lprobe"), c.id, c.way()); err != nil {
				t.Error(err)
			}
		}
		time.Sleep(time.Second)
		probes, _, _ := c.told()
		c.sock.hold(false)
		if len(probes) != 10 {
			t.Errorf("%d of 10 probes heard while the socket is full", len(probes))
		}
		time.Sleep(time.Second)
		got := b.numbers()
		if at := slices.Index(got, 2000); at < 0 || at > 2*forwardBatch {
			t.Errorf("chat came after %d of bulk", at)
		}
		lost := uint64(2001 - len(got))
		if most := queueBytes/1066 + 2*forwardBatch; len(got) > most || c.Stats().Dropped["relay_busy"] != lost {
			t.Errorf("%d were kept, and %d counted", len(got), c.Stats().Dropped["relay_busy"])
		}
	})
}

// TestForwardingIsWithinTheRate: half of it at most is for others.
func TestForwardingIsWithinTheRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := 0
		w := newWorld(t, 3, func(c *Config) {
			if i++; i == 3 {
				c.Rate = 8_000_000
			}
		})
		a, b, c := w.nodes[0], w.nodes[1], w.nodes[2]
		time.Sleep(time.Second)
		a.Use(b.id, path.Route{Primary: path.Way{Via: c.id}, MTU: 1400})
		own, others := 0, 0
		w.setTap(func(d datagram) {
			switch {
			case d.from != c.at:
			case d.b[0] == 'R':
				others += len(d.b)
			default:
				own += len(d.b)
			}
		})
		for i := range 1000 {
			a.say(t, b, landfall.Normal, 3*i, 3*i+3, 1300)
			c.say(t, b, landfall.Normal, i, i+1, 1300)
			time.Sleep(time.Millisecond)
		}
		w.setTap(nil)
		if others < 300_000 || others > 550_000 || own < 400_000 || own+others > 1_050_000 {
			t.Errorf("%d bytes for others and %d of its own in a second of 1 MB", others, own)
		}
	})
}

// TestFramesAreRelayedOnce: whoever has recorded one gains nothing by it.
func TestFramesAreRelayedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 3)
		a, b, c := w.nodes[0], w.nodes[1], w.nodes[2]
		time.Sleep(time.Second)
		a.Use(b.id, path.Route{Primary: path.Way{Via: c.id}, MTU: 1400})
		var frames []datagram
		w.setTap(func(d datagram) {
			if d.to == c.at && relay.Is(d.b) {
				frames = append(frames, datagram{from: addrOf(77), to: c.at, b: slices.Clone(d.b)})
			}
		})
		a.say(t, b, landfall.Normal, 0, 20, 1000)
		synctest.Wait()
		w.setTap(nil)
		for range 10 {
			for _, d := range frames {
				w.put(d)
			}
		}
		synctest.Wait()
		if s := c.Stats(); len(frames) < 20 || s.Relayed != uint64(len(frames)) || s.Dropped["relay_repeated"] != uint64(10*len(frames)) {
			t.Errorf("%d frames: %d relayed, %d repetitions dropped", len(frames), s.Relayed, s.Dropped["relay_repeated"])
		}
	})
}

// TestRelayedProbesAreNeverCut: one that the relay's first hop refuses is lost,
// for else its way would look wider than it is.
func TestRelayedProbesAreNeverCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 3)
		a, b, c := w.nodes[0], w.nodes[1], w.nodes[2]
		time.Sleep(time.Second)
		long := make([]byte, 1300)
		long[0] = probeKind
		frame := a.peers.node(c.id).Relay.SealAppend(nil, relay.First, a.peers.node(b.id).Name, long)
		w.mtu.Store(1200)
		w.put(datagram{from: a.at, to: c.at, b: frame})
		synctest.Wait()
		probes, _, _ := b.told()
		if s := c.Stats(); len(probes) != 0 || s.Fragmented != 0 || s.Dropped["unsendable"] != 1 {
			t.Errorf("%d probes heard: %+v", len(probes), s)
		}
	})
}
