package class

import "landfall"

// The marks of our own datagrams.
const (
	cs6  = 48 // network control (RFC 4594, 3.1)
	af41 = 34 // what people wait for while they talk (RFC 4594, 4.3)
	cs0  = 0  // best effort
	le   = 1  // lower effort (RFC 8622)
)

// DSCP is the codepoint, of 6 bits, for datagrams of a class. A class that is
// not known is Normal.
func DSCP(c landfall.Class) uint8 {
	switch c {
	case landfall.Control:
		return cs6
	case landfall.Interactive:
		return af41
	case landfall.Bulk:
		return le
	}
	return cs0
}

// TOS is the TOS byte of IPv4, or the traffic class of IPv6, for datagrams of
// a class: the codepoint above the two bits of ECN (RFC 3168, 5).
func TOS(c landfall.Class, ecn uint8) uint8 { return DSCP(c)<<2 | ecn&3 }

// Of is the class of what bears a codepoint, ours or anybody else's. What is
// not known is Normal (RFC 2474, 3), as are codepoints of more than 6 bits.
func Of(dscp uint8) landfall.Class {
	switch dscp {
	case cs6, 56: // CS6, CS7
		return landfall.Control
	case 46, 44, 40, 32, af41, 36, 38: // EF, VOICE-ADMIT (RFC 5865), CS5, CS4, AF41 to AF43
		return landfall.Interactive
	case le, 8, 10, 12, 14: // LE, CS1, AF11 to AF13
		return landfall.Bulk
	}
	return landfall.Normal
}
