package tap

import (
	"encoding/binary"
	"net/netip"

	"github.com/miekg/dns"
)

// headerSize is the length of a message's header (RFC 1035, 4.1.1).
const headerSize = 12

// message is as much as operators want to know of one. Slices point into it.
type message struct {
	name   string // of the question, as in master files; "" if there is none
	rrtype uint16
	rcode  int
	subnet []byte     // the data of the client subnet option (RFC 7871, 6); nil without one
	first  netip.Addr // the first address of the answer section; not valid: none
}

// read reads a message, and reports whether it could be read to its end.
func read(msg []byte) (m message, ok bool) {
	if len(msg) < headerSize {
		return m, false
	}
	m.rcode = int(msg[3] & 0xf)
	off := headerSize
	if binary.BigEndian.Uint16(msg[4:]) > 0 {
		name, end, err := dns.UnpackDomainName(msg, off)
		if err != nil || len(msg)-end < 4 {
			return m, false
		}
		m.name, m.rrtype, off = name, binary.BigEndian.Uint16(msg[end:]), end+4
	}
	answers := int(binary.BigEndian.Uint16(msg[6:]))
	others := int(binary.BigEndian.Uint16(msg[8:])) + int(binary.BigEndian.Uint16(msg[10:]))
	for i := range answers + others {
		if off = skipName(msg, off); off < 0 || len(msg)-off < 10 {
			return m, false
		}
		rrtype, ttl := binary.BigEndian.Uint16(msg[off:]), binary.BigEndian.Uint32(msg[off+4:])
		size := int(binary.BigEndian.Uint16(msg[off+8:]))
		if off += 10; len(msg)-off < size {
			return m, false
		}
		data := msg[off : off+size]
		off += size
		switch {
		case rrtype == dns.TypeOPT:
			m.rcode |= int(ttl>>24) << 4 // RFC 6891, 6.1.3
			m.subnet = option(data, dns.EDNS0SUBNET)
		case i < answers && !m.first.IsValid():
			m.first = address(rrtype, data)
		}
	}
	return m, off == len(msg)
}

// skipName is where a name ends that begins at off (RFC 1035, 4.1.4), less
// than 0 if it does not.
func skipName(msg []byte, off int) int {
	for off < len(msg) {
		switch n := int(msg[off]); {
		case n == 0:
			return off + 1
		case n >= 0xc0:
			return off + 2
		default:
			off += 1 + n
		}
	}
	return -1
}

// option is the data of the first option of a kind (RFC 6891, 6.1.2).
func option(data []byte, code uint16) []byte {
	for len(data) >= 4 {
		size := int(binary.BigEndian.Uint16(data[2:]))
		if len(data)-4 < size {
			return nil
		}
		if binary.BigEndian.Uint16(data) == code {
			return data[4 : 4+size]
		}
		data = data[4+size:]
	}
	return nil
}

// address is the first that a record tells.
func address(rrtype uint16, data []byte) (a netip.Addr) {
	switch rrtype {
	case dns.TypeA, dns.TypeAAAA:
		a, _ = netip.AddrFromSlice(data)
	case dns.TypeHTTPS, dns.TypeSVCB:
		return hint(data)
	}
	return a
}

// hint is the first address among the parameters of a service (RFC 9460, 2.2
// and 7.3): those of IPv4 come before those of IPv6.
func hint(data []byte) (a netip.Addr) {
	off := skipName(data, 2)
	if off < 0 {
		return a
	}
	for off+4 <= len(data) {
		key, size := binary.BigEndian.Uint16(data[off:]), int(binary.BigEndian.Uint16(data[off+2:]))
		value := data[off+4:]
		switch {
		case len(value) < size:
			return a
		case dns.SVCBKey(key) == dns.SVCB_IPV4HINT && size >= 4:
			a, _ = netip.AddrFromSlice(value[:4])
			return a
		case dns.SVCBKey(key) == dns.SVCB_IPV6HINT && size >= 16:
			a, _ = netip.AddrFromSlice(value[:16])
			return a
		}
		off += 4 + size
	}
	return a
}
