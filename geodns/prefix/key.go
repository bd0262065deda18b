package prefix

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
)

// key is an address as a number.
type key[K any] interface {
	comparable
	less(K) bool
	next() (k K, ok bool)    // the address after it, if there is one
	prev() (k K, ok bool)    // the address before it, if there is one
	common(K) int            // leading bits that both share
	last(bits int) K         // the last address of the prefix that begins here
	prefix(int) netip.Prefix // of so many bits
}

type four uint32

type six struct{ hi, lo uint64 }

func fourOf(a netip.Addr) four {
	b := a.As4()
	return four(binary.BigEndian.Uint32(b[:]))
}

func sixOf(a netip.Addr) six {
	b := a.As16()
	return six{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
}

func (k four) addr() netip.Addr {
	return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, uint32(k))))
}

func (k six) addr() netip.Addr {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, 16), k.hi)
	return netip.AddrFrom16([16]byte(binary.BigEndian.AppendUint64(b, k.lo)))
}

func (k four) less(l four) bool { return k < l }

func (k six) less(l six) bool { return k.hi < l.hi || k.hi == l.hi && k.lo < l.lo }

func (k four) next() (four, bool) { return k + 1, k+1 != 0 }

func (k six) next() (six, bool) {
	lo, carry := bits.Add64(k.lo, 1, 0)
	hi, over := bits.Add64(k.hi, 0, carry)
	return six{hi, lo}, over == 0
}

func (k four) prev() (four, bool) { return k - 1, k != 0 }

func (k six) prev() (six, bool) {
	lo, borrow := bits.Sub64(k.lo, 1, 0)
	hi, under := bits.Sub64(k.hi, 0, borrow)
	return six{hi, lo}, under == 0
}

func (k four) common(l four) int { return bits.LeadingZeros32(uint32(k ^ l)) }

func (k six) common(l six) int {
	if k.hi != l.hi {
		return bits.LeadingZeros64(k.hi ^ l.hi)
	}
	return 64 + bits.LeadingZeros64(k.lo^l.lo)
}

func (k four) last(n int) four { return k | four(^uint32(0)>>n) }

func (k six) last(n int) six {
	if n < 64 {
		return six{k.hi | ^uint64(0)>>n, ^uint64(0)}
	}
	return six{k.hi, k.lo | ^uint64(0)>>(n-64)}
}

func (k four) prefix(n int) netip.Prefix { return netip.PrefixFrom(k.addr(), n) }

func (k six) prefix(n int) netip.Prefix { return netip.PrefixFrom(k.addr(), n) }
