package probe

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"time"

	"landfall"
)

// Bits of the flags.
const (
	flagInitiate = 1 << iota
	flagDoubt
	flagBare
	flagNoRelay
	flagsKnown = flagInitiate | flagDoubt | flagBare | flagNoRelay
)

// AppendSeal appends the wire form of m to dst. Reports beyond MaxReports are
// left out.
func (k *Keys) AppendSeal(dst []byte, m Message) []byte {
	m.Reports = m.Reports[:min(len(m.Reports), MaxReports)]
	begin, body := len(dst), m.Len()-macSize
	dst = k.appendHead(dst, m)
	for _, r := range m.Reports {
		dst = binary.BigEndian.AppendUint32(dst, r.Node)
		dst = binary.BigEndian.AppendUint16(dst, steps(r.RTT))
		dst = append(dst, r.Loss)
	}
	dst = append(dst, make([]byte, body-(len(dst)-begin))...)
	mac := sum(&k.seal, dst[begin:])
	return append(dst, mac[:]...)
}

// appendHead appends all of m but its reports and padding.
func (k *Keys) appendHead(dst []byte, m Message) []byte {
	var flags byte
	if m.Initiate {
		flags |= flagInitiate
	}
	if m.Doubt {
		flags |= flagDoubt
	}
	if m.Bare {
		flags |= flagBare
	}
	if m.NoRelay {
		flags |= flagNoRelay
	}
	count, size := m.Sent, m.Size
	if m.Kind == Pong {
		count, size = m.Heard, m.Largest
	}
	dst = append(dst, magic, version, byte(m.Kind), flags)
	dst = append(dst, k.to[:]...)
	dst = binary.BigEndian.AppendUint64(dst, uint64(m.Stamp))
	dst = binary.BigEndian.AppendUint64(dst, m.Pass)
	dst = binary.BigEndian.AppendUint32(dst, m.Way)
	dst = binary.BigEndian.AppendUint32(dst, count)
	dst = binary.BigEndian.AppendUint16(dst, size)
	dst = append(dst, byte(len(m.Reports)), 0)
	return binary.BigEndian.AppendUint64(dst, uint64(m.Serial))
}

// steps rounds a round-trip time to the nearest step; one that is known never
// becomes 0, and one too long for its field becomes the longest.
func steps(d time.Duration) uint16 {
	if d <= 0 {
		return 0
	}
	return uint16(min(max(d.Round(rttStep)/rttStep, 1), 1<<16-1))
}

// Open reads and authenticates what the peer sealed for us.
func (k *Keys) Open(b []byte) (Message, error) {
	id, err := Peek(b)
	if err != nil {
		return Message{}, err
	}
	end := len(b) - macSize
	mac := sum(&k.open, b[:end])
	if id != k.From || !hmac.Equal(mac[:], b[end:]) {
		return Message{}, ErrForged
	}
	m := readHead(b)
	n := int(b[38])
	switch {
	case m.Kind != Ping && m.Kind != Pong, (m.Bare || m.NoRelay) && m.Kind != Pong, m.Stamp <= 0, b[3]&^flagsKnown != 0, b[39] != 0:
		return Message{}, ErrNotProbe
	case n > MaxReports, headSize+n*ReportSize > end:
		return Message{}, ErrNotProbe
	}
	m.Reports = readReports(b[headSize:][:n*ReportSize])
	if m.Len() != len(b) || !isZero(b[headSize+n*ReportSize:end]) {
		return Message{}, ErrNotProbe
	}
	return m, nil
}

// readHead reads all but the reports.
func readHead(b []byte) Message {
	m := Message{
		Kind: Kind(b[2]), Initiate: b[3]&flagInitiate != 0, Doubt: b[3]&flagDoubt != 0, Bare: b[3]&flagBare != 0,
		NoRelay: b[3]&flagNoRelay != 0,
		Stamp:   int64(binary.BigEndian.Uint64(b[12:])),
		Pass:    binary.BigEndian.Uint64(b[20:]),
		Way:     binary.BigEndian.Uint32(b[28:]),
		Serial:  landfall.Serial(binary.BigEndian.Uint64(b[40:])),
	}
	count, size := binary.BigEndian.Uint32(b[32:]), binary.BigEndian.Uint16(b[36:])
	if m.Kind == Pong {
		m.Heard, m.Largest = count, size
	} else {
		m.Sent, m.Size = count, size
	}
	return m
}

func readReports(b []byte) []Report {
	if len(b) == 0 {
		return nil
	}
	list := make([]Report, 0, len(b)/ReportSize)
	for ; len(b) > 0; b = b[ReportSize:] {
		list = append(list, Report{
			Node: binary.BigEndian.Uint32(b),
			RTT:  time.Duration(binary.BigEndian.Uint16(b[4:])) * rttStep,
			Loss: b[6],
		})
	}
	return list
}

func isZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// sum is the MAC over everything before it: HMAC-SHA-256 cut to 128 bits.
func sum(key *[32]byte, b []byte) (mac [macSize]byte) {
	h := hmac.New(sha256.New, key[:])
	h.Write(b)
	copy(mac[:], h.Sum(nil))
	return mac
}
