package zone

import (
	"slices"

	"github.com/miekg/dns"
)

// NSEC is the RDATA of an NSEC record (RFC 4034, 4.1): the name that comes
// next, and the types that the record's owner has.
func NSEC(next Name, types ...uint16) []byte {
	types = slices.Compact(slices.Sorted(slices.Values(types)))
	b := []byte(next)
	for len(types) > 0 {
		window := types[0] >> 8
		var bits [32]byte
		used := 0
		for len(types) > 0 && types[0]>>8 == window {
			low := types[0] & 0xff
			bits[low/8] |= 0x80 >> (low % 8)
			used = int(low/8) + 1
			types = types[1:]
		}
		b = append(b, byte(window), byte(used))
		b = append(b, bits[:used]...)
	}
	return b
}

// Successor is the name right after another in canonical order (RFC 4034,
// 6.1): an NSEC record with both says nothing of any third (RFC 9824, 3.1).
// It is false if the name is too long to have one below it.
func (n Name) Successor() (Name, bool) {
	if len(n)+2 > maxName {
		return "", false
	}
	return n.child("\x00"), true
}

// Nonexistent is the NSEC set for a name that does not exist (RFC 9824, 3.1),
// to be kept for ttl seconds; false if the name is too long for one, or a
// wildcard, whose signature would be good for all names that it stands for (RFC
// 4035, 5.3.2).
func (n Name) Nonexistent(ttl uint32) (Set, bool) {
	next, ok := n.Successor()
	if !ok || n.IsWildcard() {
		return Set{}, false
	}
	return Set{
		Type: dns.TypeNSEC, TTL: ttl,
		Data: [][]byte{NSEC(next, dns.TypeRRSIG, dns.TypeNSEC, dns.TypeNXNAME)},
	}, true
}
