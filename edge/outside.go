package edge

import (
	"net/netip"
	"slices"

	"landfall"
)

// outside tells, behind 1:1 NAT, which address clients have come to by the
// one that is bound: that of the same place in the map if there are as many,
// else the first of its family.
func outside(n landfall.Node) map[netip.Addr]netip.Addr {
	known := make(map[netip.Addr]netip.Addr)
	for i, b := range n.Bound {
		if len(n.Bound) == len(n.Advertised) {
			known[b] = n.Advertised[i]
		} else if j := slices.IndexFunc(n.Advertised, func(a netip.Addr) bool { return a.Is4() == b.Is4() }); j >= 0 {
			known[b] = n.Advertised[j]
		}
	}
	return known
}

// public is the address that a client connected to, as clients know it.
func (v *view) public(local netip.AddrPort) netip.AddrPort {
	if a, ok := v.outside[local.Addr().Unmap()]; ok {
		return netip.AddrPortFrom(a, local.Port())
	}
	return local
}
