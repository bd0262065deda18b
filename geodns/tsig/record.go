package tsig

import (
	"encoding/binary"

	"landfall/geodns/zone"
)

// Type is that of a TSIG record (RFC 8945, 4.2).
const Type = 250

const classANY = 255

// record is a TSIG record as it stands in a message.
type record struct {
	key       zone.Name
	algorithm zone.Name
	time      uint64 // seconds since 1970, 48 bits
	fudge     uint16 // seconds that clocks may differ by
	mac       []byte
	id        uint16 // of the message when it was signed
	err       uint16
	other     []byte
}

// parse reads the record that a message ends with. Neither of its names is
// ever compressed, and each is in lower case afterwards.
func parse(b []byte) (r record, ok bool) {
	if r.key, b, ok = name(b); !ok || len(b) < 10 {
		return r, false
	}
	fixed, data := b[:10], b[10:]
	if binary.BigEndian.Uint16(fixed) != Type || binary.BigEndian.Uint16(fixed[2:]) != classANY ||
		binary.BigEndian.Uint32(fixed[4:]) != 0 || int(binary.BigEndian.Uint16(fixed[8:])) != len(data) {
		return r, false
	}
	if r.algorithm, b, ok = name(data); !ok || len(b) < 10 {
		return r, false
	}
	r.time = uint64(binary.BigEndian.Uint16(b))<<32 | uint64(binary.BigEndian.Uint32(b[2:]))
	r.fudge = binary.BigEndian.Uint16(b[6:])
	size := int(binary.BigEndian.Uint16(b[8:]))
	if b = b[10:]; len(b) < size+6 {
		return r, false
	}
	r.mac, b = b[:size], b[size:]
	r.id, r.err = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	r.other = b[6:]
	return r, len(r.other) == int(binary.BigEndian.Uint16(b[4:]))
}

// name reads a name that is not compressed.
func name(b []byte) (n zone.Name, rest []byte, ok bool) {
	for i := 0; i < len(b) && i < 255; {
		size := int(b[i])
		switch {
		case size == 0:
			return zone.Lower(b[:i+1]), b[i+1:], true
		case size > 63:
			return "", nil, false
		}
		i += 1 + size
	}
	return "", nil, false
}

// append writes the record.
func (r *record) append(b []byte) []byte {
	b = append(b, r.key...)
	b = binary.BigEndian.AppendUint16(b, Type)
	b = binary.BigEndian.AppendUint16(b, classANY)
	b = binary.BigEndian.AppendUint32(b, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(len(r.algorithm)+16+len(r.mac)+len(r.other)))
	b = append(b, r.algorithm...)
	b = r.timers(b)
	b = binary.BigEndian.AppendUint16(b, uint16(len(r.mac)))
	b = append(b, r.mac...)
	b = binary.BigEndian.AppendUint16(b, r.id)
	return r.tail(b)
}

// timers is what is signed of every message (RFC 8945, 5.3.1).
func (r *record) timers(b []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(r.time>>32))
	b = binary.BigEndian.AppendUint32(b, uint32(r.time))
	return binary.BigEndian.AppendUint16(b, r.fudge)
}

func (r *record) tail(b []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, r.err)
	b = binary.BigEndian.AppendUint16(b, uint16(len(r.other)))
	return append(b, r.other...)
}

// variables is what is signed of the first message (RFC 8945, 4.3.3).
func (r *record) variables(b []byte) []byte {
	b = append(b, r.key...)
	b = binary.BigEndian.AppendUint16(b, classANY)
	b = binary.BigEndian.AppendUint32(b, 0)
	b = append(b, r.algorithm...)
	return r.tail(r.timers(b))
}
