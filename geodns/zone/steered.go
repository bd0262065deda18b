package zone

import (
	"encoding/binary"
	"time"

	"landfall"
)

// Addresses are those of one node, as the RDATA of A and AAAA records.
type Addresses struct {
	V4, V6 [][]byte
}

func addressesOf(n landfall.Node) Addresses {
	var out Addresses
	for _, a := range n.Advertised {
		switch a = a.Unmap(); {
		case a.Is4():
			out.V4 = append(out.V4, a.AsSlice())
		case a.Is6():
			out.V6 = append(out.V6, a.AsSlice())
		}
	}
	return out
}

// Steered is a name whose answers name edges.
type Steered struct {
	TTL uint32

	service []byte // RDATA of the HTTPS record up to the hints; nil if there is none
}

func newSteered(s landfall.Service, steering landfall.Steering, port uint16) *Steered {
	out := &Steered{TTL: seconds(steering.EffectiveTTL())}
	if s.Kind == landfall.TCP {
		return out
	}
	// RFC 9460, 2.2 and 7: priority 1, the name itself, and parameters by key.
	out.service = []byte{0, 1, 0}
	out.service = appendParam(out.service, keyALPN, []byte("\x02h2\x08http/1.1"))
	if port != 443 {
		out.service = appendParam(out.service, keyPort, binary.BigEndian.AppendUint16(nil, port))
	}
	return out
}

// HTTPS reports whether the name has an HTTPS record.
func (s *Steered) HTTPS() bool { return s.service != nil }

// AppendHTTPS appends the RDATA of the HTTPS record (RFC 9460, 2.2) whose
// hints are the given addresses.
func (s *Steered) AppendHTTPS(b []byte, hints Addresses) []byte {
	b = append(b, s.service...)
	b = appendHint(b, keyIPv4Hint, hints.V4)
	return appendHint(b, keyIPv6Hint, hints.V6)
}

// Keys of service parameters (RFC 9460, 14.3.2).
const (
	keyALPN     = 1
	keyPort     = 3
	keyIPv4Hint = 4
	keyIPv6Hint = 6
)

func appendParam(b []byte, key uint16, value []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, key)
	b = binary.BigEndian.AppendUint16(b, uint16(len(value)))
	return append(b, value...)
}

// appendHint leaves an empty list out: it would be malformed (RFC 9460, 7.3).
func appendHint(b []byte, key uint16, addrs [][]byte) []byte {
	if len(addrs) == 0 {
		return b
	}
	b = binary.BigEndian.AppendUint16(b, key)
	b = binary.BigEndian.AppendUint16(b, uint16(len(addrs)*len(addrs[0])))
	for _, a := range addrs {
		b = append(b, a...)
	}
	return b
}

// seconds is a TTL, within what RFC 2181, 8 allows.
func seconds(d time.Duration) uint32 {
	return uint32(min(max(d/time.Second, 0), 1<<31-1))
}
