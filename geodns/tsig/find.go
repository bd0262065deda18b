package tsig

import "encoding/binary"

// Find tells where the TSIG record of a message begins; 0: it has none. It is
// false for a message that cannot be read to its end, and for one with such a
// record anywhere but at its end (RFC 8945, 5.1).
func Find(msg []byte) (at int, ok bool) {
	if len(msg) < headerSize {
		return 0, false
	}
	off := headerSize
	for range binary.BigEndian.Uint16(msg[4:]) {
		if off = skip(msg, off) + 4; off < headerSize || off > len(msg) {
			return 0, false
		}
	}
	for section := 6; section <= 10; section += 2 {
		for range binary.BigEndian.Uint16(msg[section:]) {
			start, fixed := off, skip(msg, off)
			if at != 0 || fixed < 0 || fixed+10 > len(msg) {
				return 0, false
			}
			if binary.BigEndian.Uint16(msg[fixed:]) == Type {
				at = start
				if section != 10 {
					return 0, false
				}
			}
			if off = fixed + 10 + int(binary.BigEndian.Uint16(msg[fixed+8:])); off > len(msg) {
				return 0, false
			}
		}
	}
	return at, off == len(msg)
}

// skip is where what follows a name begins; far below 0 if there is no name.
func skip(msg []byte, off int) int {
	for off < len(msg) {
		switch n := int(msg[off]); {
		case n == 0:
			return off + 1
		case n >= 0xc0:
			return off + 2
		case n > 63:
			return -headerSize
		default:
			off += 1 + n
		}
	}
	return -headerSize
}
