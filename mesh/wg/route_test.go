package wg

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"landfall"
	"landfall/mesh/fragment"
	"landfall/mesh/path"
	"landfall/mesh/relay"
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

// TestOnceInside: what is sent both ways arrives once, whichever comes first,
// and the later copies are hardly ever decrypted.
func TestOnceInside(t *testing.T) {
	for name, slow := range map[string]int{"the primary is slower": 1, "the backup is slower": 2} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, 3)
			a, b, c := w.nodes[0], w.nodes[1], w.nodes[2]
			time.Sleep(time.Second)
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

// TestBadDatagrams: nothing of them gets through, each is counted where it
// belongs, and what is good still passes.
func TestBadDatagrams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 3)
		a, b, c := w.nodes[0], w.nodes[1], w.nodes[2]
		time.Sleep(time.Second)
		toB := c.peerOf(t, b, false).Relay // c seals for b, and opens what b sent
		far := a.peerOf(t, a, false).Name
		toC := a.peerOf(t, c, false).Relay
		seal := func(k relay.Keys, hop relay.Hop, far relay.Name, payload []byte) []byte {
			return k.SealAppend(nil, hop, far, payload)
		}
		good := seal(toB, relay.Second, far, []byte("Lprobe"))
		forged := slices.Clone(good)
		forged[len(forged)-1]++
		part := fragment.Append(nil, make([]byte, 1500), 7, 0, 2)
		nested := fragment.Append(nil, append([]byte("F"), make([]byte, 1499)...), 8, 0, 2)
		nested2 := fragment.Append(nil, append([]byte("F"), make([]byte, 1499)...), 8, 1, 2)
		for _, c := range []struct {
			name   string
			to     *node
			b      []byte
			reason reason
		}{
			{"oversized", b, append([]byte{data}, make([]byte, maxDatagram)...), tooLong},
			{"empty", b, nil, unknownKind},
			{"junk", b, []byte("junk"), unknownKind},
			{"truncated data", b, []byte{data, 0, 0, 0}, unknownKind},
			{"truncated frame", b, good[:relay.Overhead], unknownFrame},
			{"frame of strangers", b, append([]byte{'R', 1}, make([]byte, 100)...), unknownFrame},
			{"forged frame", b, forged, forgedFrame},
			{"frame in a frame", b, seal(toB, relay.Second, far, good), badPayload},
			{"part in a frame", b, seal(toB, relay.Second, far, part), badPayload},
			{"frame from nobody", b, seal(toB, relay.Second, relay.Name{1}, []byte("L")), unknownFar},
			{"frame to nobody", c, seal(toC, relay.First, relay.Name{1}, []byte("L")), unknownFar},
			{"frame back to its sender", c, seal(toC, relay.First, far, []byte("L")), unknownFar},
			{"truncated part", b, part[:fragment.Overhead], badFragment},
			{"part of a part", b, part[:100], badFragment},
			{"parts of parts", b, nested, reasons},
			{"parts of parts", b, nested2, badFragment},
		} {
			before := c.to.Stats().Dropped
			w.put(datagram{from: addrOf(9), to: c.to.at, b: c.b})
			synctest.Wait()
			after := c.to.Stats().Dropped
			for r, name := range reasonNames {
				want := before[name]
				if reason(r) == c.reason {
					want++
				}
				if after[name] != want {
					t.Errorf("%s: %s went from %d to %d", c.name, name, before[name], after[name])
				}
			}
		}
		if probes, _, _ := b.told(); len(probes) != 0 {
			t.Errorf("heard %v", probes)
		}
		w.put(datagram{from: addrOf(9), to: b.at, b: good})
		synctest.Wait()
		if probes, _, _ := b.told(); len(probes) != 1 || probes[0].way != (path.Way{Via: c.id}) {
			t.Errorf("heard %v", probes)
		}
	})
}

func TestForwardingIsAllowedAndHasAWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 3)
		a, b, c := w.nodes[0], w.nodes[1], w.nodes[2]
		send := func() uint64 {
			t.Helper()
			if err := a.SendTo([]byte("Lprobe"), b.id, path.Way{Via: c.id}); err != nil {
				t.Error(err)
			}
			synctest.Wait()
			return c.Stats().Relayed
		}
		if n := send(); n != 1 {
			t.Errorf("%d relayed", n)
		}
		c.Use(b.id, path.Route{Primary: path.Way{Via: a.id}, MTU: 1400})
		if n := send(); n != 1 || c.Stats().Dropped["no_direct_way"] != 1 {
			t.Errorf("%d relayed, one of them on by way of another", n)
		}
		c.Use(b.id, path.Route{Primary: b.way(), MTU: 1400})
		c.RemovePeer(a.id)
		p := c.peerOf(t, a, false)
		p.Forward = false
		if err := c.AddPeer(p); err != nil {
			t.Fatal(err)
		}
		kept.Store(c.peers.node(a.id), nil)
		if n := send(); n != 1 || c.Stats().Dropped["not_for_us"] != 1 {
			t.Errorf("%d relayed, one of them for a peer that it is not to be done for", n)
		}
	})
}

func TestForwardingIsLimited(t *testing.T) {
	var r relayed
	p, now, n := &peer{}, time.Unix(1, 0), 0
	for r.may(p, 1000, now) {
		n += 1000
	}
	if n < forwardBurst-1000 || n > forwardBurst {
		t.Errorf("%d bytes at once", n)
	}
	if now = now.Add(time.Second); !r.may(p, forwardBurst/2, now) || !r.may(&peer{}, 1000, now) {
		t.Error("a pair is limited for good, or by another")
	}
}
