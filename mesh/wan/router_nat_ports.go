package wan

import (
	"encoding/binary"
	"net/netip"
	"time"
)

// Where an IPv4 header has its addresses (RFC 791, 3.1).
const (
	sourceAt = 12
	destAt   = 16
)

// Types of ICMP messages (RFC 792).
const (
	icmpEchoReply   = 0
	icmpUnreachable = 3
	icmpEcho        = 8
	icmpExceeded    = 11
	icmpProblem     = 12
	icmpHead        = 8
)

// ports are those of a packet. The identifier of an echo is one, on the side
// of who asked (RFC 5508, 3.1).
type ports struct{ source, dest uint16 }

// portsOf reads the ports behind a header of h bytes; a fragment but the first
// has none.
func portsOf(b []byte, h int) (p ports, ok bool) {
	if binary.BigEndian.Uint16(b[6:])&offsetMask != 0 || len(b) < h+8 {
		return p, false
	}
	if b[9] != protoICMP {
		return ports{binary.BigEndian.Uint16(b[h:]), binary.BigEndian.Uint16(b[h+2:])}, true
	}
	id := binary.BigEndian.Uint16(b[h+4:])
	if b[h] == icmpEcho {
		return ports{source: id}, true
	}
	return ports{dest: id}, true
}

func isEcho(icmp []byte, kind byte) bool { return len(icmp) >= icmpHead && icmp[0] == kind }

// readdress puts another address and port into a packet, and corrects its
// checksums by what changed (RFC 1624), for the rest may be in fragments.
func readdress(b []byte, h, field int, to netip.AddrPort) {
	a, old := to.Addr().As4(), [4]byte(b[field:])
	var port [2]byte
	binary.BigEndian.PutUint16(port[:], to.Port())
	adjust(b[10:], old[:], a[:])
	copy(b[field:], a[:])
	at := h // of the port
	if field == destAt {
		at = h + 2
	}
	var check []byte
	switch {
	case b[9] == protoICMP:
		at, check = h+4, b[h+2:]
		adjust(check, b[at:at+2], port[:])
		copy(b[at:], port[:])
		return
	case b[9] == protoUDP && binary.BigEndian.Uint16(b[h+6:]) != 0:
		check = b[h+6:]
	case b[9] == protoTCP && len(b) >= h+18:
		check = b[h+16:]
	}
	if check != nil {
		adjust(check, old[:], a[:])
		adjust(check, b[at:at+2], port[:])
		if b[9] == protoUDP && check[0] == 0 && check[1] == 0 {
			check[0], check[1] = 0xff, 0xff // 0 would be none (RFC 768)
		}
	}
	copy(b[at:], port[:])
}

// adjust corrects a checksum for words that are replaced (RFC 1624, 3).
func adjust(check, old, new []byte) {
	s := uint64(^binary.BigEndian.Uint16(check))
	for i := 0; i < len(old); i += 2 {
		s += uint64(^binary.BigEndian.Uint16(old[i:])) + uint64(binary.BigEndian.Uint16(new[i:]))
	}
	binary.BigEndian.PutUint16(check, ^fold(s))
}

// quoted is the packet that an ICMP error is about, as far as it is there
// (RFC 792), with the length of its header; ok is false if this is none.
func quoted(b []byte, h int) (inner []byte, ih int, ok bool) {
	if len(b) < h+icmpHead+head4+8 {
		return nil, 0, false
	}
	if kind := b[h]; kind != icmpUnreachable && kind != icmpExceeded && kind != icmpProblem {
		return nil, 0, false
	}
	inner = b[h+icmpHead:]
	if ih = headLen(inner); inner[0]>>4 != 4 || ih == 0 || len(inner) < ih+8 {
		return nil, 0, false
	}
	return inner, ih, true
}

// errorEnters brings an ICMP error to who sent what it is about (RFC 5508,
// REQ-4).
func (x *box) errorEnters(b []byte, h int, now time.Time) bool {
	inner, ih, ok := quoted(b, h)
	if !ok {
		return false
	}
	t := x.protocols[inner[9]]
	p, ok := portsOf(inner, ih)
	if !ok || t == nil {
		return false
	}
	inside, ok := t.sender(p.source, now)
	if !ok {
		return false
	}
	x.retell(b, h, inner, ih, sourceAt, inside, destAt, inside.Addr())
	return true
}

// errorLeaves brings an ICMP error out to who is told (RFC 5508, REQ-5).
func (x *box) errorLeaves(b []byte, h int) bool {
	inner, ih, ok := quoted(b, h)
	if !ok {
		return false
	}
	t := x.protocols[inner[9]]
	p, ok := portsOf(inner, ih)
	if !ok || t == nil {
		return false
	}
	teller, told, _ := ends(b)
	public, ok := t.seen(netip.AddrPortFrom(teller, p.dest), netip.AddrPortFrom(told, p.source))
	if !ok {
		return false
	}
	x.retell(b, h, inner, ih, destAt, public, sourceAt, x.public)
	return true
}

// retell translates an ICMP error, inside and outside.
func (x *box) retell(b []byte, h int, inner []byte, ih, innerField int, a netip.AddrPort, field int, outer netip.Addr) {
	readdress(inner, ih, innerField, a)
	to := outer.As4()
	adjust(b[10:], b[field:field+4], to[:])
	copy(b[field:], to[:])
	b[h+2], b[h+3] = 0, 0
	binary.BigEndian.PutUint16(b[h+2:], ^fold(sum(0, b[h:])))
}

// sender is who is behind a public port.
func (t *translator) sender(port uint16, now time.Time) (inside netip.AddrPort, ok bool) {
	if t.Inside.IsValid() {
		return netip.AddrPortFrom(t.Inside, port), true
	}
	b := t.in[port]
	if b == nil || !t.alive(b.last, now) {
		return netip.AddrPort{}, false
	}
	return b.flow.inside, true
}

// seen is the public address by which another knows an inside one.
func (t *translator) seen(inside, by netip.AddrPort) (public netip.AddrPort, ok bool) {
	if t.Inside.IsValid() {
		return netip.AddrPortFrom(t.Public, inside.Port()), inside.Addr() == t.Inside
	}
	b := t.out[flow{inside, t.Mapping.of(by)}]
	if b == nil {
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(t.Public, b.port), true
}
