package atlas

import (
	"math/rand/v2"
	"net/netip"
	"slices"
)

// IPv6: allocations of /32 from the registries' blocks, with room left behind
// each of them, and some with parts elsewhere, as /36, /40 and /48.
const (
	allocations6 = 24_000
	room6        = 8    // an allocation begins at each eighth /32 at most
	neighbour6   = 0.5  // the share of allocations in the same country as the one before
	parted6      = 0.08 // the share of allocations with parts elsewhere
	parts6       = 4    // how many at most
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
		for i := range int(reg.share * allocations6) {
			if i == 0 || r.Float64() > neighbour6 {
				country = e.drawCountry(r, reg.continents[r.IntN(len(reg.continents))])
			}
			n := uint32(i * room6)
			a := [16]byte{reg.first, byte(n >> 16), byte(n >> 8), byte(n)}
			out = append(out, Leaf{netip.PrefixFrom(netip.AddrFrom16(a), 32), e.drawCity(r, country)})
			if r.Float64() < parted6 {
				out = append(out, parts(r, e, a)...)
			}
		}
	}
	slices.SortFunc(out, func(a, b Leaf) int { return a.Prefix.Compare(b.Prefix) })
	return slices.CompactFunc(out, func(a, b Leaf) bool { return a.Prefix == b.Prefix })
}

func parts(r *rand.Rand, e *earth, a [16]byte) []Leaf {
	var out []Leaf
	for range 1 + r.IntN(parts6) {
		bits := []int{36, 40, 48}[r.IntN(3)]
		a[4], a[5] = byte(r.IntN(256)), byte(r.IntN(256))
		p := netip.PrefixFrom(netip.AddrFrom16(a), bits).Masked()
		out = append(out, Leaf{p, e.drawCity(r, e.drawCountry(r, ""))})
	}
	return out
}
