package wg

import (
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"landfall"
	"landfall/mesh/path"
)

func TestRelayed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 3)
		a, b, c := w.nodes[0], w.nodes[1], w.nodes[2]
		time.Sleep(time.Second)
		// Nothing passes directly any more.
		w.setFate(func(d *datagram) (time.Duration, bool) {
			return 10 * time.Millisecond, !(d.from == a.at && d.to == b.at || d.from == b.at && d.to == a.at)
		})
		via := path.Way{Via: c.id}
		a.Use(b.id, path.Route{Primary: via, MTU: 1400})
		b.Use(a.id, path.Route{Primary: via, MTU: 1400})
		a.Initiate(b.id) // handshakes are relayed, too
		time.Sleep(time.Second)
		a.say(t, b, landfall.Interactive, 0, 300, 1200)
		b.say(t, a, landfall.Bulk, 0, 300, 1420) // in fragments
		time.Sleep(time.Second)
		if got := b.numbers(); !slices.Equal(got, upTo(300)) {
			t.Errorf("%d arrived at b, or in disorder", len(got))
		}
		if got := a.numbers(); !slices.Equal(got, upTo(300)) {
			t.Errorf("%d arrived at a, or in disorder", len(got))
		}
		for _, tr := range b.Traffic(a.id) {
			if tr.Way == via && (tr.Heard != 300 || tr.Sent != 300) {
				t.Errorf("by way of c: %+v", tr)
			}
		}
		if s := c.Stats(); s.Relayed < 600 || s.RelayedBytes < 300*1232+300*1452 {
			t.Errorf("relayed %d datagrams, %d bytes", s.Relayed, s.RelayedBytes)
		}
		if s := b.Stats(); s.Fragmented != 300 {
			t.Errorf("%d datagrams went in fragments", s.Fragmented)
		}
	})
}

func TestRelayedProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 3)
		a, b, c := w.nodes[0], w.nodes[1], w.nodes[2]
		for _, way := range []path.Way{b.way(), {Via: c.id}} {
			if err := a.SendTo([]byte("Lhello"), b.id, way); err != nil {
				t.Error(err)
			}
		}
		long := make([]byte, 1438)
		long[0] = probeKind
		if err := a.SendTo(long, b.id, path.Way{Via: c.id}); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Second)
		want := []heardProbe{
			{"Lhello", a.way(), ""}, {"Lhello", path.Way{Via: c.id}, a.id}, {string(long), path.Way{Via: c.id}, a.id},
		}
		if probes, _, _ := b.told(); !slices.Equal(probes, want) {
			t.Errorf("%d probes heard, first %+v", len(probes), probes[:min(2, len(probes))])
		}
		if n := a.Stats().Fragmented + c.Stats().Fragmented; n != 0 {
			t.Errorf("%d probes went in fragments", n)
		}
	})
}

// TestNarrowPaths: datagrams pass whole or in fragments over paths of any
// width, direct and relayed.
func TestNarrowPaths(t *testing.T) {
	for _, mtu := range []int{1472, 1400, 1280, 1200, 1096, 1000, 972} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, 3)
			a, b, c := w.nodes[0], w.nodes[1], w.nodes[2]
			time.Sleep(time.Second)
			w.setFate(func(d *datagram) (time.Duration, bool) { return 0, len(d.b) <= mtu })
			c.Use(b.id, path.Route{Primary: b.way(), MTU: mtu})
			a.Use(c.id, path.Route{Primary: c.way(), MTU: mtu})
			for _, way := range []path.Way{b.way(), {Via: c.id}} {
				a.Use(b.id, path.Route{Primary: way, MTU: mtu})
				for _, size := range []int{60, 900, 1280, 1419, 1420} {
					a.say(t, b, landfall.Normal, 0, 50, size)
					time.Sleep(time.Second)
					if got := b.numbers(); !slices.Equal(got, upTo(50)) {
						t.Errorf("%v, %d bytes over %d: %d arrived, or in disorder", way, size, mtu, len(got))
					}
				}
			}
		})
	}
}

// TestFirstHopGrowsNarrow: the kernel refuses what the route says will pass.
func TestFirstHopGrowsNarrow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 3)
		a, b, c := w.nodes[0], w.nodes[1], w.nodes[2]
		time.Sleep(time.Second)
		w.mtu.Store(1000)
		for _, way := range []path.Way{b.way(), {Via: c.id}} {
			a.Use(b.id, path.Route{Primary: way, MTU: 1472})
			a.say(t, b, landfall.Normal, 0, 100, 1420)
			time.Sleep(time.Second)
			if got := b.numbers(); !slices.Equal(got, upTo(100)) {
				t.Errorf("%v: %d arrived, or in disorder", way, len(got))
			}
		}
	})
}

// TestOnlyWhatWasRefusedGoesAgain: the rest of a batch has passed.
func TestOnlyWhatWasRefusedGoesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 3)
		a, b, c := w.nodes[0], w.nodes[1], w.nodes[2]
		time.Sleep(time.Second)
		w.mtu.Store(1000)
		for _, way := range []path.Way{b.way(), {Via: c.id}} {
			small := 0
			w.setTap(func(d datagram) {
				if d.from == a.at && len(d.b) > 500 && len(d.b) < 600 {
					small++
				}
			})
			a.Use(b.id, path.Route{Primary: way, MTU: 1472})
			a.sock.hold(true)
			for i := range 50 {
				a.say(t, b, landfall.Normal, 2*i, 2*i+1, 500)
				a.say(t, b, landfall.Normal, 2*i+1, 2*i+2, 1420)
			}
			a.sock.hold(false)
			time.Sleep(time.Second)
			w.setTap(nil)
			if got := b.numbers(); len(got) != 100 || small != 50 {
				t.Errorf("%v: %d arrived, and 50 that were not refused were sent %d times", way, len(got), small)
			}
		}
	})
}

// TestOnceInside: what is sent both ways arrives once, whichever comes first,
// and the later copies are hardly ever decrypted.
func TestOnceInside(t *testing.T) {
	for name, slow := range map[string]int{"the primary is slower": 1, "the backup is slower": 2} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, 3)
			a, b, c := w.nodes[0], w.nodes[1], w.nodes[2]
			time.Sleep(time.Second)
			b.probe(t, a, path.Way{Via: c.id})
			b.probe(t, a, a.way())
			w.setFate(func(d *datagram) (time.Duration, bool) {
				delay := 10 * time.Millisecond
				if (slow == 1) == (d.from == a.at && d.to == b.at) {
					delay = 30 * time.Millisecond
				}
				return delay, true
			})
			via := path.Way{Via: c.id}
			a.Use(b.id, path.Route{Primary: b.way(), Backup: via, Doubt: true, MTU: 1472, BackupMTU: 1200})
			for i := range 50 {
				a.say(t, b, landfall.Interactive, 2*i, 2*i+1, 200)
				a.say(t, b, landfall.Normal, 2*i+1, 2*i+2, 1300)
				time.Sleep(10 * time.Millisecond)
			}
			a.say(t, b, landfall.Bulk, 100, 150, 1300)
			time.Sleep(time.Second)
			got := b.numbers()
			slices.Sort(got)
			if !slices.Equal(got, upTo(150)) {
				t.Errorf("%s: %d arrived", name, len(got))
			}
			if s := a.Stats(); s.Doubled != 100 {
				t.Errorf("%s: %d were sent twice", name, s.Doubled)
			}
			if n := b.Stats().Twins; n < 80 {
				t.Errorf("%s: only %d copies were found out before decryption", name, n)
			}
			for _, tr := range b.Traffic(a.id) {
				if tr.Heard < 80 {
					t.Errorf("%s: heard %d of about 100 on %v", name, tr.Heard, tr.Way)
				}
			}
		})
	}
}

// TestNothingIsLostToABlackhole: the primary carries nothing any more, and
// doubt begins 110 ms later.
func TestNothingIsLostToABlackhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 3)
		a, b, c := w.nodes[0], w.nodes[1], w.nodes[2]
		time.Sleep(time.Second)
		via := path.Way{Via: c.id}
		route := path.Route{Primary: b.way(), Backup: via, MTU: 1472, BackupMTU: 1438}
		a.Use(b.id, route)
		n := 0
		chat := func(ms int) {
			for range ms {
				a.say(t, b, landfall.Interactive, n, n+1, 150)
				a.say(t, b, landfall.Normal, n+1, n+2, 600)
				n += 2
				time.Sleep(time.Millisecond)
			}
		}
		hole := func(d *datagram) (time.Duration, bool) {
			return 75 * time.Millisecond, !(d.from == a.at && d.to == b.at)
		}
		w.setFate(func(d *datagram) (time.Duration, bool) { return 75 * time.Millisecond, true })
		chat(500)
		w.setFate(hole) // what is under way still arrives
		chat(110)
		route.Doubt = true
		a.Use(b.id, route)
		chat(100)
		a.Use(b.id, path.Route{Primary: via, MTU: 1438})
		chat(100)
		time.Sleep(time.Second)
		got := b.numbers()
		slices.Sort(got)
		if !slices.Equal(got, upTo(n)) {
			t.Errorf("%d of %d arrived", len(got), n)
		}
		if s := a.Stats(); s.Resent < 220 {
			t.Errorf("%d sent again", s.Resent)
		}
	})
}

// TestMutePrimaryIsGivenUp: it carried probes, and no data, and nobody was in
// doubt.
func TestMutePrimaryIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 3)
		a, b, c := w.nodes[0], w.nodes[1], w.nodes[2]
		time.Sleep(time.Second)
		mute := path.Way{Addr: addrOf(9)}
		a.Use(b.id, path.Route{Primary: mute, Backup: path.Way{Via: c.id}, MTU: 1200, BackupMTU: 1200})
		a.say(t, b, landfall.Interactive, 0, 100, 500)
		time.Sleep(100 * time.Millisecond)
		before := a.Traffic(b.id)
		a.Use(b.id, path.Route{Primary: path.Way{Via: c.id}, Backup: b.way(), MTU: 1200, BackupMTU: 1200})
		time.Sleep(time.Second)
		if got := b.numbers(); !slices.Equal(got, upTo(100)) {
			t.Errorf("%d arrived", len(got))
		}
		for _, tr := range before {
			if tr.Way == mute && (tr.Sent != 100 || tr.Unanswered.IsZero() || tr.Unanswered.After(tr.LastSent)) {
				t.Errorf("on the mute way: %+v", tr)
			}
		}
		b.say(t, a, landfall.Normal, 0, 1, 100)
		time.Sleep(time.Second)
		for _, tr := range a.Traffic(b.id) {
			if !tr.Unanswered.IsZero() {
				t.Errorf("not answered: %+v", tr)
			}
		}
	})
}

// TestTwoFamilies: the primary is IPv4 and the backup IPv6, each with a socket
// of its own.
func TestTwoFamilies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		six := func(i int) netip.AddrPort {
			return netip.AddrPortFrom(netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 15: byte(i + 1)}), 7000)
		}
		var w *world
		more := newWire()
		i := 0
		w = newWorld(t, 2, func(c *Config) {
			c.Conns = append(c.Conns, more.sock(six(i)))
			i++
		})
		a, b := w.nodes[0], w.nodes[1]
		time.Sleep(time.Second)
		b.probe(t, a, path.Way{Addr: six(0)})
		b.probe(t, a, a.way())
		way := path.Way{Addr: six(1)}
		a.Use(b.id, path.Route{Primary: b.way(), Backup: way, Doubt: true, MTU: 1472, BackupMTU: 1452})
		for n := range 100 {
			a.say(t, b, landfall.Interactive, n, n+1, 1420)
			time.Sleep(time.Millisecond)
		}
		if got := b.numbers(); !slices.Equal(got, upTo(100)) {
			t.Errorf("%d arrived, or in disorder", len(got))
		}
		for _, tr := range b.Traffic(a.id) {
			if tr.Heard < 95 || tr.Heard > 100 || tr.LargestHeard != 1420+overhead {
				t.Errorf("heard %+v", tr)
			}
		}
		if got := b.Traffic(a.id); len(got) != 2 || got[0].LargestHeard != 0 {
			t.Errorf("heard %+v", got)
		}
	})
}

// TestBudgetOfDoubles: what is Normal leaves half of what may be sent twice to
// what is more urgent.
func TestBudgetOfDoubles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 3)
		a, b, c := w.nodes[0], w.nodes[1], w.nodes[2]
		time.Sleep(time.Second)
		a.Use(b.id, path.Route{Primary: b.way(), Backup: path.Way{Via: c.id}, Doubt: true, MTU: 1472, BackupMTU: 1438})
		a.say(t, b, landfall.Normal, 0, 1000, 1420)
		synctest.Wait()
		doubled := a.Stats().Doubled
		if most := doubleBurst / 2 / 1420; doubled == 0 || doubled > uint64(most) {
			t.Errorf("%d Normal packets were doubled, want 1 to %d", doubled, most)
		}
		a.say(t, b, landfall.Interactive, 0, 50, 1420)
		synctest.Wait()
		if n := a.Stats().Doubled - doubled; n != 50 {
			t.Errorf("%d of 50 urgent packets were doubled", n)
		}
	})
}

func TestPrimaryThatFailsIsReplacedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 3)
		a, b, c := w.nodes[0], w.nodes[1], w.nodes[2]
		time.Sleep(time.Second)
		a.Use(b.id, path.Route{Primary: path.Way{Via: "gone"}, Backup: path.Way{Via: c.id}, MTU: 1200, BackupMTU: 1200})
		a.say(t, b, landfall.Bulk, 0, 100, 1000)
		time.Sleep(time.Second)
		if got := b.numbers(); !slices.Equal(got, upTo(100)) {
			t.Errorf("%d arrived", len(got))
		}
	})
}
