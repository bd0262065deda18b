package load

import (
	"encoding/binary"
	"net/netip"

	"landfall/bench/ecs"
)

// Types of records that are asked for.
const (
	TypeA    = 1
	TypeSOA  = 6
	TypeAAAA = 28
)

const (
	typeOPT      = 41
	classIN      = 1
	optionNSID   = 3  // RFC 5001
	optionSubnet = 8  // RFC 7871
	optionCookie = 10 // RFC 7873
	bufferSize   = 1232
	flagDO       = 0x80
)

// Question is one as a resolver asks it. It has an OPT record if anything
// needs one (RFC 6891).
type Question struct {
	Name   ecs.Name
	Type   uint16
	DO     bool         // wants signatures (RFC 4035, 3.2.1)
	NSID   bool         // wants to know who answers
	Client netip.Prefix // the subnet of the client; the zero Prefix: none is told
	Cookie []byte       // nil: none
}

// Append appends the packet, with 0 for an ID.
func (q Question) Append(b []byte) []byte {
	additional := byte(0)
	if q.extended() {
		additional = 1
	}
	b = append(b, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, additional)
	b = append(b, q.Name...)
	b = binary.BigEndian.AppendUint16(b, q.Type)
	b = append(b, 0, classIN)
	if !q.extended() {
		return b
	}
	b = append(b, 0, 0, typeOPT, bufferSize>>8, bufferSize&0xff, 0, 0, q.flags(), 0, 0, 0)
	start := len(b)
	b = q.options(b)
	binary.BigEndian.PutUint16(b[start-2:], uint16(len(b)-start))
	return b
}

func (q Question) extended() bool {
	return q.DO || q.NSID || q.Client.IsValid() || q.Cookie != nil
}

func (q Question) flags() byte {
	if q.DO {
		return flagDO
	}
	return 0
}

func (q Question) options(b []byte) []byte {
	if q.NSID {
		b = append(b, 0, optionNSID, 0, 0)
	}
	if q.Client.IsValid() {
		octets, family := (q.Client.Bits()+7)/8, byte(1)
		if q.Client.Addr().Is6() {
			family = 2
		}
		b = append(b, 0, optionSubnet, 0, byte(4+octets), 0, family, byte(q.Client.Bits()), 0)
		b = append(b, q.Client.Masked().Addr().AsSlice()[:octets]...)
	}
	if q.Cookie != nil {
		b = append(b, 0, optionCookie, 0, byte(len(q.Cookie)))
		b = append(b, q.Cookie...)
	}
	return b
}
