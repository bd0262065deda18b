package relay

import (
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"

	"landfall"
)

// Overhead is how many bytes a frame has beyond its payload.
const Overhead = macAt + macSize

const (
	magic   = 'R'
	version = 1
	idAt    = 2
	farAt   = 10
	macAt   = 18
	macSize = 16
)

// Hop is one half of a relayed datagram's way.
type Hop uint8

// The hops.
const (
	First  Hop = 1 // from the source to the relay; far names the destination
	Second Hop = 2 // from the relay to the destination; far names the source
)

// ID names a pair, direction and hop to those who know its key; it tells
// others nothing about who they are.
type ID [8]byte

// Name is the short name of a node in a network.
type Name [8]byte

// NameOf is the short name of the node with this key.
func NameOf(network string, key landfall.PublicKey) Name {
	sum := sha256.Sum256([]byte("landfall relay name v1\x00" + network + "\x00" + string(key[:])))
	return Name(sum[:8])
}

// MAC is the part of a frame that stands for all of it, for it is a keyed hash
// of the rest: that of a frame which Open takes is hardly ever another's.
func MAC(b []byte) []byte { return b[macAt:Overhead] }

// Keys seal frames to one peer and open frames from it. They may be used by
// many at once.
type Keys struct {
	seal, open [2]lane // by hop
}

// lane is a pair, direction and hop.
type lane struct {
	id  ID
	key [32]byte
}

// NewKeys derives the keys between the owner of self, who computed the
// secret, and peer.
func NewKeys(secret [32]byte, self, peer landfall.PublicKey) (Keys, error) {
	var k Keys
	var err error
	for i := range k.seal {
		hop := Hop(i + 1)
		if k.seal[i], err = derive(secret, self, peer, hop); err != nil {
			return Keys{}, err
		}
		if k.open[i], err = derive(secret, peer, self, hop); err != nil {
			return Keys{}, err
		}
	}
	return k, nil
}

// derive makes the id and key of one direction and hop (RFC 5869).
func derive(secret [32]byte, from, to landfall.PublicKey, hop Hop) (l lane, err error) {
	info := fmt.Sprintf("landfall relay v1 hop %d\x00%s%s", hop, from[:], to[:])
	b, err := hkdf.Key(sha256.New, secret[:], nil, info, len(l.id)+len(l.key))
	if err != nil {
		return l, fmt.Errorf("derive relay key: %w", err)
	}
	copy(l.id[:], b)
	copy(l.key[:], b[len(l.id):])
	return l, nil
}

// Derive makes keys for something else that the two nodes share, one for each
// direction; the label says for what. It must not begin as a frame does.
func (k *Keys) Derive(label string) (seal, open [16]byte, err error) {
	s, err := hkdf.Expand(sha256.New, k.seal[0].key[:], label, len(seal))
	if err != nil {
		return seal, open, fmt.Errorf("derive key %q: %w", label, err)
	}
	o, err := hkdf.Expand(sha256.New, k.open[0].key[:], label, len(open))
	if err != nil {
		return seal, open, fmt.Errorf("derive key %q: %w", label, err)
	}
	return [16]byte(s), [16]byte(o), nil
}

// From is the id of the frames that the peer sends us on a hop.
func (k *Keys) From(hop Hop) ID { return k.open[hop-1].id }

// SealAppend appends to dst the frame that carries payload to the peer on a
// hop. The payload may stand where it will come to lie, Overhead bytes behind
// the end of dst: then it is not copied.
func (k *Keys) SealAppend(dst []byte, hop Hop, far Name, payload []byte) []byte {
	frame := len(dst)
	dst = slices.Grow(dst, Overhead+len(payload))
	copy(dst[frame+Overhead:cap(dst)], payload)
	dst = dst[:frame+Overhead+len(payload)]
	k.Seal(dst[frame:], hop, far)
	return dst
}

// Seal makes a frame in place: b is Overhead bytes of room, whatever is in
// them, and the payload.
func (k *Keys) Seal(b []byte, hop Hop, far Name) {
	l := &k.seal[hop-1]
	b[0], b[1] = magic, version
	copy(b[idAt:], l.id[:])
	copy(b[farAt:], far[:])
	mac := sum(&l.key, b)
	copy(b[macAt:], mac[:])
}

// Why Peek and Open refuse a datagram.
var (
	ErrNotRelayed = errors.New("not a relayed datagram")
	ErrForged     = errors.New("forged relayed datagram")
)

// Is reports whether b may be a frame: nothing is known yet but its first
// byte.
func Is(b []byte) bool { return len(b) > 0 && b[0] == magic }

// Peek tells which keys open b, without any proof yet that it is genuine.
func Peek(b []byte) (ID, error) {
	if len(b) <= Overhead || b[0] != magic || b[1] != version {
		return ID{}, ErrNotRelayed
	}
	return ID(b[idAt:]), nil
}

// Open authenticates a frame that the peer sealed for us, and tells which hop
// it came on and which node stands at the far end. The payload is a part of b.
func (k *Keys) Open(b []byte) (hop Hop, far Name, payload []byte, err error) {
	id, err := Peek(b)
	if err != nil {
		return 0, Name{}, nil, err
	}
	for i := range k.open {
		l := &k.open[i]
		if l.id != id {
			continue
		}
		mac := sum(&l.key, b)
		if subtle.ConstantTimeCompare(mac[:], b[macAt:Overhead]) == 1 {
			return Hop(i + 1), Name(b[farAt:]), b[Overhead:], nil
		}
	}
	return 0, Name{}, nil, ErrForged
}
