package atlas

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"

	"landfall"
)

// Leaf is a prefix of the database with one place.
type Leaf struct {
	Prefix netip.Prefix
	city   int // nowhere: not in the database
}

// World is one address space, with the edges of a network.
type World struct {
	Seed   uint64
	IPv4   []Leaf // disjoint and in order; all unicast space
	IPv6   []Leaf // in order, nested; the longest is right
	Edges  []Edge
	earth  *earth
	ranked [][]int // by city: the indices of all edges, the nearest first
	home   []int   // the same for home
}

// New makes the world of a seed.
func New(seed uint64) (*World, error) {
	e, err := readEarth()
	if err != nil {
		return nil, err
	}
	w := &World{Seed: seed, Edges: edges(), earth: e}
	s := &splitter{rand: rand.New(rand.NewPCG(seed, 4)), earth: e}
	s.run()
	w.IPv4 = s.leaves
	w.tell(rand.New(rand.NewPCG(seed, 5)))
	w.IPv6 = allocate(rand.New(rand.NewPCG(seed, 6)), e)
	for _, c := range e.cities {
		w.ranked = append(w.ranked, rank(w.Edges, c.place))
	}
	w.home = rank(w.Edges, w.Edges[0].Place)
	return w, nil
}

// tell makes siblings differ where they do not: a database would join them,
// and the leaves would be fewer and shorter than the lengths say.
func (w *World) tell(r *rand.Rand) {
	for i := 1; i < len(w.IPv4); i++ {
		a, b := &w.IPv4[i-1], &w.IPv4[i]
		parent, _ := a.Prefix.Addr().Prefix(a.Prefix.Bits() - 1)
		if a.Prefix.Bits() != b.Prefix.Bits() || !parent.Contains(b.Prefix.Addr()) || a.city == nowhere {
			continue
		}
		if a.city == b.city {
			b.city = w.earth.drawNear(r, a.city)
		}
	}
}

// Location is what the database says about a leaf.
func (w *World) Location(l Leaf) landfall.Location {
	if l.city == nowhere {
		return landfall.Location{}
	}
	city := w.earth.cities[l.city]
	country := w.earth.countries[city.country]
	return landfall.Location{Known: true, Place: city.place, Country: country.code, Continent: country.continent, City: city.name}
}

// Nearest is the index of the edge that is best for a leaf: for a place that
// nobody knows, the home region's, which is the first.
func (w *World) Nearest(l Leaf) int { return w.Ranked(l)[0] }

// Ranked are the indices of all edges for a leaf, the best first: for a place
// that nobody knows as for home.
func (w *World) Ranked(l Leaf) []int {
	if l.city == nowhere {
		return w.home
	}
	return w.ranked[l.city]
}

// rank orders edges by their distance from a place.
func rank(edges []Edge, p landfall.Place) []int {
	var out []int
	for i := range edges {
		out = append(out, i)
	}
	slices.SortStableFunc(out, func(a, b int) int {
		return cmp.Compare(p.Distance(edges[a].Place), p.Distance(edges[b].Place))
	})
	return out
}

// Clients are the /24s of IPv4, by their first 24 bits: those whose first
// address has a place, and those of which nobody knows.
func (w *World) Clients() (placed, unplaced []uint32) {
	for _, l := range w.IPv4 {
		out := &placed
		if l.city == nowhere {
			out = &unplaced
		}
		first := uint32(index24(l.Prefix.Addr()))
		if b := l.Prefix.Addr().As4(); b[3] != 0 {
			continue // what counts is the first address
		}
		for i := first; i < first+1<<(24-min(l.Prefix.Bits(), 24)); i++ {
			*out = append(*out, i)
		}
	}
	return placed, unplaced
}

// Places calls f for each city of the database with its nearest edge.
func (w *World) Places(f func(country, city string, edge int)) {
	for i, c := range w.earth.cities {
		f(w.earth.countries[c.country].code, c.name, w.ranked[i][0])
	}
}

// Truth is for each /24, by its first 24 bits, the edge nearest to its first
// address: a name server that is asked for a /24 knows no other.
type Truth []uint8

// Truth looks at every /24 of IPv4, and finds for each the smallest prefix
// that a resolver keeps for it, if all it keeps are prefixes in which nobody
// would be told another edge, and /24s: by the first 24 bits of that prefix.
func (w *World) Truth() (edge Truth, kept []uint32) {
	edge, kept = make(Truth, 1<<24), make([]uint32, 1<<24)
	oracle := NewOracle(w, w.Nearest, w.Nearest(Nowhere()))
	for i := 0; i < len(edge); {
		label, bits := oracle.Ask(addr4(uint32(i) << 8))
		first := i
		for ; i < first+1<<(24-min(bits, 24)); i++ {
			edge[i], kept[i] = uint8(label), uint32(first)
		}
	}
	return edge, kept
}

func index24(a netip.Addr) int {
	b := a.As4()
	return int(b[0])<<16 | int(b[1])<<8 | int(b[2])
}

// Census counts a world, to hold beside the database it imitates.
type Census struct {
	Leaves, Countries, Continents int     // prefixes with a place; ranges of addresses of one country, of one continent
	Regions, RegionRanges         int     // the smallest set of prefixes and of ranges for three regions
	Joined                        int     // the same prefixes, if what nobody knows may join a neighbour
	Leaves6, Parts6               int     // prefixes, and those of them inside another
	Bits6                         float64 // their average length
	Known                         float64 // the share of unicast IPv4 that has a place
}

// Census counts.
func (w *World) Census() Census {
	c := census6(w.IPv6)
	regions := map[string]int{"": 0, "EU": 1, "AF": 1, "NA": 2, "SA": 2, "AS": 3, "OC": 3}
	var last landfall.Location
	var tree, joined []regionLeaf
	all, known := 0.0, 0.0
	for i, l := range w.IPv4 {
		loc := w.Location(l)
		size := float64(int(1) << (32 - l.Prefix.Bits()))
		if all += size; loc.Known {
			c.Leaves++
			known += size
		}
		if i == 0 || loc.Country != last.Country {
			c.Countries++
		}
		if i == 0 || loc.Continent != last.Continent {
			c.Continents++
		}
		if i == 0 || regions[loc.Continent] != regions[last.Continent] {
			c.RegionRanges++
		}
		last = loc
		tree = join(tree, regionLeaf{l.Prefix, regions[loc.Continent]}, false)
		joined = join(joined, regionLeaf{l.Prefix, regions[loc.Continent]}, true)
	}
	c.Known, c.Regions, c.Joined = known/all, len(tree), len(joined)
	return c
}

// census6 counts IPv6.
func census6(leaves []Leaf) Census {
	c, around := Census{Leaves6: len(leaves)}, netip.Prefix{}
	for _, l := range leaves {
		c.Bits6 += float64(l.Prefix.Bits()) / float64(len(leaves))
		if around.IsValid() && around.Contains(l.Prefix.Addr()) {
			c.Parts6++
			continue
		}
		around = l.Prefix
	}
	return c
}

// String is a line for a table.
func (c Census) String() string {
	return fmt.Sprintf("%d leaves, %d ranges by country, %d by continent, %d prefixes (joined %d) and %d ranges for 3 regions, %.1f %% known; IPv6: %d, %.1f %% parts, average /%.1f",
		c.Leaves, c.Countries, c.Continents, c.Regions, c.Joined, c.RegionRanges, 100*c.Known, c.Leaves6, 100*float64(c.Parts6)/float64(c.Leaves6), c.Bits6)
}

type regionLeaf struct {
	prefix netip.Prefix
	region int
}

// join appends a leaf, and joins siblings that are the same; if free, also
// what nobody knows, region 0, with whatever is beside it.
func join(out []regionLeaf, l regionLeaf, free bool) []regionLeaf {
	for n := len(out); n > 0 && l.prefix.Bits() > 0; n-- {
		last := out[n-1]
		parent, err := last.prefix.Addr().Prefix(l.prefix.Bits() - 1)
		if err != nil || last.prefix.Bits() != l.prefix.Bits() || !parent.Contains(l.prefix.Addr()) ||
			last.region != l.region && !(free && last.region*l.region == 0) {
			break
		}
		l, out = regionLeaf{parent, max(last.region, l.region)}, out[:n-1]
	}
	return append(out, l)
}

// Nowhere is a leaf of addresses that nobody knows.
func Nowhere() Leaf { return Leaf{city: nowhere} }

// Edge is the index of the edge with an address; -1 if there is none.
func (w *World) Edge(addr netip.Addr) int {
	return slices.IndexFunc(w.Edges, func(e Edge) bool { return e.Addr == addr })
}

// Last is the last address of a prefix.
func Last(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for bit := p.Bits(); bit < 8*len(b); bit++ {
		b[bit/8] |= 0x80 >> (bit % 8)
	}
	last, _ := netip.AddrFromSlice(b)
	return last
}
