package dnssec

import (
	"crypto"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"landfall/geodns/zone"
)

// rrsigFixed is the length of the RDATA of an RRSIG record before the name of
// the signer (RFC 4034, 3.1).
const rrsigFixed = 18

// SignatureSize is the length of a signature (RFC 6605, 4).
const SignatureSize = 64

// Signer signs sets of one zone with one key, for one window. Any number of
// goroutines may use it.
type Signer struct {
	zone   zone.Name
	key    Key
	window Window
	cache  *Cache
}

// NewSigner makes a Signer. The cache may be nil; else signatures are looked up
// there, and kept.
func NewSigner(owner zone.Name, k Key, w Window, c *Cache) (*Signer, error) {
	if k.private == nil {
		return nil, fmt.Errorf("zone %s: key %d has no private half to sign with", owner, k.Tag)
	}
	if _, err := sign(k, [sha256.Size]byte{}); err != nil {
		return nil, fmt.Errorf("zone %s: key %d does not sign: %w", owner, k.Tag, err)
	}
	return &Signer{zone: owner, key: k, window: w, cache: c}, nil
}

// Sign makes the RDATA of the RRSIG record over a set (RFC 4034, 3.1.8.1). The
// owner is in lower case. Where it is a wildcard, the record holds for all
// names that answers are made of it for.
func (s *Signer) Sign(owner zone.Name, set zone.Set) []byte {
	b := make([]byte, 0, 512)
	b = binary.BigEndian.AppendUint16(b, set.Type)
	b = append(b, Algorithm, labels(owner))
	b = binary.BigEndian.AppendUint32(b, set.TTL)
	b = binary.BigEndian.AppendUint32(b, seconds(s.window.Until))
	b = binary.BigEndian.AppendUint32(b, seconds(s.window.From))
	b = binary.BigEndian.AppendUint16(b, s.key.Tag)
	b = append(b, s.zone...)
	head := len(b)
	digest := sha256.Sum256(appendSet(b, owner, set))
	out := make([]byte, head, head+SignatureSize)
	copy(out, b[:head])
	sig := s.signature(digest)
	return append(out, sig[:]...)
}

// signature is the key's over a digest. NewSigner saw the key sign, which takes
// nothing that it could run out of.
func (s *Signer) signature(digest [sha256.Size]byte) [SignatureSize]byte {
	id := cached{binary.BigEndian.Uint64(s.key.Public[4:]), digest}
	if sig, ok := s.cache.get(id); ok {
		return sig
	}
	sig, err := sign(s.key, digest)
	if err != nil {
		return sig
	}
	s.cache.put(id, sig)
	return sig
}

// labels counts those of a name, but for the root's and that of a wildcard (RFC
// 4034, 3.1.3).
func labels(n zone.Name) (count uint8) {
	for i := 0; n[i] != 0; i += 1 + int(n[i]) {
		if i > 0 || n[:2] != "\x01*" {
			count++
		}
	}
	return count
}

// seconds is a time as RRSIG records hold it (RFC 4034, 3.1.5).
func seconds(t time.Time) uint32 { return uint32(t.Unix()) }

// sign makes a signature as RFC 6605, 4 has it: both numbers, 32 bytes each.
// Without a source of randomness it is a function of key and digest (RFC 6979).
func sign(k Key, digest [sha256.Size]byte) (out [SignatureSize]byte, err error) {
	der, err := k.private.Sign(nil, digest[:], crypto.SHA256)
	if err != nil {
		return out, err
	}
	// SEQUENCE { INTEGER r, INTEGER s }, all lengths below 128 (X.690, 8).
	rest := der[2:]
	for i := range 2 {
		n := int(rest[1])
		number := rest[2 : 2+n]
		if n > SignatureSize/2 { // a zero in front says that it is positive
			number = number[n-SignatureSize/2:]
		}
		copy(out[(i+1)*SignatureSize/2-len(number):], number)
		rest = rest[2+n:]
	}
	if len(rest) != 0 {
		return out, errors.New("signature is not of two numbers")
	}
	return out, nil
}
