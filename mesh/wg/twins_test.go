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

// recorded is what a sends to b on a way, as a data datagram on the wire.
func (w *world) recorded(t *testing.T, a, b *node) (one datagram) {
	t.Helper()
	w.setTap(func(d datagram) {
		if d.from == a.at && d.to == b.at && d.b[0] == data && one.b == nil {
			one = datagram{from: d.from, to: d.to, tos: d.tos, b: slices.Clone(d.b)}
		}
	})
	a.say(t, b, landfall.Normal, 0, 1, 500)
	synctest.Wait()
	w.setTap(nil)
	return one
}

func heard(n, of *node) (total uint32) {
	for _, tr := range n.Traffic(of.id) {
		total += tr.Heard
	}
	return total
}

// TestRepetitionsAreNoSignOfLife: whoever has recorded a datagram sends it
// again and again, from his own ports and as if from the peer.
func TestRepetitionsAreNoSignOfLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 3)
		a, b, c := w.nodes[0], w.nodes[1], w.nodes[2]
		time.Sleep(time.Second)
		b.probe(t, a, path.Way{Via: c.id})
		a.say(t, b, landfall.Normal, 0, 5, 500)
		synctest.Wait()
		one := w.recorded(t, a, b)
		before, last := heard(b, a), b.Traffic(a.id)[0].LastHeard
		for i := range 100 {
			time.Sleep(250 * time.Millisecond)
			for _, from := range []netip.AddrPort{a.at, c.at, addrOf(70), netip.AddrPortFrom(addrOf(70).Addr(), uint16(i%3+1))} {
				one.from = from
				w.put(one)
			}
		}
		synctest.Wait()
		if now := heard(b, a); now != before || len(b.Traffic(a.id)) != 1 || b.Traffic(a.id)[0].LastHeard != last {
			t.Errorf("heard %d, and %d before: %+v", now, before, b.Traffic(a.id))
		}
	})
}

// TestOneCopyCounts: of a datagram that was authentic, whether the copy comes
// after it or with it.
func TestOneCopyCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2)
		a, b := w.nodes[0], w.nodes[1]
		time.Sleep(time.Second)
		second := path.Way{Addr: addrOf(50)}
		b.probe(t, a, second)
		a.say(t, b, landfall.Normal, 0, 1, 500)
		synctest.Wait()
		w.put(datagram{from: second.Addr, to: b.at, b: w.recorded(t, a, b).b}) // from now on copies are looked for
		for _, later := range []time.Duration{0, time.Millisecond} {
			before := heard(b, a)
			one := w.recorded(t, a, b)
			time.Sleep(later)
			for i := range 10 {
				one.from = []path.Way{second, {Addr: addrOf(60)}, a.way()}[i%3].Addr
				w.put(one)
			}
			synctest.Wait()
			if n := heard(b, a) - before; n != 2 {
				t.Errorf("%v later: a datagram and its copies count as %d, want 2", later, n)
			}
		}
	})
}

// TestSessionsEnd: nothing is known of one that must be over.
func TestSessionsEnd(t *testing.T) {
	var s twins
	b, p, now := make([]byte, keepaliveSize), &peer{}, time.Now().UnixNano()
	s.learn(b, p, origin{}, now)
	if _, o := s.session(index(b), now+sessionLife); o == nil || o.peer != p {
		t.Error("it was forgotten too soon")
	}
	if _, o := s.session(index(b), now+sessionLife+1); o != nil {
		t.Error("it is known for ever")
	}
}
