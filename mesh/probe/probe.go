package probe

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"landfall"
)

// Sizes of probes, in bytes.
const (
	MinSize    = headSize + macSize // of one without reports and padding
	ReportSize = 7                  // of each report
	MaxReports = 64                 // in one probe: it fits every path then
)

const (
	magic    = 'L'
	version  = 2
	headSize = 48
	macSize  = 16
)

// Kind says what a probe asks.
type Kind uint8

// The kinds.
const (
	Ping Kind = 1 // answer me
	Pong Kind = 2 // the answer, with the stamp and the way of the ping
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
	// Doubt says that the sender doubts whether this way still works.
	Doubt bool
	// Bare says that a pong's sender did not believe the ping, or not whence it
	// came: it says nothing of Heard and Largest, and has no reports.
	Bare bool
	// NoRelay says that a pong's sender forwards nothing for others.
	NoRelay bool
	// Stamp is a ping's number: nanoseconds since 1970 by the sender's clock,
	// never the same twice and never falling while it lives. A pong has that
	// of its ping.
	Stamp int64
	// Pass is, in a pong, what its sender wants to see in pings; in a ping,
	// what was in the receiver's last pong, or 0. See Window.
	Pass uint64
	// Way is a number that only who gets the ping can know. A pong has that of
	// its ping, which shows that its sender has got it.
	Way uint32
	// Sent is, in a ping, how many datagrams of data its sender has sent on
	// the way so far. It wraps around.
	Sent uint32
	// Heard is, in a pong, how many datagrams of data its sender has received
	// and authenticated that came by the way of the ping. It wraps around.
	Heard uint32
	// Largest is, in a pong, the UDP payload of the largest datagram received
	// on that way since the last pong for it; 0 if there was none.
	Largest uint16
	// Size is, in a ping, what the whole probe is padded to, to learn whether
	// a datagram of this size arrives. Smaller than the probe is anyway, such
	// as 0, it pads nothing.
	Size uint16
	// Serial is that of the map which the sender goes by; 0 if unknown.
	Serial landfall.Serial
	// Reports tell how the sender's own ways to other nodes are. See
	// MaxReports.
	Reports []Report
}

// Len is the size of m's wire form.
func (m *Message) Len() int {
	n := MinSize + ReportSize*min(len(m.Reports), MaxReports)
	if m.Kind == Ping {
		n = max(n, int(m.Size))
	}
	return n
}

// Keys seal probes to one peer and open probes from it. They may be used by
// many at once.
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
	info := "landfall probe v2\x00" + string(from[:]) + string(to[:])
	b, err := hkdf.Key(sha256.New, secret[:], nil, info, len(id)+len(key))
	if err != nil {
		return id, key, fmt.Errorf("derive probe key: %w", err)
	}
	copy(id[:], b)
	copy(key[:], b[len(id):])
	return id, key, nil
}

// Why Peek and Open refuse a datagram.
var (
	ErrNotProbe = errors.New("not a probe")
	ErrVersion  = errors.New("probe of another version")
	ErrForged   = errors.New("forged probe")
)

// Is reports whether b may be a probe: nothing is known yet but its first
// byte.
func Is(b []byte) bool { return len(b) > 0 && b[0] == magic }

// Peek tells which keys open b, without any proof yet that it is genuine.
func Peek(b []byte) (ID, error) {
	switch {
	case len(b) < 2 || b[0] != magic:
		return ID{}, ErrNotProbe
	case b[1] != version:
		return ID{}, ErrVersion
	case len(b) < MinSize:
		return ID{}, ErrNotProbe
	}
	return ID(b[4:]), nil
}

// Report is how one way of the sender's is: to another node, the best that
// does not lead through a third.
type Report struct {
	Node uint32        // ShortOf the other node
	RTT  time.Duration // in steps of 0.1 ms up to 6.5535 s; 0 if there is no way
	Loss uint8         // in 255ths
}

// rttStep is the precision of a reported round-trip time.
const rttStep = 100 * time.Microsecond

// ShortOf is the number that reports name a node by. Two nodes of a network of
// 200 share one with a chance of 1 in 200,000: so a report is a hint where to
// probe, and no more.
func ShortOf(network string, key landfall.PublicKey) uint32 {
	sum := sha256.Sum256([]byte("landfall probe node v2\x00" + network + "\x00" + string(key[:])))
	return binary.BigEndian.Uint32(sum[:])
}
