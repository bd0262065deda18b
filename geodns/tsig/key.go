package tsig

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"hash"

	"landfall/geodns/zone"
)

// Key is a secret that two servers share.
type Key struct {
	Name      zone.Name
	Algorithm Algorithm
	Secret    []byte
}

// Algorithm is how a message is signed; the zero Algorithm is none.
type Algorithm uint8

// The algorithms (RFC 8945, 6).
const (
	SHA256 Algorithm = iota + 1
	SHA384
	SHA512
)

// String is the algorithm as key files write it.
func (a Algorithm) String() string {
	return [...]string{"none", "hmac-sha256", "hmac-sha384", "hmac-sha512"}[a]
}

// wire is the algorithm's name in messages.
func (a Algorithm) wire() zone.Name { return "\x0b" + zone.Name(a.String()) + "\x00" }

// size is the length of its signatures.
func (a Algorithm) size() int { return [...]int{0, sha256.Size, sha512.Size384, sha512.Size}[a] }

func (k Key) mac() hash.Hash {
	switch k.Algorithm {
	case SHA384:
		return hmac.New(sha512.New384, k.Secret)
	case SHA512:
		return hmac.New(sha512.New, k.Secret)
	default:
		return hmac.New(sha256.New, k.Secret)
	}
}

// Ring are the keys that a server knows. The nil Ring knows none.
type Ring struct {
	keys map[zone.Name]Key
}

// NewRing holds keys, of which no two have one name.
func NewRing(keys ...Key) *Ring {
	r := &Ring{keys: map[zone.Name]Key{}}
	for _, k := range keys {
		r.keys[k.Name] = k
	}
	return r
}

// Key finds a key by its name.
func (r *Ring) Key(name zone.Name) (Key, bool) {
	if r == nil {
		return Key{}, false
	}
	k, ok := r.keys[name]
	return k, ok
}

// Len is the number of keys.
func (r *Ring) Len() int {
	if r == nil {
		return 0
	}
	return len(r.keys)
}
