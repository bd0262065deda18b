package atlas

import (
	"cmp"
	"math/rand/v2"
	"net/netip"
	"slices"
)

// routes is how many prefixes of each length, the first /8, a router had:
// rule_count in app/test/test_lpm_perf.c of DPDK, its three classes together.
var routes = [...]int{
	200, 37, 55, 97, 381, 775, 2104, 3712, 69319, // to /16
	12983, 23667, 69068, 62354, 48531, 72355, 85427, 583898, // to /24
	2654, 5650, 6467, 7127, 12936, 5999, 13, 982, // to /32
}

// scale makes of these routes as many leaves as the database had.
const scale = 178_050. / 1_076_791

// To a hundred leaves longer than /8 come so many in space that nobody knows.
const unknownLeaves = 3

// How alike neighbours are: the share of halves, at /32, that another country
// has than the whole; of these, the share on any continent; and the share of
// the other halves that are in a city near that of the whole.
const (
	otherCountry   = 0.5
	otherContinent = 0.2
	otherCity      = 0.1
)

// nowhere is the city of addresses that nobody knows.
const nowhere = -1

// block is a prefix whose halves may yet differ.
type block struct {
	addr uint32
	city int
	torn float64 // how likely it is to be split: fragments lie together
}

// splitter makes the leaves of IPv4 from the top down.
type splitter struct {
	rand   *rand.Rand
	earth  *earth
	leaves []Leaf
}

// plan4 says how many leaves of each length have a place and how many nobody
// knows, so that after each level exactly as many blocks are left to be split
// as the next one needs.
func plan4() (known, unknown [len(routes)]int) {
	needed := 0 // blocks that the next level needs
	for i := len(routes) - 1; i >= 0; i-- {
		known[i] = int(scale*float64(routes[i]) + 0.5)
		unknown[i] = known[i] * unknownLeaves / 100
		unknown[i] += (known[i] + unknown[i] + needed) % 2
		if i > 0 {
			needed = (known[i] + unknown[i] + needed) / 2
		}
	}
	unknown[0] = len(unicast()) - known[0] - needed
	return known, unknown
}

// unicast are the first octets that the public may have (IANA IPv4 Address
// Space Registry).
func unicast() []uint32 {
	var out []uint32
	for i := uint32(1); i < 224; i++ {
		if i != 10 && i != 127 {
			out = append(out, i)
		}
	}
	return out
}

func (s *splitter) run() {
	known, unknown := plan4()
	var blocks []block
	for _, octet := range unicast() {
		c := s.earth.drawCountry(s.rand, "")
		blocks = append(blocks, block{addr: octet << 24, city: s.earth.drawCity(s.rand, c), torn: s.rand.NormFloat64()})
	}
	for i := range routes {
		slices.SortStableFunc(blocks, func(a, b block) int { return cmp.Compare(a.torn, b.torn) })
		leaves := known[i] + unknown[i]
		s.settle(blocks[:leaves], 8+i, unknown[i])
		blocks = s.split(blocks[leaves:], i)
	}
	slices.SortFunc(s.leaves, func(a, b Leaf) int { return a.Prefix.Addr().Compare(b.Prefix.Addr()) })
}

// settle makes leaves of blocks, so many of which nobody knows.
func (s *splitter) settle(blocks []block, bits, unknown int) {
	s.rand.Shuffle(len(blocks), func(i, j int) { blocks[i], blocks[j] = blocks[j], blocks[i] })
	for i, b := range blocks {
		if i < unknown {
			b.city = nowhere
		}
		s.leaves = append(s.leaves, Leaf{netip.PrefixFrom(addr4(b.addr), bits), b.city})
	}
}

// split halves blocks; the halves are never quite alike in the end, or they
// would be one leaf: see World.tell.
func (s *splitter) split(blocks []block, level int) []block {
	out := make([]block, 0, 2*len(blocks))
	for _, b := range blocks {
		for half := range uint32(2) {
			h := block{addr: b.addr | half<<(23-level), city: b.city, torn: b.torn + 0.8*s.rand.NormFloat64()}
			s.change(&h, small(level))
			out = append(out, h)
		}
	}
	return out
}

// small grows evenly from 0 at /8 to 1 at /32.
func small(level int) float64 { return float64(level+1) / float64(len(routes)-1) }

// change lets a half differ from the whole, the likelier the smaller it is.
func (s *splitter) change(b *block, rate float64) {
	c := s.earth.cities[b.city].country
	switch x := s.rand.Float64(); {
	case x < otherCountry*rate*otherContinent:
		b.city = s.earth.drawCity(s.rand, s.earth.drawCountry(s.rand, ""))
	case x < otherCountry*rate:
		b.city = s.earth.drawCity(s.rand, s.earth.drawCountry(s.rand, s.earth.countries[c].continent))
	case s.rand.Float64() < otherCity:
		b.city = s.earth.drawNear(s.rand, b.city)
	}
}

func addr4(a uint32) netip.Addr {
	return netip.AddrFrom4([4]byte{byte(a >> 24), byte(a >> 16), byte(a >> 8), byte(a)})
}
