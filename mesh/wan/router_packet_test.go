package wan

import (
	"encoding/binary"
	"net/netip"
	"testing"
)

// kind is what a made packet carries.
type made struct {
	protocol uint8
	src, dst netip.AddrPort
	tos      uint8
	flags    uint16 // of IPv4: don't fragment, more fragments, offset
	payload  []byte
	icmp     uint8 // the type of an ICMP message
}

// bytes are a packet with all its checksums.
func (m made) bytes() []byte {
	var seg []byte
	sp, dp := m.src.Port(), m.dst.Port()
	check := 0
	switch m.protocol {
	case protoUDP:
		seg = append(make([]byte, 8), m.payload...)
		binary.BigEndian.PutUint16(seg[4:], uint16(len(seg)))
		check = 6
	case protoTCP:
		seg = append(make([]byte, 20), m.payload...)
		seg[12] = 5 << 4
		check = 16
	default:
		seg = append([]byte{m.icmp, 0, 0, 0, byte(sp >> 8), byte(sp), 0, 1}, m.payload...)
		check = 2
	}
	if check != 2 {
		binary.BigEndian.PutUint16(seg, sp)
		binary.BigEndian.PutUint16(seg[2:], dp)
	}
	b := m.header(len(seg))
	s := sum(0, seg)
	if m.protocol != protoICMP {
		s = sum(s+uint64(m.protocol)+uint64(len(seg)), addressesOf(b))
	}
	binary.BigEndian.PutUint16(seg[check:], ^fold(s))
	return append(b, seg...)
}

func (m made) header(size int) []byte {
	if m.src.Addr().Is6() {
		b := make([]byte, head6)
		b[0], b[1] = 6<<4|m.tos>>4, m.tos<<4
		binary.BigEndian.PutUint16(b[4:], uint16(size))
		b[6], b[7] = m.protocol, 64
		copy(b[8:], m.src.Addr().AsSlice())
		copy(b[24:], m.dst.Addr().AsSlice())
		return b
	}
	b := make([]byte, head4)
	b[0], b[1], b[8], b[9] = 4<<4|5, m.tos, 64, m.protocol
	binary.BigEndian.PutUint16(b[2:], uint16(head4+size))
	binary.BigEndian.PutUint16(b[4:], 0x1234)
	binary.BigEndian.PutUint16(b[6:], m.flags)
	copy(b[12:], m.src.Addr().AsSlice())
	copy(b[16:], m.dst.Addr().AsSlice())
	sumHeader(b, head4)
	return b
}

func addressesOf(b []byte) []byte {
	if b[0]>>4 == 6 {
		return b[8:40]
	}
	return b[12:20]
}

// sound checks the checksums of a packet that is whole.
func sound(t *testing.T, b []byte) {
	t.Helper()
	h, protocol := head6, b[6]
	if b[0]>>4 == 4 {
		h, protocol = headLen(b), b[9]
		if fold(sum(0, b[:h])) != 0xffff {
			t.Errorf("the checksum of the header is wrong: %x", b)
		}
		if binary.BigEndian.Uint16(b[6:])&(offsetMask|moreFragments) != 0 {
			return
		}
	}
	s := sum(0, b[h:])
	if protocol != protoICMP {
		s = sum(s+uint64(protocol)+uint64(len(b)-h), addressesOf(b))
	}
	if fold(s) != 0xffff {
		t.Errorf("the checksum of protocol %d is wrong: %x", protocol, b)
	}
}

// endsOf are addresses and ports.
func endsOf(b []byte) (src, dst netip.AddrPort) {
	from, to, _ := ends(b)
	h := head6
	if b[0]>>4 == 4 {
		h = headLen(b)
	}
	p := ports{binary.BigEndian.Uint16(b[h:]), binary.BigEndian.Uint16(b[h+2:])}
	if b[9] == protoICMP && b[0]>>4 == 4 {
		p, _ = portsOf(b, h)
	}
	return netip.AddrPortFrom(from, p.source), netip.AddrPortFrom(to, p.dest)
}
