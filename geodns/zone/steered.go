package zone

import (
	"encoding/binary"
	"slices"
	"time"

	"landfall"
)

// Addresses are those of one node, or of several that are named together, as
// the RDATA of A and AAAA records.
type Addresses struct {
	V4, V6 [][]byte
	ALPN   []byte // value of the parameter alpn: what they all speak (RFC 9460, 7.1.1); empty says nothing of it
}

func addressesOf(n landfall.Node) Addresses {
	out := Addresses{ALPN: alpn(n.EffectiveProtocols())}
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

// alpn is a list of protocols as the parameter alpn has it.
func alpn(protocols []string) (value []byte) {
	for _, p := range protocols {
		value = append(append(value, byte(len(p))), p...)
	}
	return value
}

// ALPN is what all of some edges speak, in the order of the first, as
// Addresses has it.
func (z *Zones) ALPN(edges []landfall.NodeID) []byte {
	if len(edges) == 0 {
		return nil
	}
	common := slices.Clone(z.protocols[edges[0]])
	for _, id := range edges[1:] {
		common = slices.DeleteFunc(common, func(p string) bool { return !slices.Contains(z.protocols[id], p) })
	}
	return alpn(common)
}

// Steered is a name whose answers name edges.
type Steered struct {
	TTL uint32

	https bool
	port  uint16
}

func newSteered(s landfall.Service, steering landfall.Steering, port uint16) *Steered {
	return &Steered{TTL: seconds(steering.EffectiveTTL()), https: s.Kind != landfall.TCP, port: port}
}

// HTTPS reports whether the name has an HTTPS record.
func (s *Steered) HTTPS() bool { return s.https }

// AppendHTTPS appends the RDATA of the HTTPS record that sends clients to the
// given addresses (RFC 9460, 2.2): priority 1, the name itself, and parameters
// by key.
func (s *Steered) AppendHTTPS(b []byte, hints Addresses) []byte {
	b = append(b, 0, 1, 0)
	if len(hints.ALPN) > 0 {
		b = appendParam(b, keyALPN, hints.ALPN)
	}
	if s.port != 443 {
		b = appendParam(b, keyPort, []byte{byte(s.port >> 8), byte(s.port)})
	}
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
