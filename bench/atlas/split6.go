package atlas

import (
	"math/rand/v2"
	"net/netip"
	"slices"
)

// IPv6: allocations of /32 from the registries' blocks, some of them with
// parts elsewhere, as /36, /40 and /48.
const (
	allocations6 = 24_000
	parted6      = 0.15 // the share of allocations with parts elsewhere
	parts6       = 6    // how many at most
)

// registry is where a registry allocates from (IANA IPv6 Global Unicast
// Address Assignments), and for which continents.
type registry struct {
	block      byte // the second octet of its /12
	first      byte
	continents []string
	share      float64
}

func registries() []registry {
	return []registry{
		{first: 0x24, block: 0x00, continents: []string{"AS", "OC"}, share: 0.22},
		{first: 0x26, block: 0x00, continents: []string{"NA"}, share: 0.20},
		{first: 0x28, block: 0x00, continents: []string{"SA"}, share: 0.14},
		{first: 0x2a, block: 0x00, continents: []string{"EU"}, share: 0.40},
		{first: 0x2c, block: 0x00, continents: []string{"AF"}, share: 0.04},
	}
}

// allocate makes the leaves of IPv6. A part is nested in its allocation: the
// longer one is right.
func allocate(r *rand.Rand, e *earth) []Leaf {
	var out []Leaf
	for _, reg := range registries() {
		used := map[uint32]bool{}
		for range int(reg.share * allocations6) {
			n := r.Uint32N(1 << 15) // the lower half: allocations lie together
			if used[n] {
				continue
			}
			used[n] = true
			c := e.drawCity(r, e.drawCountry(r, reg.continents[r.IntN(len(reg.continents))]))
			a := [16]byte{reg.first, reg.block | byte(n>>16), byte(n >> 8), byte(n)}
			out = append(out, Leaf{netip.PrefixFrom(netip.AddrFrom16(a), 32), c})
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
