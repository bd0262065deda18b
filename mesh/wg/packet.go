package wg

import (
	"encoding/binary"
	"net/netip"
)

// Sizes and numbers of IP (RFC 791, RFC 8200) and what is in it.
const (
	headerV4 = 20
	headerV6 = 40
	minTCP   = 20
	protoTCP = 6
	ttl      = 64

	optionEnd, optionNone, optionMSS = 0, 1, 2 // RFC 9293, 3.2
	synFlag                          = 1 << 1
)

// packetHead is what is read of every packet that goes out.
type packetHead struct {
	dst netip.Addr
	tos uint8
}

// head reads the header of a packet; false if there is none.
func head(p []byte) (packetHead, bool) {
	switch {
	case len(p) >= headerV6 && p[0]>>4 == 6:
		return packetHead{netip.AddrFrom16([16]byte(p[24:40])), p[0]<<4 | p[1]>>4}, true
	case len(p) >= headerV4 && p[0]>>4 == 4:
		return packetHead{netip.AddrFrom4([4]byte(p[16:20])), p[1]}, true
	}
	return packetHead{}, false
}

// sourceOf is where a packet that WireGuard has looked at says it is from.
func sourceOf(p []byte) netip.Addr {
	switch {
	case len(p) >= headerV6 && p[0]>>4 == 6:
		return netip.AddrFrom16([16]byte(p[8:24]))
	case len(p) >= headerV4 && p[0]>>4 == 4:
		return netip.AddrFrom4([4]byte(p[12:16]))
	}
	return netip.Addr{}
}

// The bits of ECN (RFC 3168, 5).
const (
	notECT = 0
	ect1   = 1
	ect0   = 2
	ce     = 3
)

// mergeECN takes the outer header's mark over (RFC 6040, 4.2): the mark to
// bear from now on. A packet whose sender would not understand a mark keeps
// what it has, where RFC 6040 would have it dropped: its outer header left us
// as one that no router may mark, and nobody authenticates that header. So
// whoever only watches a path could have a marked copy overtake each datagram,
// and turn marks into losses.
func mergeECN(inner, outer uint8) uint8 {
	switch {
	case outer == ce && inner != notECT:
		return ce
	case outer == ect1 && inner == ect0:
		return ect1
	}
	return inner
}

// ecnOf is the mark of a packet that has a header.
func ecnOf(p []byte) uint8 {
	if p[0]>>4 == 6 {
		return p[1] >> 4 & 3
	}
	return p[1] & 3
}

// setECN marks a packet that has a header.
func setECN(p []byte, ecn uint8) {
	if p[0]>>4 == 6 {
		p[1] = p[1]&^0x30 | ecn<<4
		return
	}
	before := binary.BigEndian.Uint16(p)
	p[1] = p[1]&^3 | ecn
	amend(p[10:], before, binary.BigEndian.Uint16(p))
}

// amend corrects a checksum after a word that it covers was changed
// (RFC 1624, 3).
func amend(sum []byte, before, after uint16) {
	n := uint32(^binary.BigEndian.Uint16(sum)) + uint32(^before) + uint32(after)
	n = n>>16 + n&0xffff
	n += n >> 16
	binary.BigEndian.PutUint16(sum, ^uint16(n))
}

// clampMSS lowers the largest segment that the sender of a SYN asks for to
// what fits into packets of the size given, and reports whether it had to. It
// relies on finished checksums: fronts hand over whole packets.
func clampMSS(p []byte, size int) bool {
	t := syn(p)
	if t == nil {
		return false
	}
	most := size - (len(p) - len(t)) - minTCP
	if most <= 0 || most > 0xffff {
		return false
	}
	for at, end := minTCP, int(t[12]>>4)*4; at < end; {
		switch kind := t[at]; {
		case kind == optionEnd:
			return false
		case kind == optionNone:
			at++
			continue
		case at+1 >= end || t[at+1] < 2 || at+int(t[at+1]) > end:
			return false
		case kind == optionMSS && t[at+1] == 4:
			return lowerMSS(t, at+2, uint16(most))
		}
		at += int(t[at+1])
	}
	return false
}

// lowerMSS changes the value of an option of a segment.
func lowerMSS(t []byte, at int, most uint16) bool {
	before := binary.BigEndian.Uint16(t[at:])
	if before <= most {
		return false
	}
	binary.BigEndian.PutUint16(t[at:], most)
	if at%2 == 1 { // it lies across two words of the sum
		before, most = before<<8|before>>8, most<<8|most>>8
	}
	amend(t[16:], before, most)
	return true
}

// syn is the segment in a packet that opens a TCP connection; nil in others.
// Headers between IPv6's and TCP's are of no use in a SYN, and not looked
// behind.
func syn(p []byte) []byte {
	var t []byte
	switch {
	case len(p) >= headerV6 && p[0]>>4 == 6 && p[6] == protoTCP:
		t = p[headerV6:]
	case len(p) >= headerV4 && p[0]>>4 == 4 && p[9] == protoTCP && binary.BigEndian.Uint16(p[6:])&0x1fff == 0:
		if n := int(p[0]&15) * 4; n >= headerV4 && n <= len(p) {
			t = p[n:]
		}
	}
	if len(t) < minTCP || t[13]&synFlag == 0 || int(t[12]>>4)*4 > len(t) {
		return nil
	}
	return t
}
