package ecs

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"strings"
)

const (
	typeA      = 1
	typeRRSIG  = 46
	typeOPT    = 41
	classIN    = 1
	optionECS  = 8 // RFC 7871, 6
	headerSize = 12
	bufferSize = 1232
)

// Name is a name as packets have it.
type Name []byte

// ParseName reads one without escapes, such as "www.example.com".
func ParseName(s string) Name {
	var n Name
	for label := range strings.SplitSeq(strings.TrimSuffix(s, "."), ".") {
		n = append(append(n, byte(len(label))), label...)
	}
	return append(n, 0)
}

// AppendQuery appends a question for the IPv4 addresses of a name, by or for
// the clients of a prefix.
func AppendQuery(b []byte, id uint16, name Name, client netip.Prefix) []byte {
	b = binary.BigEndian.AppendUint16(b, id)
	b = append(b, 1, 0 /* RD */, 0, 1, 0, 0, 0, 0, 0, 1)
	b = append(append(b, name...), 0, typeA, 0, classIN)
	octets := (client.Bits() + 7) / 8
	b = append(b, 0, 0, typeOPT, bufferSize>>8, bufferSize&0xff, 0, 0, 0, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(8+octets))
	b = append(b, 0, optionECS)
	b = binary.BigEndian.AppendUint16(b, uint16(4+octets))
	family := byte(1)
	if client.Addr().Is6() {
		family = 2
	}
	b = append(b, 0, family, byte(client.Bits()), 0)
	return append(b, client.Masked().Addr().AsSlice()[:octets]...)
}

// Answer is what came back.
type Answer struct {
	ID        uint16
	Code      uint8 // RCODE; 0 is no error
	Truncated bool
	Addr      netip.Addr // the first address; the zero Addr: none
	Scoped    bool       // whether there is a scope
	Scope     uint8
	Signed    bool // there are signatures (RFC 4034, 3)
}

var errMessage = errors.New("not an answer: it ends early")

// Parse reads an answer.
func Parse(b []byte) (Answer, error) {
	if len(b) < headerSize {
		return Answer{}, errMessage
	}
	a := Answer{ID: binary.BigEndian.Uint16(b), Code: b[3] & 15, Truncated: b[2]&2 != 0}
	questions, records := int(binary.BigEndian.Uint16(b[4:])), 0
	for i := 6; i < headerSize; i += 2 {
		records += int(binary.BigEndian.Uint16(b[i:]))
	}
	at := headerSize
	for range questions {
		if at = skipName(b, at) + 4; at > len(b) {
			return Answer{}, errMessage
		}
	}
	for range records {
		at = skipName(b, at)
		if at+10 > len(b) {
			return Answer{}, errMessage
		}
		kind, end := binary.BigEndian.Uint16(b[at:]), at+10+int(binary.BigEndian.Uint16(b[at+8:]))
		if end > len(b) {
			return Answer{}, errMessage
		}
		a.take(kind, b[at+10:end])
		at = end
	}
	return a, nil
}

// take looks at the data of a record.
func (a *Answer) take(kind uint16, data []byte) {
	switch {
	case kind == typeA && len(data) == 4 && !a.Addr.IsValid():
		a.Addr = netip.AddrFrom4([4]byte(data))
	case kind == typeRRSIG:
		a.Signed = true
	case kind == typeOPT:
		for len(data) >= 4 {
			code, n := binary.BigEndian.Uint16(data), int(binary.BigEndian.Uint16(data[2:]))
			if data = data[4:]; n > len(data) {
				return
			}
			if code == optionECS && n >= 4 {
				a.Scoped, a.Scope = true, data[3]
			}
			data = data[n:]
		}
	}
}

// skipName gives where a name ends; past the end of b where it does not.
func skipName(b []byte, at int) int {
	for at < len(b) {
		switch n := int(b[at]); {
		case n == 0:
			return at + 1
		case n >= 0xc0:
			return at + 2
		default:
			at += 1 + n
		}
	}
	return len(b) + 1
}
