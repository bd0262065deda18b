package cookie

import (
	"encoding/binary"
	"net/netip"
	"time"
)

// Sizes of the option's data (RFC 7873, 4). What we tell is FullSize long;
// other servers' cookies, which clients may confuse with ours, up to MaxSize.
const (
	ClientSize    = 8
	MinServerSize = 8
	FullSize      = ClientSize + 16
	MaxSize       = ClientSize + 32
)

// How far the time in a cookie may be off (RFC 9018, 4.3).
const (
	maxAge    = time.Hour
	maxFuture = 5 * time.Minute
	// fresh is how old a cookie may be that a client is told again.
	fresh = 30 * time.Minute
)

// version is the layout of RFC 9018, 4.
const version = 1

// Secret is what the cookies of a server hang on. Name servers that answer at
// one address share it.
type Secret [16]byte

// Wellformed reports whether the data of an option can be a cookie: the
// client's alone, or with a server's (RFC 7873, 5.2.2).
func Wellformed(data []byte) bool {
	return len(data) == ClientSize || len(data) >= ClientSize+MinServerSize && len(data) <= MaxSize
}

// Valid reports whether data, which is well-formed, holds a cookie that a
// server with this secret made for this client not long ago.
func (s Secret) Valid(data []byte, client netip.Addr, now time.Time) bool {
	if len(data) != FullSize || data[ClientSize] != version {
		return false
	}
	if age := age(data, now); age > int32(maxAge/time.Second) || age < -int32(maxFuture/time.Second) {
		return false
	}
	return s.hash(data[:ClientSize+8], client) == binary.LittleEndian.Uint64(data[ClientSize+8:])
}

// age is how many seconds ago a cookie of FullSize was made, in the arithmetic
// of serial numbers (RFC 1982), as times wrap in 2106.
func age(data []byte, now time.Time) int32 {
	return int32(uint32(now.Unix()) - binary.BigEndian.Uint32(data[ClientSize+4:]))
}

// Answer appends what to tell a client whose option was data, which is
// well-formed: a fresh cookie, or the same while it is one. It reports whether
// data was valid.
func (s Secret) Answer(b, data []byte, client netip.Addr, now time.Time) (told []byte, valid bool) {
	if valid = s.Valid(data, client, now); valid && age(data, now) <= int32(fresh/time.Second) {
		return append(b, data...), true
	}
	return s.Append(b, data, client, now), valid
}

// Append appends a fresh cookie for the client whose option was data, which is
// well-formed.
func (s Secret) Append(b, data []byte, client netip.Addr, now time.Time) []byte {
	start := len(b)
	b = append(b, data[:ClientSize]...)
	b = append(b, version, 0, 0, 0)
	b = binary.BigEndian.AppendUint32(b, uint32(now.Unix()))
	return binary.LittleEndian.AppendUint64(b, s.hash(b[start:], client))
}

// hash is over all of the cookie that stands before it, and the address
// (RFC 9018, 4.4).
func (s Secret) hash(head []byte, client netip.Addr) uint64 {
	var buf [ClientSize + 8 + 16]byte
	n := copy(buf[:], head)
	if client.Is4() {
		a := client.As4()
		n += copy(buf[n:], a[:])
	} else {
		a := client.As16()
		n += copy(buf[n:], a[:])
	}
	return sipHash(s, buf[:n])
}
