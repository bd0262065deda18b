package path

import (
	"testing"
	"time"

	"landfall/mesh/pmtu"
	"landfall/mesh/relay"
)

// What WireGuard itself sends on an idle pair, in a minute: a keepalive each
// 20 s by one side, and each 120 s a handshake (initiation, response and the
// keepalive that confirms it).
func wireguardIdle(way Way) int {
	head, legs := pmtu.HeadersV4, 1
	if way.Relayed() {
		head, legs = head+relay.Overhead, 2
	}
	return legs * (3*(32+head) + (148+92+32+3*head)/2)
}

// perPair sums the bytes of all ways of a pair, and of WireGuard on the one in
// use, over so many minutes.
func (w *world) perPair(minutes int) (most int, at load) {
	sum := map[load]int{}
	for k, n := range w.bytes {
		sum[load{a: k.a, b: k.b}] += n
	}
	for k := range sum {
		sum[k] += minutes * wireguardIdle(w.nodes[k.a].mates[k.b].route.Primary)
	}
	for k, n := range sum {
		if n > most {
			most, at = n, k
		}
	}
	return most, at
}

// TestIdlePairsAreCheap is the figure for idle peers: everything that a pair
// sends in both directions, on all its ways and all their legs.
func TestIdlePairsAreCheap(t *testing.T) {
	const minutes, budget = 60, 2000
	for _, addrs := range []int{1, 2, 4} {
		w := newWorld(t, 8, addrs, 1, plane(1, 8))
		w.run(2 * time.Minute)
		clear(w.bytes)
		w.run(minutes * time.Minute)
		most, at := w.perPair(minutes)
		t.Logf("%d addresses: %d bytes a minute; %d ways, %v", addrs, most/minutes,
			len(w.nodes[at.a].table.Ways(id(at.b), w.now)), w.nodes[at.a].mates[at.b].route)
		if most/minutes > budget {
			t.Errorf("%d addresses: an idle pair sends %d bytes a minute", addrs, most/minutes)
		}
	}
}

// TestActivePairsAreCheap is the same for pairs with traffic: a pair and way
// may send so much a second.
func TestActivePairsAreCheap(t *testing.T) {
	const seconds, budget = 1200, 1000
	w := newWorld(t, 12, 2, 1, plane(1, 12))
	w.load(0, 1, 50*time.Millisecond)
	w.load(2, 3, 50*time.Millisecond)
	w.run(20 * time.Second)
	clear(w.bytes)
	w.run(seconds * time.Second)
	most, way := 0, load{}
	for k, n := range w.bytes {
		if n > most {
			most, way = n, k
		}
	}
	t.Logf("n%d to n%d by %v: %d bytes a second", way.a, way.b, way.way, most/seconds)
	if most/seconds > budget {
		t.Errorf("n%d to n%d by %v: %d bytes a second", way.a, way.b, way.way, most/seconds)
	}
}

// TestDeadPairsAreCheap has a peer that is gone.
func TestDeadPairsAreCheap(t *testing.T) {
	const minutes, budget = 60, 2000
	w := newWorld(t, 3, 2, 1, plane(1, 3))
	w.run(10 * time.Second)
	w.lost = func(h hop) bool { return h.from == 2 || h.to == 2 }
	w.run(2 * time.Minute)
	clear(w.bytes)
	w.run(minutes * time.Minute)
	most, _ := w.perPair(0)
	t.Logf("%d bytes a minute", most/minutes)
	if most/minutes > budget {
		t.Errorf("a dead pair sends %d bytes a minute", most/minutes)
	}
}
