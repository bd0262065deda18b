package relay

import (
	"crypto/hmac"
	"crypto/sha256"
)

const (
	block = sha256.BlockSize
	usual = 2048 // payloads up to this size are authenticated without allocating
)

// sum is the MAC of a frame: HMAC-SHA-256 over all of it but the MAC's own
// place, cut to its first half.
//
// It is written out (RFC 2104, 2) because crypto/hmac allocates half a
// kilobyte each time, and its state may not be shared between callers.
func sum(key *[32]byte, frame []byte) (mac [macSize]byte) {
	payload := frame[Overhead:]
	if len(payload) > usual {
		h := hmac.New(sha256.New, key[:])
		h.Write(frame[:macAt])
		h.Write(payload)
		copy(mac[:], h.Sum(nil))
		return mac
	}
	var in [block + macAt + usual]byte
	pad(in[:block], key, 0x36)
	n := block + copy(in[block:], frame[:macAt])
	n += copy(in[n:], payload)
	inner := sha256.Sum256(in[:n])

	var out [block + sha256.Size]byte
	pad(out[:block], key, 0x5c)
	copy(out[block:], inner[:])
	outer := sha256.Sum256(out[:])
	copy(mac[:], outer[:])
	return mac
}

// pad fills the first block of a hash with the key.
func pad(b []byte, key *[32]byte, with byte) {
	for i := range b {
		b[i] = with
	}
	for i, k := range key {
		b[i] ^= k
	}
}
