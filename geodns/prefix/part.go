package prefix

import (
	"math/bits"
	"net/netip"
)

// Halves are the two prefixes that a masked one consists of. One that is not
// valid, or holds a single address, has none: both are the zero Prefix.
func Halves(p netip.Prefix) (left, right netip.Prefix) {
	n := p.Bits() + 1
	switch {
	case !p.IsValid() || p.IsSingleIP():
		return netip.Prefix{}, netip.Prefix{}
	case p.Addr().Is4():
		right = fourOf(p.Addr()).after(n).prefix(n)
	default:
		right = sixOf(p.Addr()).after(n).prefix(n)
	}
	return netip.PrefixFrom(p.Addr(), n), right
}

// Last is the last address of a prefix; of one that is not valid, the zero
// Addr.
func Last(p netip.Prefix) netip.Addr {
	switch {
	case !p.IsValid():
		return netip.Addr{}
	case p.Addr().Is4():
		return (fourOf(p.Addr()).after(p.Bits()) - 1).addr()
	}
	after := sixOf(p.Addr()).after(p.Bits())
	lo, borrow := bits.Sub64(after.lo, 1, 0)
	return six{after.hi - borrow, lo}.addr()
}
