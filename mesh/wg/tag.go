package wg

import (
	"encoding/binary"
	"net/netip"

	"landfall"
)

// WireGuard encrypts and decrypts in place: the buffer that a packet is read
// into is the one that its datagram is sent from, and the reverse. Both are
// larger than any datagram here, so each carries a tag behind its datagram.
const (
	tagAt = 2048 - 64

	// maxDatagram is what leaves the tag alone.
	maxDatagram = tagAt

	// roomAt is where a buffer is free for frames and fragments made from its
	// datagram: a frame at roomAt, fragments each slabSize further.
	roomAt   = 2048
	slabSize = 2048
	roomSize = 10 * slabSize // a frame and fragment.MaxParts, and one to spare
)

// A tag going out:
//
//	0      1      8
//	+------+-----+-----+
//	| TOS  | cl. | seq |    class, and the window's count of the peer's bytes
//	+------+-----+-----+
type outTag struct {
	tos   uint8
	class landfall.Class
	seq   uint64
}

// whole is all of the buffer that b is the beginning of.
func whole(b []byte) []byte { return b[:cap(b)] }

// spacious reports whether b is one of WireGuard's pooled buffers, which have
// tags, and not a message made for itself.
func spacious(b []byte) bool { return cap(b) >= roomAt+roomSize }

func (t outTag) put(b []byte) {
	w := whole(b)[tagAt:roomAt]
	w[0], w[1] = t.tos, byte(t.class)
	binary.LittleEndian.PutUint64(w[8:], t.seq)
}

func getOut(b []byte) outTag {
	w := whole(b)[tagAt:roomAt]
	return outTag{tos: w[0], class: landfall.Class(w[1]), seq: binary.LittleEndian.Uint64(w[8:])}
}

// A tag coming in:
//
//	0      2      4     8       24     26
//	+-----+------+-----+-------+------+-----+
//	| ECN | size | via | addr. | port | sum |
//	+-----+------+-----+-------+------+-----+
type inTag struct {
	ecn  uint8
	size int // of the UDP payload that it came in, or in the last part of it
	way  origin
	sum  uint64 // twins' name for the datagram; 0 for none
}

// origin is the way that a datagram came, as short as it can be.
type origin struct {
	via  uint32 // the number of the peer that relayed it; 0 is nobody
	addr [16]byte
	port uint16
}

// direct is the origin of what came straight from an address.
func direct(a netip.AddrPort) origin { return origin{addr: a.Addr().As16(), port: a.Port()} }

func (o origin) addrPort() netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom16(o.addr).Unmap(), o.port)
}

func (t inTag) put(b []byte) {
	w := whole(b)[tagAt:roomAt]
	w[0] = t.ecn
	binary.LittleEndian.PutUint16(w[2:], uint16(t.size))
	binary.LittleEndian.PutUint32(w[4:], t.way.via)
	copy(w[8:24], t.way.addr[:])
	binary.LittleEndian.PutUint16(w[24:], t.way.port)
	binary.LittleEndian.PutUint64(w[26:], t.sum)
}

func getIn(b []byte) inTag {
	w := whole(b)[tagAt:roomAt]
	return inTag{
		ecn:  w[0],
		size: int(binary.LittleEndian.Uint16(w[2:])),
		way: origin{
			via:  binary.LittleEndian.Uint32(w[4:]),
			addr: [16]byte(w[8:24]),
			port: binary.LittleEndian.Uint16(w[24:]),
		},
		sum: binary.LittleEndian.Uint64(w[26:]),
	}
}
