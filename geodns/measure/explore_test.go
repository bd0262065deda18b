package measure

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"landfall"
)

// trials are what some epochs of a simulated world tried: prefix and edge.
func trials(s *simulation, epochs int) (out []string) {
	for range epochs {
		s.step()
		for v := range s.view.All() {
			if v.Explore != "" {
				out = append(out, fmt.Sprintf("%d %v %s", s.view.Epoch(), v.Prefix, v.Explore))
			}
		}
	}
	return out
}

// Name servers that were told the same try the same and decide the same; those
// of another network, or in another epoch, try others.
func TestTrialsAreTheSameOnAllNameServers(t *testing.T) {
	a, b, c := newSimulation(t, newEarth(1, 300, 0.15)), newSimulation(t, newEarth(1, 300, 0.15)), newSimulation(t, newEarth(1, 300, 0.15))
	c.m.Network = "another"
	got, again, other := fmt.Sprint(trials(a, 30)), fmt.Sprint(trials(b, 30)), fmt.Sprint(trials(c, 30))
	if len(got) < 100 {
		t.Fatalf("hardly anything was tried: %s", got)
	}
	if got != again {
		t.Error("two name servers tried different edges")
	}
	if got == other {
		t.Error("another network tried the same")
	}
	for v := range a.view.All() {
		if w, _ := b.view.Find(v.Prefix.Addr()); fmt.Sprint(v) != fmt.Sprint(w) {
			t.Errorf("%+v, on another name server %+v", v, w)
		}
	}
}

func TestOnlyEdgesThatAreUpAndHaveRoomAreTried(t *testing.T) {
	s := newSimulation(t, newEarth(2, 300, 0.15))
	s.up = func(id landfall.NodeID) bool { return id != "sin" }
	s.room = func(id landfall.NodeID) bool { return id != "nyc" }
	seen := map[landfall.NodeID]int{}
	for range 30 {
		s.step()
		for v := range s.view.All() {
			seen[v.Explore]++
		}
	}
	if seen["sin"] > 0 || seen["nyc"] > 0 {
		t.Errorf("tried %v, but sin is down and nyc is full", seen)
	}
	if seen["fra"]+seen["sfo"]+seen["gru"]+seen["syd"] == 0 {
		t.Error("nobody was tried")
	}
}

func TestPrefixesWithoutTrafficAreNotTried(t *testing.T) {
	s := newSimulation(t, newEarth(3, 300, 0.15))
	silent := s.clients[7].prefix
	s.clients[7].weight = 0
	s.clients[7].base[s.clients[7].rank[0]] += 400 // there would be much to win
	s.load *= 10
	for range 40 {
		s.step()
		s.book.Add(s.clients[7].guess[0].Edge, []landfall.Sample{{Prefix: silent, RTT: 500 * time.Millisecond, Count: 50, When: s.now}})
		if v, _ := s.view.Find(silent.Addr()); v.Explore != "" {
			t.Fatal("a prefix without traffic was tried")
		}
	}
}

// A prefix with more traffic than may be on trial is never tried.
func TestHeavyPrefixIsNotTried(t *testing.T) {
	s := newSimulation(t, newEarth(3, 300, 0.15))
	c := &s.clients[0]
	s.total += s.total*0.03 - c.weight
	c.weight = s.total * 0.03
	for range 40 {
		s.step()
		if v, _ := s.view.Find(c.prefix.Addr()); v.Explore != "" {
			t.Fatal("3 % of the traffic were on trial")
		}
	}
}

// Clients that are 5 ms from Frankfurt cannot be nearer to Sydney: light needs
// longer.
func TestImpossibleIsNotTried(t *testing.T) {
	world := World{Map: testMap(), Prior: func(netip.Prefix) []Guess {
		return []Guess{{Edge: "fra"}, {Edge: "syd"}, {Edge: "nyc"}}
	}}
	now := time.Unix(1_800_000_000, 0)
	b, err := New(Config{Explore: 1, Cap: 1, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	b.SetMap(world.Map)
	samples := crowd(50, now)
	tried := 0
	for epoch := range 60 {
		for i := range samples {
			samples[i].When, samples[i].RTT = now, 5*time.Millisecond
			if i%2 == 1 {
				samples[i].RTT = 300 * time.Millisecond
			}
		}
		b.Add("fra", samples)
		now = now.Add(DefaultEpoch)
		i := 0
		for v := range b.Freeze(world).All() {
			if v.Explore != "" && i%2 == 0 {
				t.Fatalf("epoch %d: %s is tried for clients at 5 ms from fra", epoch, v.Explore)
			}
			if v.Explore != "" {
				tried++
			}
			i++
		}
	}
	if tried == 0 {
		t.Error("nobody was tried for clients that are far from fra")
	}
}

// Each prefix is on trial for one epoch at a time.
func TestTrialsLastOneEpoch(t *testing.T) {
	s := newSimulation(t, newEarth(1, 300, 0.15))
	last := map[netip.Prefix]uint64{}
	for range 60 {
		s.step()
		for v := range s.view.All() {
			if v.Explore == "" {
				continue
			}
			if was, ok := last[v.Prefix]; ok && s.view.Epoch()-was < pause {
				t.Fatalf("%v is on trial again after %d epochs", v.Prefix, s.view.Epoch()-was)
			}
			last[v.Prefix] = s.view.Epoch()
		}
	}
}
