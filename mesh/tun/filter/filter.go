package filter

import (
	"encoding/binary"

	"landfall"
	"landfall/mesh/class"
)

// Verdict is what is to become of a packet of a peer.
type Verdict uint8

// Pass lets a packet in. Unasked does if it is an answer (Sent.Has). The
// others do not, and say why.
const (
	Pass      Verdict = iota
	Unasked           // UDP to a port that is not allowed
	Closed            // it opens a TCP connection to a port that is not allowed
	Foreign           // a protocol or a header that nobody asked for
	Shortened         // too short for its headers
	Verdicts          // how many there are
)

// String names a verdict, for metrics.
func (v Verdict) String() string {
	return [...]string{"pass", "udp", "tcp", "protocol", "short"}[min(v, Verdicts-1)]
}

const (
	headerSize   = 40 // RFC 8200, 3
	fragmentSize = 8  // RFC 8200, 4.5
	tcpSize      = 20 // RFC 9293, 3.1
	udpSize      = 8  // RFC 768
	flagsAt      = 13
	flagSYN      = 0x02
	flagACK      = 0x10
)

// upper finds the header after IPv6's; part says that it is in another
// fragment.
func upper(p []byte) (proto uint8, h []byte, part bool) {
	proto, h = p[6], p[headerSize:]
	if proto != protoFragment {
		return proto, h, false
	}
	if len(h) < fragmentSize {
		return proto, nil, false
	}
	return h[0], h[fragmentSize:], binary.BigEndian.Uint16(h[2:])>>3 != 0
}

// In judges an IPv6 packet that a peer has sent.
func (f *Filter) In(p []byte) Verdict {
	if f.all {
		return Pass
	}
	if len(p) < headerSize {
		return Shortened
	}
	proto, h, part := upper(p)
	switch {
	case proto != protoTCP && proto != protoUDP && proto != protoICMP:
		return Foreign
	case part:
		return Pass
	case proto == protoTCP:
		return f.tcpIn(h)
	case proto == protoUDP:
		return f.udpIn(h)
	}
	return icmpIn(h)
}

func (f *Filter) tcpIn(h []byte) Verdict {
	if len(h) < tcpSize {
		return Shortened
	}
	if h[flagsAt]&(flagSYN|flagACK) != flagSYN {
		return Pass
	}
	if port := binary.BigEndian.Uint16(h[2:]); f.service(port) || f.tcp.has(port) {
		return Pass
	}
	return Closed
}

func (f *Filter) udpIn(h []byte) Verdict {
	if len(h) < udpSize {
		return Shortened
	}
	if f.udp.has(binary.BigEndian.Uint16(h[2:])) {
		return Pass
	}
	return Unasked
}

// icmpIn lets in errors, and echo requests and replies (RFC 4443, 2.1 and 4).
func icmpIn(h []byte) Verdict {
	const lastError, echo, reply = 4, 128, 129
	switch {
	case len(h) < 8:
		return Shortened
	case h[0] >= 1 && h[0] <= lastError || h[0] == echo || h[0] == reply:
		return Pass
	}
	return Foreign
}

// Asked is what would let a packet in; false if nothing but "all" would.
func Asked(p []byte) (Rule, bool) {
	if len(p) < headerSize {
		return Rule{}, false
	}
	proto, h, part := upper(p)
	if part || len(h) < 4 || proto != protoTCP && proto != protoUDP {
		return Rule{}, false
	}
	return Rule{Protocol: proto, Port: binary.BigEndian.Uint16(h[2:])}, true
}

// Out looks at an IPv6 packet that leaves. Where it claims the class Control
// and is not of the mesh's own services, it is marked as Interactive: any
// program may mark its packets, and what is of Control goes before all else.
// For UDP it says where answers will come from; ok is false for all others.
func (f *Filter) Out(p []byte) (to Flow, ok bool) {
	if len(p) < headerSize || p[0]>>4 != 6 {
		return to, false
	}
	if tos := p[0]<<4 | p[1]>>4; class.Of(tos>>2) == landfall.Control && !f.own(p) {
		tos = class.TOS(landfall.Interactive, tos)
		p[0], p[1] = p[0]&0xf0|tos>>4, p[1]&0x0f|tos<<4
	}
	if f.all || p[6] != protoUDP && p[6] != protoFragment {
		return to, false
	}
	proto, h, part := upper(p)
	if proto != protoUDP || part || len(h) < udpSize {
		return to, false
	}
	return flow(p[24:40], h[2:4], h[0:2]), true
}

// own reports whether a packet that leaves is of a service of the mesh. Ports
// below 1024 are not everybody's to send from; and a stream to a peer's service
// that shows no pass does not last.
func (f *Filter) own(p []byte) bool {
	if p[6] != protoTCP || len(p) < headerSize+tcpSize {
		return false
	}
	return f.service(binary.BigEndian.Uint16(p[headerSize:])) || f.service(binary.BigEndian.Uint16(p[headerSize+2:]))
}

// FlowOf is whom a UDP packet of a peer that is Unasked answers, if it does.
func FlowOf(p []byte) Flow {
	_, h, _ := upper(p)
	return flow(p[8:24], h[0:2], h[2:4])
}
