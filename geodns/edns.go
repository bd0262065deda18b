package geodns

import (
	"encoding/binary"
	"net/netip"
	"time"

	"landfall/geodns/cookie"

	"github.com/miekg/dns"
)

// udpSize is the longest answer by UDP, and what we tell others to send at
// most: it fits a packet on any path (RFC 9715, 3).
const udpSize = 1232

// opt is the OPT record of a query (RFC 6891).
type opt struct {
	present bool
	size    uint16
	do      bool
	nsid    bool // asks for our name (RFC 5001)
	co      bool // takes NXDOMAIN beside a compact denial (RFC 9824, 5.1)
	subnet  subnet
	cookie  []byte // the data of a cookie option (RFC 7873, 4); nil without one

	keepalive bool // asks how long a connection may be idle (RFC 7828)
	padding   bool // is padded, and wants to hear answers that are (RFC 7830)
}

// extras are what we tell of ourselves to those who ask.
type extras struct {
	nsid      []byte
	cookie    [cookie.FullSize]byte
	keepalive time.Duration // how long the connection may be idle; 0: not asked for
}

// subnet is a client subnet option (RFC 7871, 6).
type subnet struct {
	raw    []byte // the option's data, to be returned; nil without one
	source int
	addr   netip.Addr // not valid where the client gave no address away
}

// present reports whether the query has the option at all.
func (s *subnet) present() bool { return s.raw != nil }

// parse reads the record; the rcode is success or what to refuse with.
func (o *opt) parse(rr record) (rcode int) {
	if o.present || !rr.root { // RFC 6891, 6.1.1
		return dns.RcodeFormatError
	}
	o.present = true
	o.size = rr.class
	o.do, o.co = rr.ttl&0x8000 != 0, rr.ttl&0x4000 != 0
	if version := rr.ttl >> 16 & 0xff; version != 0 { // RFC 6891, 6.1.3
		return dns.RcodeBadVers
	}
	for data := rr.data; len(data) > 0; {
		if len(data) < 4 {
			return dns.RcodeFormatError
		}
		code, size := binary.BigEndian.Uint16(data), int(binary.BigEndian.Uint16(data[2:]))
		if data = data[4:]; len(data) < size {
			return dns.RcodeFormatError
		}
		if !o.option(code, data[:size]) {
			return dns.RcodeFormatError
		}
		data = data[size:]
	}
	return dns.RcodeSuccess
}

// option takes one option; those we do not know are ignored (RFC 6891, 6.1.2).
func (o *opt) option(code uint16, data []byte) (ok bool) {
	switch code {
	case dns.EDNS0NSID:
		o.nsid = true
	case dns.EDNS0TCPKEEPALIVE:
		o.keepalive = true
	case dns.EDNS0PADDING:
		o.padding = true
	case dns.EDNS0SUBNET:
		return !o.subnet.present() && o.subnet.parse(data)
	case dns.EDNS0COOKIE:
		if o.cookie != nil { // RFC 7873, 5.2: only the first counts
			return true
		}
		if !cookie.Wellformed(data) {
			return false
		}
		o.cookie = data
	}
	return true
}

// parse is as strict as RFC 7871, 7.2.1 asks: the family is known, the address
// has just the bytes that the source prefix needs, all bits beyond it are zero,
// and the scope is.
func (s *subnet) parse(data []byte) (ok bool) {
	if len(data) < 4 || data[3] != 0 {
		return false
	}
	source := int(data[2])
	family, addr := binary.BigEndian.Uint16(data), data[4:]
	if len(addr) != (source+7)/8 || source%8 != 0 && addr[len(addr)-1]<<(source%8) != 0 {
		return false
	}
	switch {
	case family == 1 && source <= 32:
		var a [4]byte
		copy(a[:], addr)
		s.addr = netip.AddrFrom4(a)
	case family == 2 && source <= 128:
		var a [16]byte
		copy(a[:], addr)
		s.addr = netip.AddrFrom16(a)
	case family == 0 && source == 0: // as some tools write "no address"
	default:
		return false
	}
	s.raw, s.source = data, source
	if source == 0 {
		s.addr = netip.Addr{}
	}
	return true
}

// limit is how long an answer by UDP may be (RFC 6891, 6.2.3).
func (o *opt) limit() int {
	if !o.present {
		return dns.MinMsgSize
	}
	return min(max(int(o.size), dns.MinMsgSize), udpSize)
}

// appendOPT appends the OPT record of an answer. Its length does not depend
// on rcode and scope.
func (o *opt) appendOPT(b []byte, rcode int, scope uint8, own *extras) []byte {
	if !o.present {
		return b
	}
	b = append(b, 0) // the root
	b = binary.BigEndian.AppendUint16(b, dns.TypeOPT)
	b = binary.BigEndian.AppendUint16(b, udpSize)
	var flags uint16
	if o.do { // RFC 3225, 3
		flags |= 0x8000
	}
	if o.co { // RFC 9824, 5.1
		flags |= 0x4000
	}
	b = append(b, byte(rcode>>4), 0)
	b = binary.BigEndian.AppendUint16(b, flags)
	size := len(b)
	b = append(b, 0, 0)
	if o.subnet.present() {
		b = appendOption(b, dns.EDNS0SUBNET, o.subnet.raw)
		b[len(b)-len(o.subnet.raw)+3] = scope
	}
	if o.nsid && len(own.nsid) > 0 {
		b = appendOption(b, dns.EDNS0NSID, own.nsid)
	}
	if o.cookie != nil {
		b = appendOption(b, dns.EDNS0COOKIE, own.cookie[:])
	}
	if own.keepalive > 0 { // RFC 7828, 3.1
		tenths := uint16(own.keepalive / (100 * time.Millisecond))
		b = appendOption(b, dns.EDNS0TCPKEEPALIVE, binary.BigEndian.AppendUint16(nil, tenths))
	}
	binary.BigEndian.PutUint16(b[size:], uint16(len(b)-size-2))
	return b
}

func appendOption(b []byte, code uint16, data []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, code)
	b = binary.BigEndian.AppendUint16(b, uint16(len(data)))
	return append(b, data...)
}
