package traffic

import (
	"encoding/binary"
	"net/netip"
)

// A key is a prefix of at most 24 bits of IPv4 or 48 bits of IPv6. Keys are in
// the order of their prefixes, and none is 0:
//
//	1 bit   1 for IPv6
//	48 bits the address
//	6 bits  the length
//	1 bit   1
type key uint64

const (
	isV6        key = 1 << 55
	addressAt       = 7
	lengthAt        = 1
	lengthMask  key = 1<<6 - 1
	addressMask key = 1<<48 - 1
)

func key4(address uint32, bits int) key {
	return key(address)<<(16+addressAt) | key(bits)<<lengthAt | 1
}

func key6(address uint64, bits int) key {
	return isV6 | key(address>>16)<<addressAt | key(bits)<<lengthAt | 1
}

// keyOf is the key of landfall.ClientPrefix, 0 for the zero Addr.
func keyOf(a netip.Addr) key {
	switch {
	case a.Is4() || a.Is4In6():
		b := a.As4()
		return key4(binary.BigEndian.Uint32(b[:])&^0xff, 24)
	case a.Is6():
		b := a.As16()
		return key6(binary.BigEndian.Uint64(b[:]), 48)
	}
	return 0
}

// keyOfPrefix is the key of a valid prefix, or of the longest that has one and
// holds it.
func keyOfPrefix(p netip.Prefix) key {
	if p.Addr().Is4() {
		p = netip.PrefixFrom(p.Addr(), min(p.Bits(), 24)).Masked()
		b := p.Addr().As4()
		return key4(binary.BigEndian.Uint32(b[:]), p.Bits())
	}
	p = netip.PrefixFrom(p.Addr(), min(p.Bits(), 48)).Masked()
	b := p.Addr().As16()
	return key6(binary.BigEndian.Uint64(b[:]), p.Bits())
}

func (k key) prefix() netip.Prefix {
	bits := int(k >> lengthAt & lengthMask)
	address := uint64(k >> addressAt & addressMask)
	if k&isV6 == 0 {
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], uint32(address>>16))
		return netip.PrefixFrom(netip.AddrFrom4(b), bits)
	}
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], address<<16)
	return netip.PrefixFrom(netip.AddrFrom16(b), bits)
}
