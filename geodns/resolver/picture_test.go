package resolver

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"testing"

	"landfall"
)

func net24(a, b int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{198, byte(a), byte(b), 0}), 24)
}

// seen makes a picture of fetches, as many of each network by each edge.
func seen(edges map[landfall.NodeID]int, networks int) *picture {
	p := &picture{}
	for _, e := range []landfall.NodeID{"fra1", "nyc1", "sin1", "liar"} {
		for n := range edges[e] {
			p.add(net24(0, n%networks), e, 1, 0.5)
		}
	}
	return p
}

func byPart(shares []Share, part func(netip.Prefix) bool) (sum float64) {
	for _, s := range shares {
		if part(s.Prefix) {
			sum += s.Weight
		}
	}
	return sum
}

func TestPictureNeedsEnough(t *testing.T) {
	honest := map[landfall.NodeID]int{"fra1": 20, "nyc1": 20, "sin1": 20}
	for _, c := range []struct {
		name     string
		edges    map[landfall.NodeID]int
		networks int
		ok       bool
	}{
		{"many fetches of many networks", honest, 6, true},
		{"four networks", honest, 4, true},
		{"three networks", honest, 3, false},
		{"one network", honest, 1, false},
		{"two edges", map[landfall.NodeID]int{"fra1": 20, "nyc1": 20}, 5, true},
		{"one edge", map[landfall.NodeID]int{"fra1": 60}, 6, false},
		{"few fetches", map[landfall.NodeID]int{"fra1": 2, "nyc1": 2, "sin1": 2}, 6, false},
		{"nothing", nil, 1, false},
	} {
		shares, total, ok := seen(c.edges, c.networks).clients()
		if ok != c.ok {
			t.Errorf("%s: %v, want %v", c.name, ok, c.ok)
		}
		if sum := byPart(shares, func(netip.Prefix) bool { return true }); ok && (math.Abs(sum-1) > 1e-9 || total < enough) {
			t.Errorf("%s: parts of %g, %g in total", c.name, sum, total)
		}
	}
}

// One network fetches a hundred times as much as the others together.
func TestOneNetworkIsACappedPart(t *testing.T) {
	p := seen(map[landfall.NodeID]int{"fra1": 20, "nyc1": 20, "sin1": 20}, 6)
	for i := range 6000 {
		p.add(net24(99, 0), three[i%3], 1, 0.5)
	}
	shares, _, ok := p.clients()
	if !ok {
		t.Fatal("the flood took the picture away")
	}
	if part := byPart(shares, func(p netip.Prefix) bool { return p == net24(99, 0) }); math.Abs(part-ofNetwork) > 0.001 {
		t.Errorf("the network is %.3f of the picture, want %g", part, ofNetwork)
	}
}

// An edge that lies reports a hundred times as much as the others, of
// thousands of networks.
func TestLyingEdgeIsACappedPart(t *testing.T) {
	for _, honest := range []map[landfall.NodeID]int{
		{"fra1": 40, "nyc1": 40, "sin1": 40},
		{"fra1": 40, "nyc1": 40},
		{"fra1": 60},
	} {
		p := seen(honest, 6)
		rng := rand.New(rand.NewPCG(11, 12))
		for range 10_000 {
			p.add(net24(100+rng.IntN(20), rng.IntN(256)), "liar", 1, rng.Float64())
		}
		shares, _, ok := p.clients()
		lies := byPart(shares, func(p netip.Prefix) bool { return p.Addr().As4()[1] >= 100 })
		limit := ofEdge
		if len(honest) == 1 {
			limit = ofPair
		}
		if !ok || lies > limit+0.001 {
			t.Errorf("beside %d honest edges the lies are %.3f of the picture, want %g at most (%v)", len(honest), lies, limit, ok)
		}
	}
}

func TestPartsAreLevelled(t *testing.T) {
	rng := rand.New(rand.NewPCG(13, 14))
	for range 5000 {
		weights := make([]float64, 1+rng.IntN(20))
		for i := range weights {
			weights[i] = math.Exp(4 * rng.NormFloat64())
		}
		part := 0.05 + 0.5*rng.Float64()
		limit := level(weights, part)
		sum, top, cut := 0.0, 0.0, false
		for _, w := range weights {
			sum, top, cut = sum+min(w, limit), max(top, min(w, limit)), cut || w > limit
		}
		few := part*float64(len(weights)) < 1
		switch {
		case few && limit != 0:
			t.Fatalf("%d weights cannot each be %g of all, yet the limit is %g", len(weights), part, limit)
		case !few && (sum <= 0 || top > part*sum*(1+1e-6)):
			t.Fatalf("one is %g of %g, want %g at most: %v", top, sum, part, weights)
		case !few && cut && top < part*sum*(1-1e-6):
			t.Fatalf("cut to %g of %g, though %g is allowed: %v", top, sum, part, weights)
		}
	}
	if l := level(nil, 0.5); l != 0 {
		t.Errorf("the level of nothing is %g", l)
	}
}

// A carrier with more networks than there are cells: what is known is a sample
// that is right on average, and those with many clients stay.
func TestPictureOfManyNetworksIsRightOnAverage(t *testing.T) {
	rng := rand.New(rand.NewPCG(15, 16))
	east := 0.0
	const rounds = 10
	for range rounds {
		p := &picture{}
		for range 3000 {
			a := 10
			if rng.IntN(10) < 3 {
				a = 20
			}
			p.add(net24(a, rng.IntN(256)), three[rng.IntN(3)], 1, rng.Float64())
		}
		if len(p.cells) != maxCells || math.Abs(p.total-3000) > 1e-6 {
			t.Fatalf("%d cells, a total of %g", len(p.cells), p.total)
		}
		shares, _, ok := p.clients()
		if !ok {
			t.Fatal("nothing is known")
		}
		east += byPart(shares, func(p netip.Prefix) bool { return p.Addr().As4()[1] == 20 })
	}
	if got := east / rounds; math.Abs(got-0.3) > 0.05 {
		t.Errorf("%.3f of the clients are in the east, want 0.3", got)
	}
}

func TestPictureDoesNotDependOnTheOrderOfEvents(t *testing.T) {
	a, b := seen(map[landfall.NodeID]int{"fra1": 20, "nyc1": 20, "sin1": 20}, 6), &picture{}
	for i := range a.cells {
		c := a.cells[len(a.cells)-1-i]
		b.add(c.client, c.edge, c.weight, 0.5)
	}
	x, _, _ := a.clients()
	y, _, _ := b.clients()
	if fmt.Sprint(x) != fmt.Sprint(y) {
		t.Errorf("%v and %v", x, y)
	}
}
