package wan

import (
	"encoding/binary"
	"net/netip"
	"time"
)

// What a router does with a packet that its link does not carry.

// Who says that a packet was too big: a router without addresses of its own
// (RFC 7600, 4), and nobody at all (RFC 6666).
var (
	router4 = [4]byte{192, 0, 0, 8}
	router6 = [16]byte{0: 1, 15: 8}
)

const (
	dontFragment  = 0x4000 // in the two octets after the identification
	moreFragments = 0x2000
	offsetMask    = 0x1fff

	quoted4 = 576 // bytes of a whole notice (RFC 1812, 4.3.2.3)
	quoted6 = 1280
)

// beyond cuts a packet up if it may be, as routers do (RFC 791, 2.3), and else
// tells its sender, if the link lets it: after a round trip, for the narrow
// place is where the link ends.
func (l *loop) beyond(dev int, b []byte, v verdict, there, back *path, now time.Time) {
	if b[0]>>4 == 4 && binary.BigEndian.Uint16(b[6:])&dontFragment == 0 {
		l.fragment(dev, b, v.mtu, now)
		return
	}
	if !v.told || !answerable(b) {
		return
	}
	l.notice = tooBigNotice(l.notice[:0], b, v.mtu)
	link, _, _ := there.state(now)
	answer, straight := back.offer(len(l.notice), 0, now)
	l.wan.stats.note(answer)
	if straight {
		back = nil // nobody waits for it to pass
	}
	for range answer.copies {
		l.hold(l.notice, answer.at.Add(link.Delay), back)
	}
}

// fragment sends a packet on in pieces.
func (l *loop) fragment(dev int, b []byte, mtu int, now time.Time) {
	h := headLen(b)
	room := (mtu - h) &^ 7
	if h == 0 || room < 8 {
		return
	}
	flags := binary.BigEndian.Uint16(b[6:])
	for at := 0; at < len(b)-h; at += room {
		end := min(at+room, len(b)-h)
		k := append(l.notice[:0], b[:h]...)
		k = append(k, b[h+at:h+end]...)
		l.notice = k
		if at > 0 {
			blank(k[head4:h])
		}
		word := flags&offsetMask + uint16(at/8)
		if end < len(b)-h || flags&moreFragments != 0 {
			word |= moreFragments
		}
		binary.BigEndian.PutUint16(k[2:], uint16(len(k)))
		binary.BigEndian.PutUint16(k[6:], word)
		sumHeader(k, h)
		l.take(dev, k, now)
	}
}

// blank leaves of the options those that each fragment has (RFC 791, 3.1).
func blank(options []byte) {
	const end, none, copied = 0, 1, 0x80
	for i := 0; i < len(options) && options[i] != end; {
		n := 1
		if options[i] != none {
			if i+1 >= len(options) || options[i+1] < 2 {
				return
			}
			n = min(int(options[i+1]), len(options)-i)
		}
		if options[i]&copied == 0 {
			for j := range n {
				options[i+j] = none
			}
		}
		i += n
	}
}

// answerable reports whether a packet may be answered by an ICMP error: none
// is told about another one, nor about any but the first fragment (RFC 1122,
// 3.2.2; RFC 4443, 2.4).
func answerable(b []byte) bool {
	if b[0]>>4 == 6 {
		return b[6] != protoICMP6 || len(b) <= head6 || b[head6] >= 128
	}
	h := headLen(b)
	if h == 0 || binary.BigEndian.Uint16(b[6:])&offsetMask != 0 || b[16] >= 224 {
		return false
	}
	const echoReply, echo = 0, 8
	return b[9] != protoICMP || len(b) > h && (b[h] == echo || b[h] == echoReply)
}

// tooBigNotice tells the sender of b what would have passed: destination
// unreachable, fragmentation needed (RFC 792, RFC 1191, 4), or packet too big
// (RFC 4443, 3.2).
func tooBigNotice(k, b []byte, mtu int) []byte {
	if b[0]>>4 == 4 {
		quote := b[:min(len(b), quoted4-head4-8)]
		k = append(k, 4<<4|5, 6<<5, 0, 0, 0, 0, 0, 0, 64, protoICMP, 0, 0) // precedence: RFC 1812, 4.3.2.5
		k = append(append(k, router4[:]...), b[12:16]...)
		k = append(k, 3, 4, 0, 0, 0, 0, byte(mtu>>8), byte(mtu))
		k = append(k, quote...)
		binary.BigEndian.PutUint16(k[2:], uint16(len(k)))
		sumHeader(k, head4)
		binary.BigEndian.PutUint16(k[head4+2:], ^fold(sum(0, k[head4:])))
		return k
	}
	quote := b[:min(len(b), quoted6-head6-8)]
	k = append(k, 6<<4, 0, 0, 0, 0, 0, protoICMP6, 64)
	k = append(append(k, router6[:]...), b[8:24]...)
	k = append(k, 2, 0, 0, 0, byte(mtu>>24), byte(mtu>>16), byte(mtu>>8), byte(mtu))
	k = append(k, quote...)
	binary.BigEndian.PutUint16(k[4:], uint16(len(k)-head6))
	pseudo := sum(uint64(len(k)-head6)+protoICMP6, k[8:head6]) // RFC 8200, 8.1
	binary.BigEndian.PutUint16(k[head6+2:], ^fold(sum(pseudo, k[head6:])))
	return k
}

// NoticeFrom are the addresses that notices about packets too big come from.
func NoticeFrom() (v4, v6 netip.Addr) {
	return netip.AddrFrom4(router4), netip.AddrFrom16(router6)
}
