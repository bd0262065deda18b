package tsig

import (
	"crypto/hmac"
	"encoding/binary"
	"slices"
	"time"

	"landfall/geodns/zone"
)

// Codes are what can be wrong with a signature (RFC 8945, 3).
const (
	BadSig   = 16
	BadKey   = 17
	BadTime  = 18
	BadTrunc = 22
)

// fudge is how far the clocks of two servers may be apart, in seconds (RFC
// 8945, 10).
const fudge = 300

// headerSize is the length of a message's header (RFC 1035, 4.1.1).
const headerSize = 12

// Session is a signed message and what answers it.
type Session struct {
	key    Key
	prior  []byte // the signature before; empty before the first
	signed record // the record of the message that came
	err    uint16
	later  bool // the first answer is signed already
}

// Verify checks the TSIG record that a message ends with, from at on. It is
// false where there is no telling what the record says: such a message is
// malformed. A Session of whom nothing is believed has an Error.
func (r *Ring) Verify(msg []byte, at int, now time.Time) (*Session, bool) {
	if at < headerSize || at > len(msg) {
		return nil, false
	}
	rec, ok := parse(msg[at:])
	if !ok || binary.BigEndian.Uint16(msg[10:]) == 0 {
		return nil, false
	}
	s := &Session{signed: rec}
	if s.key, ok = r.Key(rec.key); !ok || s.key.Algorithm.wire() != rec.algorithm {
		s.err = BadKey
		return s, true
	}
	size := s.key.Algorithm.size()
	switch {
	case len(rec.mac) > size, len(rec.mac) < max(10, size/2): // RFC 8945, 5.2.2.1
		return nil, false
	case len(rec.mac) < size:
		s.err = BadTrunc
		return s, true
	case !hmac.Equal(rec.mac, s.digest(msg[:at], &rec)):
		s.err = BadSig
		return s, true
	}
	s.prior = slices.Clone(rec.mac)
	if gap := now.Unix() - int64(rec.time); gap > int64(rec.fudge) || gap < -int64(rec.fudge) {
		s.err = BadTime
	}
	return s, true
}

// Begin is a Session of ours: what it signs first is a request.
func (k Key) Begin() *Session {
	return &Session{key: k, signed: record{key: k.Name, algorithm: k.Algorithm.wire()}}
}

// Error is what is wrong with the signature; 0: nothing is.
func (s *Session) Error() uint16 { return s.err }

// Key is the name of the key that the message says it was signed with.
func (s *Session) Key() zone.Name { return s.signed.key }

// Size is the length of what Sign adds to a message.
func (s *Session) Size() int {
	rec := record{key: s.signed.key, algorithm: s.signed.algorithm, other: make([]byte, 6)}
	return len(rec.append(nil)) + s.key.Algorithm.size()
}

// Sign adds the record to a message that has none. An error about the key or
// the signature goes unsigned, for nothing is shared (RFC 8945, 5.3.2).
func (s *Session) Sign(msg []byte, now time.Time) []byte {
	rec := record{
		key: s.signed.key, algorithm: s.signed.algorithm, time: uint64(now.Unix()), fudge: fudge,
		id: binary.BigEndian.Uint16(msg), err: s.err,
	}
	switch s.err {
	case BadTime: // RFC 8945, 5.2.3
		rec.time, rec.fudge = s.signed.time, s.signed.fudge
		rec.other = binary.BigEndian.AppendUint16(nil, uint16(now.Unix()>>32))
		rec.other = binary.BigEndian.AppendUint32(rec.other, uint32(now.Unix()))
		fallthrough
	case 0:
		binary.BigEndian.PutUint16(msg[10:], binary.BigEndian.Uint16(msg[10:])+1) // digest takes it off
		rec.mac = s.digest(msg, &rec)
		s.prior, s.later = rec.mac, true
	default:
		binary.BigEndian.PutUint16(msg[10:], binary.BigEndian.Uint16(msg[10:])+1)
	}
	return rec.append(msg)
}

// Answered checks the signature of a message that answers what this Session
// signed, and reports whether all is well: a request that we signed, and its
// one answer.
func (s *Session) Answered(msg []byte, at int, now time.Time) bool {
	if at < headerSize || at > len(msg) || binary.BigEndian.Uint16(msg[10:]) == 0 {
		return false
	}
	rec, ok := parse(msg[at:])
	if !ok || rec.key != s.key.Name || rec.algorithm != s.key.Algorithm.wire() || rec.err != 0 {
		return false
	}
	was := s.later
	s.later = false // an answer signs all variables
	good := hmac.Equal(rec.mac, s.digest(msg[:at], &rec))
	s.later = was
	gap := now.Unix() - int64(rec.time)
	return good && gap <= int64(rec.fudge) && gap >= -int64(rec.fudge)
}

// digest is the signature of a message, whose header counts the record.
func (s *Session) digest(msg []byte, rec *record) []byte {
	h := s.key.mac()
	if len(s.prior) > 0 {
		h.Write(binary.BigEndian.AppendUint16(nil, uint16(len(s.prior))))
		h.Write(s.prior)
	}
	header := [headerSize]byte(msg)
	binary.BigEndian.PutUint16(header[0:], rec.id)
	binary.BigEndian.PutUint16(header[10:], binary.BigEndian.Uint16(header[10:])-1)
	h.Write(header[:])
	h.Write(msg[headerSize:])
	if s.later {
		h.Write(rec.timers(nil))
	} else {
		h.Write(rec.variables(nil))
	}
	return h.Sum(nil)
}
