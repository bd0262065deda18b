package measure

import (
	"math"
	"net/netip"
	"os"
	"testing"
	"time"

	"landfall"
)

const epochsOfDay = int(24 * time.Hour / DefaultEpoch)

// size is that of a simulated world: small, or as in what we promise.
func size() (seeds uint64, prefixes, epochs int) {
	switch {
	case os.Getenv("LANDFALL_SOAK") != "":
		return 3, 20_000, epochsOfDay
	case testing.Short():
		return 1, 500, 72
	}
	return 3, 600, 84
}

// some is the size of one in which less has to be learnt.
func some() (prefixes, epochs int) {
	if os.Getenv("LANDFALL_SOAK") != "" {
		return 20_000, epochsOfDay / 2
	}
	return 300, 60
}

// In a world in which geography has the wrong edge for 15 % of the prefixes,
// nearly all traffic finds its truly best edge, and on the way it is in no
// epoch worse than with geography alone, but for the trials.
func TestLearnsTheWorld(t *testing.T) {
	seeds, prefixes, epochs := size()
	for seed := range seeds {
		s := newSimulation(t, newEarth(seed, prefixes, 0.15))
		s.run(epochs)
		tail := epochs / 5
		best, excess := s.mean(tail, func(f figures) float64 { return f.best }), s.mean(tail, func(f figures) float64 { return f.excess })
		worst := s.most(func(f figures) float64 { return f.excess - f.regret - f.geo })
		trials, tried := s.most(func(f figures) float64 { return f.trials }), s.most(func(f figures) float64 { return f.tried })
		flips, learnt := 0.0, 0
		for i, f := range s.all {
			flips += float64(f.flips) / float64(prefixes)
			if learnt == 0 && f.best >= 0.97 {
				learnt = i
			}
		}
		t.Logf("measured world: seed=%d prefixes=%d epochs=%d best=%.4f within_margin=%.4f excess_ms=%.3f geography_best=%.4f geography_excess_ms=%.3f epochs_to_97=%d worse_than_geography_ms=%.4f trials_traffic_max=%.4f trials_prefixes_max=%.4f trials_cost_ms=%.3f trials_cost_late_ms=%.3f flips_per_prefix=%.4f",
			seed, prefixes, epochs, best, s.mean(tail, func(f figures) float64 { return f.near }), excess, s.all[0].best, s.all[0].excess, learnt, worst, trials, tried,
			s.mean(len(s.all), func(f figures) float64 { return f.regret }), s.mean(tail, func(f figures) float64 { return f.regret }), flips)
		if best < 0.97 || excess > 3 {
			t.Errorf("seed %d: %.4f of the traffic on the best edge, %.2f ms above it", seed, best, excess)
		}
		if worst > 0.05 {
			t.Errorf("seed %d: %.3f ms worse than geography alone, besides trials", seed, worst)
		}
		if trials > 0.02 || tried > 0.02+1e-9 {
			t.Errorf("seed %d: %.4f of the traffic and %.4f of the prefixes on trial", seed, trials, tried)
		}
		if days := math.Ceil(float64(epochs) / float64(epochsOfDay)); flips > days/2 {
			t.Errorf("seed %d: %.2f changes per prefix in %v days", seed, flips, days)
		}
	}
}

// An edge that says it is near everybody draws no more of the traffic to
// itself than it may, and gets there slowly.
func TestLiarDrawsLittle(t *testing.T) {
	if testing.Short() {
		t.Skip("a world of full size")
	}
	prefixes, epochs := some()
	for name, lie := range map[string]func(*client) time.Duration{
		"a millisecond": func(*client) time.Duration { return time.Millisecond },
		"what is possible": func(c *client) time.Duration {
			for _, g := range c.guess {
				if g.Edge == "syd" {
					return g.Fastest + time.Millisecond
				}
			}
			return time.Second
		},
		"a little less than the nearest should have": func(c *client) time.Duration { return c.guess[0].RTT * 8 / 10 },
		"what the second should have":                func(c *client) time.Duration { return c.guess[1].RTT * 8 / 10 },
	} {
		s := newSimulation(t, newEarth(4, prefixes, 0.15))
		const liar = 5
		s.lies[liar] = lie
		s.run(epochs)
		drawn := func(f figures) float64 { return f.serves[liar] - f.geoServe[liar] }
		growth := 0.0
		for i := 1; i < len(s.all); i++ {
			growth = max(growth, drawn(s.all[i])-drawn(s.all[i-1]))
		}
		stats := s.book.Stats()
		t.Logf("liar who says %s: drawn_max=%.4f drawn_by_half_max=%.4f growth_max=%.4f geography=%.4f withheld=%d contradicted=%d best=%.4f excess_ms=%.2f geography_excess_ms=%.2f", name, s.most(drawn), s.most(func(f figures) float64 { return f.shares[liar] - f.geoShare[liar] }), growth, s.all[0].geoServe[liar],
			stats.Withheld, stats.Contradicted, s.mean(10, func(f figures) float64 { return f.best }), s.mean(10, func(f figures) float64 { return f.excess }), s.mean(10, func(f figures) float64 { return f.geo }))
		if got := s.most(drawn); got > float64(DefaultCap)+1e-9 {
			t.Errorf("%s: the liar drew %.4f", name, got)
		}
		if got := s.most(func(f figures) float64 { return f.shares[liar] - f.geoShare[liar] }); got > float64(DefaultCap)+1e-9 {
			t.Errorf("%s: the liar drew %.4f where half of all take the second address", name, got)
		}
		if growth > float64(DefaultStep)+float64(DefaultExplore)+1e-9 {
			t.Errorf("%s: the liar drew %.4f more in one epoch", name, growth)
		}
	}
}

// An edge that measures nonsense loses its own clients, and nobody else's.
func TestBrokenEdgeLosesItsOwn(t *testing.T) {
	prefixes, epochs := some()
	s, sound := newSimulation(t, newEarth(5, prefixes, 0.15)), newSimulation(t, newEarth(5, prefixes, 0.15))
	const broken = 2
	s.lies[broken] = func(*client) time.Duration { return 5 * time.Second }
	s.run(epochs)
	sound.run(epochs)
	f, want := s.all[epochs-1], sound.all[epochs-1]
	for edge, part := range f.serves {
		t.Logf("%s serves %.4f, %.4f if nothing were broken", s.m.Nodes[edge].ID, part, want.serves[edge])
		if edge != broken && part < want.serves[edge]-0.02 {
			t.Errorf("%s lost %.4f of the traffic to an edge that measures nonsense", s.m.Nodes[edge].ID, want.serves[edge]-part)
		}
	}
	if f.serves[broken] > want.serves[broken] {
		t.Errorf("the broken edge gained: %.4f, was %.4f", f.serves[broken], want.serves[broken])
	}
}

// When the way to an edge becomes long, its clients leave it, and when it is
// short again they come back.
func TestFollowsTheNetwork(t *testing.T) {
	prefixes, epochs := some()
	s := newSimulation(t, newEarth(6, prefixes, 0.15))
	const edge = 0
	s.run(epochs)
	moved := 0.0
	for i := range s.clients {
		if c := &s.clients[i]; i%20 == 0 && s.lead[i] == edge {
			c.base[edge] += 150
			moved += c.weight / s.total
		}
	}
	s.run(epochs)
	best := s.mean(10, func(f figures) float64 { return f.best })
	t.Logf("a way got longer for %.4f of the traffic: best=%.4f", moved, best)
	if best < 0.97 {
		t.Errorf("%.4f of the traffic is on the best edge after ways got longer", best)
	}
	for i := range s.clients {
		if c := &s.clients[i]; c.base[edge] > 150+5 && i%20 == 0 {
			c.base[edge] = max(c.base[edge]-150, 1)
		}
	}
	s.run(2 * epochs)
	if best = s.mean(10, func(f figures) float64 { return f.best }); best < 0.96 {
		t.Errorf("%.4f of the traffic is on the best edge after they got shorter", best)
	}
	t.Logf("and shorter again: best=%.4f excess_ms=%.3f", best, s.mean(10, func(f figures) float64 { return f.excess }))
}

// What is not believed is not passed on as if it were.
func TestDoubtedEstimatesAreNotFresh(t *testing.T) {
	s := start(t, all(), "fra", "nyc", "syd")
	s.epochs(5, said{"fra": 90, "nyc": 40})
	s.epochs(1, said{"fra": 90, "nyc": 40, "syd": 1})
	for _, e := range s.verdict().Estimates {
		if !e.Enough || e.Fresh != (e.Edge != "syd") {
			t.Errorf("%+v, though clients at 40 ms from nyc are not at 1 ms from syd", e)
		}
	}
}

// Others go by an estimate that has an edge nearer than geography does only
// once the edge leads the prefix, by leave of the cap.
func TestClaimsAreNotFreshUntilGranted(t *testing.T) {
	fresh := func(s *story, edge landfall.NodeID) bool {
		for _, e := range s.verdict().Estimates {
			if e.Edge == edge {
				if !e.Enough {
					t.Errorf("%+v is not enough", e)
				}
				return e.Fresh
			}
		}
		t.Errorf("nothing of %s", edge)
		return false
	}
	said := said{"fra": 90, "nyc": 40} // geography: 20 and 50
	s := start(t, all(), "fra", "nyc", "syd")
	for epoch := range patience + 1 {
		s.epochs(1, said)
		if granted := epoch+1 >= patience; fresh(s, "nyc") != granted || fresh(s, "fra") != granted {
			t.Errorf("epoch %d: nyc %v, fra %v", epoch, fresh(s, "nyc"), fresh(s, "fra"))
		}
	}
	s = start(t, Config{Cap: 1e-3, Explore: -1}, "fra", "nyc", "syd")
	if s.epochs(10, said); fresh(s, "nyc") || fresh(s, "fra") {
		t.Error("a claim that is withheld counts, or makes its rival far")
	}
	said["fra"], said["nyc"] = 43, 40
	s = start(t, all(), "fra", "nyc", "syd")
	if s.epochs(10, said); fresh(s, "nyc") {
		t.Error("nyc is too little nearer to take the lead, and would take it of all resolvers")
	}
	said["nyc"] = 50
	if s.epochs(10, said); !fresh(s, "nyc") {
		t.Error("nyc is as far as geography has it, and is not heard")
	}
}

// Before any query was counted, all prefixes weigh the same, and a liar is
// held back as ever.
func TestNothingCountedYet(t *testing.T) {
	prefixes, epochs := some()
	s := newSimulation(t, newEarth(4, prefixes, 0.15))
	s.weight = func(netip.Prefix) float64 { return 0 }
	const liar = 5
	s.lies[liar] = func(*client) time.Duration { return time.Millisecond }
	s.run(epochs)
	led, nearest := 0, 0
	for i, c := range s.clients {
		if s.lead[i] == liar {
			led++
		}
		if c.rank[0] == liar {
			nearest++
		}
	}
	if gained := float64(led-nearest) / float64(prefixes); gained > float64(DefaultCap) {
		t.Errorf("the liar drew %.3f of the prefixes", gained)
	}
}
