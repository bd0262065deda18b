package geodns

import (
	"encoding/binary"

	"github.com/miekg/dns"
)

// transport is what a message came by.
type transport uint8

// The transports.
const (
	viaUDP   transport = iota
	viaTCP             // RFC 7766
	viaTLS             // RFC 7858
	viaHTTPS           // RFC 8484

	transports
)

func (t transport) String() string { return [...]string{"udp", "tcp", "tls", "https"}[t] }

// encrypted reports whether others see no more of an answer than its length.
func (t transport) encrypted() bool { return t >= viaTLS }

// block is what the length of an encrypted answer is a multiple of, so that it
// tells nothing of what is asked (RFC 8467, 4.1).
const block = 468

// pad adds the option that makes a message as long as a number of blocks (RFC
// 7830, 3). Its last record is OPT, from start on. One that is nearly the
// longest there is stays as it is.
func pad(b []byte, start int) []byte {
	size := (len(b) + 4 + block - 1) / block * block
	if size >= dns.MaxMsgSize {
		return b
	}
	b = appendOption(b, dns.EDNS0PADDING, make([]byte, size-len(b)-4))
	const fixed = 1 + 2 + 2 + 4 + 2 // root, type, class, TTL, length
	binary.BigEndian.PutUint16(b[start+fixed-2:], uint16(len(b)-start-fixed))
	return b
}
