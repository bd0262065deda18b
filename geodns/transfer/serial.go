package transfer

import (
	"encoding/binary"
	"time"
)

// ahead is added to the time to make a serial of it: a zone that comes from a
// server which numbered it by dates, such as 2026123199, still counts upwards.
const ahead = 1 << 28

// Newer reports whether serial a comes after b (RFC 1982, 3.2).
func Newer(a, b uint32) bool { return int32(a-b) > 0 }

// next is the serial of a zone that has changed: the time, so that copies
// follow whichever of several name servers changed last, even one that was
// started anew and knows nothing of what it told before, and in any case later
// than what there was.
func next(now time.Time, before ...uint32) uint32 {
	serial := uint32(now.Unix() + ahead)
	for _, b := range before {
		if !Newer(serial, b) {
			serial = b + 1
		}
	}
	return serial
}

// serialOf reads the serial of an SOA record (RFC 1035, 3.3.13).
func serialOf(soa Record) uint32 { return binary.BigEndian.Uint32(soa.Data[len(soa.Data)-20:]) }

// unnumbered is an SOA record's data but for its serial.
func unnumbered(soa Record) string {
	at := len(soa.Data) - 20
	return string(soa.Data[:at]) + string(soa.Data[at+4:])
}
