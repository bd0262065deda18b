package wg

import "encoding/binary"

// Numbers of ICMP (RFC 792, RFC 1191) and ICMPv6 (RFC 4443).
const (
	protoICMP    = 1
	protoICMPv6  = 58
	headerICMP   = 8
	unreachable  = 3
	needsToSplit = 4
	packetTooBig = 2

	minV4 = 576 // what every path is taken to carry
)

// tooBig is what a router would say to the sender of a packet that is longer
// than mtu: Packet Too Big (RFC 4443, 3.2), or that it needs to be split
// (RFC 1191, 4), as if its destination said so. The words begin at the offset
// of what is returned; nil if nothing is to be said. The MTU is never lower
// than what the protocol asks of every path; what is between them needs
// fragments of ours.
func tooBig(p []byte, mtu, offset int) []byte {
	switch {
	case len(p) >= headerV6 && p[0]>>4 == 6:
		if mtu = max(mtu, minMTU); len(p) <= mtu || p[8] == 0xff || p[24] == 0xff || isErrorV6(p) {
			return nil
		}
		return tooBigV6(p, mtu, offset)
	case len(p) >= headerV4 && p[0]>>4 == 4:
		n := int(p[0]&15) * 4
		if mtu = max(mtu, minV4); len(p) <= mtu || n < headerV4 || n > len(p) || p[6]&0x40 == 0 || isErrorV4(p, n) {
			return nil
		}
		return tooBigV4(p, mtu, offset)
	}
	return nil
}

// isErrorV6 reports whether a packet may be an error, which no error answers
// (RFC 4443, 2.4).
func isErrorV6(p []byte) bool {
	return p[6] == protoICMPv6 && (len(p) == headerV6 || p[headerV6] < 128)
}

// isErrorV4 is the same for IPv4 (RFC 1122, 3.2.2), and for what is not the
// first fragment, or not to and from single hosts.
func isErrorV4(p []byte, header int) bool {
	later := binary.BigEndian.Uint16(p[6:])&0x1fff != 0
	single := p[12] != 0 && p[12] < 224 && p[16] < 224
	query := p[9] != protoICMP || len(p) > header && (p[header] == 0 || p[header] == 8)
	return later || !single || !query
}

func tooBigV6(p []byte, mtu, offset int) []byte {
	quoted := p[:min(len(p), minMTU-headerV6-headerICMP)]
	out := make([]byte, offset+headerV6+headerICMP+len(quoted))
	b := out[offset:]
	b[0] = 6 << 4
	binary.BigEndian.PutUint16(b[4:], uint16(headerICMP+len(quoted)))
	b[6], b[7] = protoICMPv6, ttl
	copy(b[8:24], p[24:40])
	copy(b[24:40], p[8:24])
	m := b[headerV6:]
	m[0] = packetTooBig
	binary.BigEndian.PutUint32(m[4:], uint32(mtu))
	copy(m[headerICMP:], quoted)
	pseudo := sum(uint32(len(m))+protoICMPv6, b[8:40]) // RFC 8200, 8.1
	binary.BigEndian.PutUint16(m[2:], ^fold(sum(pseudo, m)))
	return out
}

func tooBigV4(p []byte, mtu, offset int) []byte {
	quoted := p[:min(len(p), minV4-headerV4-headerICMP)] // RFC 1812, 4.3.2.3
	out := make([]byte, offset+headerV4+headerICMP+len(quoted))
	b := out[offset:]
	b[0], b[8], b[9] = 4<<4|headerV4/4, ttl, protoICMP
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	copy(b[12:16], p[16:20])
	copy(b[16:20], p[12:16])
	binary.BigEndian.PutUint16(b[10:], ^fold(sum(0, b[:headerV4])))
	m := b[headerV4:]
	m[0], m[1] = unreachable, needsToSplit
	binary.BigEndian.PutUint16(m[6:], uint16(min(mtu, 0xffff)))
	copy(m[headerICMP:], quoted)
	binary.BigEndian.PutUint16(m[2:], ^fold(sum(0, m)))
	return out
}

// sum adds the 16-bit words of b (RFC 1071).
func sum(n uint32, b []byte) uint32 {
	for ; len(b) >= 2; b = b[2:] {
		n += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		n += uint32(b[0]) << 8
	}
	return n
}

func fold(n uint32) uint16 {
	n = n>>16 + n&0xffff
	return uint16(n>>16 + n)
}
