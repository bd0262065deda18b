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
	after(bits int) K        // the address after the prefix that begins here; zero if that is the last
	width(start, end K) int  // see below
	prefix(int) netip.Prefix // of so many bits
	floor() uint64           // its first 64 bits
	ceil() uint64            // one more if there is anything beyond them
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
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], uint32(k))
	return netip.AddrFrom4(b)
}

func (k six) addr() netip.Addr {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], k.hi)
	binary.BigEndian.PutUint64(b[8:], k.lo)
	return netip.AddrFrom16(b)
}

func (k four) prefix(n int) netip.Prefix { return netip.PrefixFrom(k.addr(), n) }

func (k six) prefix(n int) netip.Prefix { return netip.PrefixFrom(k.addr(), n) }

func (k four) less(l four) bool { return k < l }

func (k six) less(l six) bool { return k.hi < l.hi || k.hi == l.hi && k.lo < l.lo }

func (k four) floor() uint64 { return uint64(k) << 32 }

func (k six) floor() uint64 { return k.hi }

func (k four) ceil() uint64 { return uint64(k) << 32 }

func (k six) ceil() uint64 {
	if k.lo > 0 && k.hi < ^uint64(0) {
		return k.hi + 1
	}
	return k.hi
}

func (k four) after(n int) four { return (k | four(^uint32(0)>>n)) + 1 }

func (k six) after(n int) six {
	if n < 64 {
		return six{(k.hi | ^uint64(0)>>n) + 1, 0}
	}
	lo, carry := bits.Add64(k.lo|^uint64(0)>>(n-64), 1, 0)
	return six{k.hi + carry, lo}
}

// width is the length of the widest prefix around k in which is neither the
// address before start nor end: one more than the bits that k shares with the
// nearer of them. A start or an end of zero is no border.
func (k four) width(start, end four) int {
	// With a bit before the first, the address before zero and the one after
	// the last are numbers too, and differ from all addresses in that bit.
	const before = 1 << 32
	a, b, c := uint64(k)|before, uint64(start)+before-1, uint64(end-1)+before+1
	return max(bits.LeadingZeros64(a^b), bits.LeadingZeros64(a^c)) - 31
}

func (k six) width(start, end six) int {
	n := 0
	if start != (six{}) {
		lo, borrow := bits.Sub64(start.lo, 1, 0)
		n = k.common(six{start.hi - borrow, lo}) + 1
	}
	if end != (six{}) {
		n = max(n, k.common(end)+1)
	}
	return n
}

// common is how many leading bits are the same.
func (k six) common(l six) int {
	if k.hi != l.hi {
		return bits.LeadingZeros64(k.hi ^ l.hi)
	}
	return 64 + bits.LeadingZeros64(k.lo^l.lo)
}
