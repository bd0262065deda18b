package budget_test

import (
	"math"
	"math/rand/v2"
	"net/netip"
	"os"
	"slices"
	"testing"

	"landfall"
	"landfall/geodns/budget"
	"landfall/geodns/prefix"
)

// country is where a part of the clients is.
type country struct {
	continent int
	place     landfall.Place
}

// continent says where its countries lie, and its share of address space.
type continent struct {
	middle landfall.Place
	spread float64 // degrees
	n      int     // countries
	share  float64
	region uint32 // of three
}

func continents() []continent {
	return []continent{
		{landfall.Place{Lat: 40, Lon: -95}, 16, 12, 0.45, 0},
		{landfall.Place{Lat: 49, Lon: 12}, 12, 40, 0.22, 1},
		{landfall.Place{Lat: 28, Lon: 108}, 18, 25, 0.23, 2},
		{landfall.Place{Lat: -15, Lon: -60}, 14, 18, 0.05, 0},
		{landfall.Place{Lat: 5, Lon: 20}, 18, 30, 0.03, 1},
		{landfall.Place{Lat: -28, Lon: 145}, 8, 5, 0.02, 2},
	}
}

// world says which country has which prefix: the longest is right, and 0 is
// nobody. It has the structure of real address space: registries hand blocks
// to countries of their continent, some were handed out before there were
// registries, and small parts are used elsewhere.
type world struct {
	r         *rand.Rand
	countries []country // from 1 on
	leaves    []prefix.Leaf
}

func newWorld(seed uint64) *world {
	w := &world{r: rand.New(rand.NewPCG(seed, 7)), countries: make([]country, 1)}
	for i, c := range continents() {
		for range c.n {
			w.countries = append(w.countries, country{i, landfall.Place{
				Lat: c.middle.Lat + w.r.NormFloat64()*c.spread/2,
				Lon: c.middle.Lon + w.r.NormFloat64()*c.spread,
			}})
		}
	}
	for block := range 224 {
		if block != 0 && block != 10 && block != 127 {
			p := netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(block)}), 8)
			w.registry(p, w.somewhere(), block >= 128 && block < 192)
		}
	}
	return w
}

// registry hands out the parts of a block.
func (w *world) registry(p netip.Prefix, continent int, legacy bool) {
	if bits := p.Bits(); bits >= 13 && (legacy && w.r.IntN(4) == 0 || w.r.IntN(40) == 0) {
		continent = w.somewhere()
	}
	splits := []float64{.8, .8, .8, .75, .7, .65, .35, .55, .5, .45, .4, .3}
	if p.Bits() < 10 || p.Bits() < 22 && w.r.Float64() < splits[p.Bits()-10] {
		left, right := prefix.Halves(p)
		w.registry(left, continent, legacy)
		w.registry(right, continent, legacy)
		return
	}
	if w.r.IntN(14) == 0 {
		return
	}
	of := w.someone(continent)
	w.leaves = append(w.leaves, prefix.Leaf{Prefix: p, Label: of})
	w.holes(p, of)
}

// holes are parts of a block that are used in other countries.
func (w *world) holes(p netip.Prefix, of uint32) {
	mean := 0.53 * math.Exp2(0.28*float64(20-p.Bits()))
	for range int(mean * w.r.ExpFloat64()) {
		a := p.Addr().As4()
		for i := range a {
			a[i] |= byte(w.r.Uint32() >> p.Bits() >> (24 - 8*i))
		}
		hole, _ := netip.AddrFrom4(a).Prefix(max(p.Bits()+1, 32-int(5*w.r.ExpFloat64())))
		to := w.someone(w.countries[of].continent)
		if w.r.IntN(3) == 0 {
			to = w.someone(w.somewhere())
		}
		w.leaves = append(w.leaves, prefix.Leaf{Prefix: hole, Label: to})
	}
}

// somewhere picks a continent by its share.
func (w *world) somewhere() int {
	x := w.r.Float64()
	for i, c := range continents() {
		if x -= c.share; x < 0 {
			return i
		}
	}
	return 0
}

// someone picks a country of a continent: the first ones are the largest.
func (w *world) someone(continent int) uint32 {
	first := slices.IndexFunc(w.countries[1:], func(c country) bool { return c.continent == continent })
	n := continents()[continent].n
	return uint32(1 + first + int(float64(n)*math.Pow(w.r.Float64(), 3)))
}

// problem weighs addresses; class says what a country may be told.
func (w *world) problem(class func(country) budget.Class) problem {
	p := problem{classes: []budget.Class{{Also: first(8)}}}
	for _, c := range w.countries[1:] {
		p.classes = append(p.classes, class(c))
	}
	for at, of := range prefix.Build(w.leaves).All() {
		if at.Addr().Is6() {
			break
		}
		p.leaves = append(p.leaves, prefix.Leaf{Prefix: at, Label: of})
		p.weights = append(p.weights, math.Exp2(float64(32-at.Bits())))
		if of == 0 {
			p.weights[len(p.weights)-1] = 0
		}
	}
	return p
}

// regions sends each continent to one of three regions, and anybody anywhere
// else for the budget.
func regions(c country) budget.Class {
	return budget.Class{Label: continents()[c.continent].region, Also: first(3)}
}

// nearest sends each country to the nearest of eight edges, and to any other
// for the budget that is no more than slack kilometres farther.
func nearest(slack float64) func(country) budget.Class {
	places := []landfall.Place{
		{Lat: 50.1, Lon: 8.7}, {Lat: 39.0, Lon: -77.5}, {Lat: 1.35, Lon: 103.8}, {Lat: 37.4, Lon: -122},
		{Lat: 35.7, Lon: 139.7}, {Lat: -23.5, Lon: -46.6}, {Lat: 51.5, Lon: -0.1}, {Lat: -33.9, Lon: 151.2},
	}
	return func(c country) budget.Class {
		out, least := budget.Class{}, math.Inf(1)
		for i, p := range places {
			if d := p.Distance(c.place); d < least {
				out.Label, least = uint32(i), d
			}
		}
		for i, p := range places {
			if uint32(i) != out.Label && p.Distance(c.place)-least <= slack {
				out.Also = append(out.Also, uint32(i))
			}
		}
		return out
	}
}

// pairs tells each country the two nearest edges, and for the budget any two
// of which neither is more than slack kilometres farther: as answers of two
// addresses are.
func pairs(slack float64) func(country) budget.Class {
	one := nearest(slack)
	return func(c country) budget.Class {
		first := one(c)
		fit := append([]uint32{first.Label}, first.Also...)
		out := budget.Class{Label: 8*first.Label + (first.Label+1)%8}
		for _, a := range fit {
			for _, b := range fit {
				if a != b {
					out.Also = append(out.Also, 8*a+b)
				}
			}
		}
		return out
	}
}

// TestThreeRegionsNeedATenthForHalfAPerCent holds the world beside what is
// published for a real table of 178,050 leaves and three regions: 63,696
// prefixes, and with an error of 0.1 % 12,440, of 0.5 % 5,483. Nothing bounds
// here how much farther anybody goes; worse_by does, and leaves less to save.
func TestThreeRegionsNeedATenthForHalfAPerCent(t *testing.T) {
	if testing.Short() {
		t.Skip("a table of full size")
	}
	worlds := uint64(1)
	if os.Getenv("LANDFALL_SOAK") != "" {
		worlds = 3
	}
	for seed := range worlds {
		w := newWorld(seed)
		p := w.problem(regions)
		exact := len(p.reduce(t, 0).Leaves)
		m := p.reduce(t, 0.005)
		t.Logf("seed %d: %d leaves, %d prefixes, %d with 0.1 %%, %d with 0.5 %%", seed, len(p.leaves), exact, len(p.reduce(t, 0.001).Leaves), len(m.Leaves))
		if 10*len(m.Leaves) > exact {
			t.Errorf("seed %d: %d prefixes of %d are more than a tenth", seed, len(m.Leaves), exact)
		}
		p.check(t, m, 0.005)
		for _, slack := range []float64{2000, 5000, 20000} {
			p := w.problem(nearest(slack))
			exact, m := p.reduce(t, 0), p.reduce(t, 0.005)
			p.check(t, m, 0.005)
			t.Logf("seed %d, 8 edges, %v km farther at most: %d prefixes, %d with 0.5 %%", seed, slack, len(exact.Leaves), len(m.Leaves))
		}
	}
}

func BenchmarkReduce(b *testing.B) {
	w := newWorld(1)
	for name, class := range map[string]func(country) budget.Class{"regions": regions, "edges": nearest(2000), "pairs": pairs(20000), "near pairs": pairs(5000)} {
		b.Run(name, func(b *testing.B) {
			p := w.problem(class)
			var m budget.Map
			for b.Loop() {
				m = p.reduce(b, 0.005)
			}
			b.ReportMetric(float64(len(p.leaves)), "leaves")
			b.ReportMetric(float64(len(m.Leaves)), "prefixes")
		})
	}
}
