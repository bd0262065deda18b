package atlas

import (
	"math/rand/v2"
	"net/netip"
	"slices"
)

// IPv6: allocations from the registries' blocks, with room left behind each of
// them, and parts of some, as /40, /44 and /48. The report of doc.go says that
// 57.4 % of prefixes are parts, and that the average length is 42.5; the rest
// is chosen so that both come about.
const (
	routes6      = 122_385
	allocations6 = 0.426 // of the prefixes
	single6      = 0.44  // the share of allocations that are one /48; the others are /32
	parted6      = 0.54  // the share of the others with parts
	parts6       = 8     // how many at most
	room6        = 8     // an allocation begins at each eighth /32 at most
	neighbour6   = 0.5   // the share of allocations in the same country as the one before
	abroad6      = 0.2   // the share of parts anywhere; the others are in a city of the allocation's country
)

// registry is where a registry allocates from (IANA IPv6 Global Unicast
// Address Assignments), and for which continents.
type registry struct {
	first      byte // of the addresses' octets
	continents []string
	share      float64
}

func registries() []registry {
	return []registry{
		{0x24, []string{"AS", "OC"}, 0.22},
		{0x26, []string{"NA"}, 0.20},
		{0x28, []string{"SA"}, 0.14},
		{0x2a, []string{"EU"}, 0.40},
		{0x2c, []string{"AF"}, 0.04},
	}
}

// allocate makes the leaves of IPv6. A part is nested in its allocation: the
// longer one is right.
func allocate(r *rand.Rand, e *earth) []Leaf {
	var out []Leaf
	for _, reg := range registries() {
		country := 0
		for i := range int(reg.share * allocations6 * scale * routes6) {
			if i == 0 || r.Float64() > neighbour6 {
				country = e.drawCountry(r, reg.continents[r.IntN(len(reg.continents))])
			}
			n := uint32(i * room6)
			a := [16]byte{reg.first, byte(n >> 16), byte(n >> 8), byte(n)}
			bits := 32
			if r.Float64() < single6 {
				bits = 48
			}
			out = append(out, Leaf{netip.PrefixFrom(netip.AddrFrom16(a), bits), e.drawCity(r, country)})
			if bits == 32 && r.Float64() < parted6 {
				out = append(out, parts(r, e, a, country)...)
			}
		}
	}
	slices.SortFunc(out, func(a, b Leaf) int { return a.Prefix.Compare(b.Prefix) })
	return slices.CompactFunc(out, func(a, b Leaf) bool { return a.Prefix == b.Prefix })
}

func parts(r *rand.Rand, e *earth, a [16]byte, country int) []Leaf {
	var out []Leaf
	for range 1 + r.IntN(parts6) {
		bits := []int{40, 44, 48, 48}[r.IntN(4)]
		a[4], a[5] = byte(r.IntN(256)), byte(r.IntN(256))
		in := country
		if r.Float64() < abroad6 {
			in = e.drawCountry(r, "")
		}
		out = append(out, Leaf{netip.PrefixFrom(netip.AddrFrom16(a), bits).Masked(), e.drawCity(r, in)})
	}
	return out
}
