package wan

import (
	"encoding/binary"
	"net/netip"
)

// What a router reads and writes in IP packets (RFC 791, RFC 8200). ends says
// whether there is enough of a packet to call the others.

const (
	head4 = 20 // bytes of a header without options
	head6 = 40

	protoICMP  = 1
	protoTCP   = 6
	protoUDP   = 17
	protoICMP6 = 58
)

// ends are the addresses of an IP packet (RFC 791, 3.1; RFC 8200, 3).
func ends(b []byte) (src, dst netip.Addr, ok bool) {
	switch {
	case len(b) >= head4 && b[0]>>4 == 4:
		return netip.AddrFrom4([4]byte(b[12:])), netip.AddrFrom4([4]byte(b[16:])), true
	case len(b) >= head6 && b[0]>>4 == 6:
		return netip.AddrFrom16([16]byte(b[8:])), netip.AddrFrom16([16]byte(b[24:])), true
	}
	return netip.Addr{}, netip.Addr{}, false
}

// tos is the octet with DSCP and ECN field (RFC 2474, 3; RFC 3168, 5).
func tos(b []byte) uint8 {
	if b[0]>>4 == 4 {
		return b[1]
	}
	return b[0]<<4 | b[1]>>4
}

// markCE says in the header that the packet met congestion (RFC 3168, 5).
func markCE(b []byte) {
	if b[0]>>4 == 6 {
		b[1] |= ecnMask << 4
		return
	}
	b[1] |= ecnMask
	sumHeader(b, headLen(b))
}

// headLen is the length of an IPv4 header with its options; 0 is none.
func headLen(b []byte) int {
	n := int(b[0]&15) * 4
	if n < head4 || n > len(b) {
		return 0
	}
	return n
}

// sumHeader writes the checksum of an IPv4 header (RFC 791, 3.1).
func sumHeader(b []byte, n int) {
	if n == 0 {
		return
	}
	b[10], b[11] = 0, 0
	binary.BigEndian.PutUint16(b[10:], ^fold(sum(0, b[:n])))
}

// sum adds to an Internet checksum (RFC 1071); what is not the last part of
// it must have an even length.
func sum(s uint64, b []byte) uint64 {
	for ; len(b) >= 2; b = b[2:] {
		s += uint64(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		s += uint64(b[0]) << 8
	}
	return s
}

func fold(s uint64) uint16 {
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return uint16(s)
}
