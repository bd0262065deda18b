package fragment

import (
	"encoding/binary"
	"errors"
)

// Bounds of what is carried.
const (
	Overhead = 14   // bytes of a part's header
	MaxSize  = 2048 // bytes of a datagram
	MaxParts = 8    // of a datagram

	magic   = 'F'
	version = 2
	tagAt   = 10
)

// ErrSize says that a datagram cannot be carried in parts: it is larger than
// MaxSize, or the path is so narrow that it would take more than MaxParts.
var ErrSize = errors.New("datagram cannot be carried in fragments")

// Count is the number of parts that a datagram of size bytes needs where mtu
// is the largest UDP payload. It is 1 if the datagram fits as it is.
func Count(size, mtu int) (int, error) {
	if size <= mtu {
		return 1, nil
	}
	room := mtu - Overhead
	if size > MaxSize || room*MaxParts < size {
		return 0, ErrSize
	}
	return ceil(size, room), nil
}

// Append appends to dst the part with this index out of count, which Count
// told and is at least 2. All parts but the last are of the same size. The key
// is that of parts from us to whoever puts them together. Datagrams under way to the same address at the same time need different
// ids.
func Append(dst, datagram []byte, key *Key, id uint32, index, count int) []byte {
	size := ceil(len(datagram), count)
	from := index * size
	to := min(from+size, len(datagram))
	header := len(dst)
	dst = append(dst, magic, version)
	dst = binary.BigEndian.AppendUint32(dst, id)
	dst = append(dst, byte(index), byte(count))
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(datagram)))
	dst = binary.BigEndian.AppendUint32(dst, tag(key, dst[header:]))
	return append(dst, datagram[from:to]...)
}

// Split gives emit each part of a datagram that is larger than mtu, one after
// the other in buf, which grows if it is too small. A datagram that fits is
// given as it is.
func Split(buf, datagram []byte, mtu int, key *Key, id uint32, emit func(part []byte)) error {
	count, err := Count(len(datagram), mtu)
	switch {
	case err != nil:
		return err
	case count == 1:
		emit(datagram)
		return nil
	}
	for i := range count {
		buf = Append(buf[:0], datagram, key, id, i, count)
		emit(buf)
	}
	return nil
}

func ceil(a, b int) int { return (a + b - 1) / b }

// Is reports whether b may be a part: nothing is known yet but its first
// byte.
func Is(b []byte) bool { return len(b) > 0 && b[0] == magic }

// Genuine reports whether b is a part whose header was made with this key: by
// our peer, or recorded from it.
func Genuine(b []byte, key *Key) bool {
	return len(b) > Overhead && Is(b) && binary.BigEndian.Uint32(b[tagAt:]) == tag(key, b)
}

// tag is a keyed hash of the header that b begins with.
func tag(key *Key, b []byte) uint32 { return uint32(sip(key, b[:tagAt])) }

// ErrMalformed says that a datagram is not a part.
var ErrMalformed = errors.New("malformed fragment")

// part is one as it was received.
type part struct {
	id           uint32
	index, count int
	total        int
	body         []byte
}

// parse reads a part, and only what Append could have written.
func parse(b []byte) (part, error) {
	if len(b) <= Overhead || b[0] != magic || b[1] != version {
		return part{}, ErrMalformed
	}
	p := part{
		id:    binary.BigEndian.Uint32(b[2:]),
		index: int(b[6]), count: int(b[7]),
		total: int(binary.BigEndian.Uint16(b[8:])),
		body:  b[Overhead:],
	}
	if p.count < 2 || p.count > MaxParts || p.index >= p.count || p.total > MaxSize {
		return part{}, ErrMalformed
	}
	if len(p.body) != min(p.size(), p.total-p.at()) {
		return part{}, ErrMalformed
	}
	return p, nil
}

// size is that of all parts but the last.
func (p part) size() int { return ceil(p.total, p.count) }

// at is where the part lies in the datagram.
func (p part) at() int { return p.index * p.size() }
