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
		var strange fragment.Key
		part := fragment.Append(nil, make([]byte, 1500), &strange, 7, 0, 2)
		nested := fragment.Append(nil, append([]byte("F"), make([]byte, 1499)...), &strange, 8, 0, 2)
		nested2 := fragment.Append(nil, append([]byte("F"), make([]byte, 1499)...), &strange, 8, 1, 2)
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

// TestPartsInAPeersName: whoever knows its address may send as many as he likes
// between the parts of genuine datagrams.
func TestPartsInAPeersName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2)
		a, b := w.nodes[0], w.nodes[1]
		time.Sleep(time.Second)
		a.Use(b.id, path.Route{Primary: b.way(), MTU: 1000})
		id := uint32(0)
		w.setFate(func(d *datagram) (time.Duration, bool) {
			if d.from != a.at || !fragment.Is(d.b) {
				return 0, true
			}
			for range 200 {
				id += 0x01000193
				var strange fragment.Key
				b.sock.take(datagram{from: a.at, to: b.at, b: fragment.Append(nil, make([]byte, 1500), &strange, id, 0, 2)})
			}
			return 0, true
		})
		const pages = 20
		for i := range pages {
			a.say(t, b, landfall.Normal, i, i+1, 1400)
			time.Sleep(10 * time.Millisecond)
		}
		if got := len(b.numbers()); got != pages {
			t.Errorf("%d of %d arrived: %+v", got, pages, b.Fragments())
		}
		if s := b.Fragments(); s.Parts != 402*pages || s.Evicted == 0 {
			t.Errorf("%+v", s)
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
			return c.Stats().Probes
		}
		if n := send(); n != 1 {
			t.Errorf("%d relayed", n)
		}
		c.Use(b.id, path.Route{Primary: path.Way{Via: a.id}, MTU: 1400})
		if n := send(); n != 1 || c.Stats().Dropped["relay_no_way"] != 1 {
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
		if n := send(); n != 1 || c.Stats().Dropped["relay_refused"] != 1 {
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
