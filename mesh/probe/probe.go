package probe

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"landfall"
)

// Layout of a probe; all have the same size, so none amplifies another.
const (
	Size = 44

	magic   = 'L'
	version = 1
	macAt   = 28
	macSize = Size - macAt
)

// Kind says what a probe asks.
type Kind uint8

// The kinds.
const (
	Ping Kind = 1 // answer me
	Pong Kind = 2 // the answer, with the stamp of the ping
)

// ID names a direction between two nodes to those who know its key; it tells
// others nothing about who they are.
type ID [8]byte

// Message is one probe.
type Message struct {
	Kind Kind
	// Initiate asks the peer to start a WireGuard handshake: we have no
	// session with it, and it is not our turn to start one.
	Initiate bool
	// Stamp is a ping's number: nanoseconds since 1970 by the sender's clock,
	// never the same twice and never falling while it lives.
	Stamp int64
	// Pass is, in a pong, what its sender wants to see in pings; in a ping,
	// what was in the receiver's last pong, or 0. See Window.
	Pass uint64
}

// Keys seal probes to one peer and open probes from it.
type Keys struct {
	From ID // of what we receive

	to         ID
	seal, open [32]byte
}

// NewKeys derives the keys between the owner of self, who computed the
// secret, and peer.
func NewKeys(secret [32]byte, self, peer landfall.PublicKey) (Keys, error) {
	var k Keys
	var err error
	if k.to, k.seal, err = derive(secret, self, peer); err != nil {
		return Keys{}, err
	}
	k.From, k.open, err = derive(secret, peer, self)
	return k, err
}

// derive makes the id and key of one direction (RFC 5869).
func derive(secret [32]byte, from, to landfall.PublicKey) (id ID, key [32]byte, err error) {
	info := "landfall probe v1\x00" + string(from[:]) + string(to[:])
	b, err := hkdf.Key(sha256.New, secret[:], nil, info, len(id)+len(key))
	if err != nil {
		return id, key, fmt.Errorf("derive probe key: %w", err)
	}
	copy(id[:], b)
	copy(key[:], b[len(id):])
	return id, key, nil
}

// Seal is the wire form of m.
func (k *Keys) Seal(m Message) [Size]byte {
	var b [Size]byte
	b[0], b[1], b[2] = magic, version, byte(m.Kind)
	if m.Initiate {
		b[3] = 1
	}
	copy(b[4:], k.to[:])
	binary.BigEndian.PutUint64(b[12:], uint64(m.Stamp))
	binary.BigEndian.PutUint64(b[20:], m.Pass)
	mac := sum(&k.seal, b[:macAt])
	copy(b[macAt:], mac[:])
	return b
}

// Why Peek and Open refuse a datagram.
var (
	ErrNotProbe = errors.New("not a probe")
	ErrForged   = errors.New("forged probe")
)

// Peek tells which keys open b, without any proof yet that it is genuine.
func Peek(b []byte) (ID, error) {
	if len(b) != Size || b[0] != magic || b[1] != version {
		return ID{}, ErrNotProbe
	}
	return ID(b[4:12]), nil
}

// Open reads and authenticates what the peer sealed for us.
func (k *Keys) Open(b []byte) (Message, error) {
	id, err := Peek(b)
	if err != nil {
		return Message{}, err
	}
	mac := sum(&k.open, b[:macAt])
	if id != k.From || !hmac.Equal(mac[:], b[macAt:]) {
		return Message{}, ErrForged
	}
	m := Message{
		Kind: Kind(b[2]), Initiate: b[3]&1 != 0,
		Stamp: int64(binary.BigEndian.Uint64(b[12:])), Pass: binary.BigEndian.Uint64(b[20:]),
	}
	if m.Kind != Ping && m.Kind != Pong || m.Stamp <= 0 {
		return Message{}, ErrNotProbe
	}
	return m, nil
}

func sum(key *[32]byte, b []byte) (mac [macSize]byte) {
	h := hmac.New(sha256.New, key[:])
	h.Write(b)
	copy(mac[:], h.Sum(nil))
	return mac
}
