package tap

import (
	"encoding/binary"
	"math"
	"net/netip"
	"time"
)

// The fields of dnstap.proto that we write, and the values they take.
const (
	tapIdentity = 1
	tapVersion  = 2
	tapMessage  = 14
	tapType     = 15
	typeMessage = 1

	messageType       = 1
	messageFamily     = 2
	messageProtocol   = 3
	messageClient     = 4
	messageServer     = 5
	messageClientPort = 6
	messageServerPort = 7
	messageAsked      = 8 // seconds; nanoseconds in the next
	messageQuery      = 10
	messageAnswered   = 12 // seconds; nanoseconds in the next
	messageAnswer     = 14

	authQuery    = 1
	authResponse = 2
	inet         = 1
	inet6        = 2
)

// frames are those of an event: of the query, and of the answer if there is
// one.
func (t *Tap) frames(s *slot) [][]byte {
	out := [][]byte{t.frame(s, authQuery)}
	if len(s.Answer) > 0 {
		out = append(out, t.frame(s, authResponse))
	}
	return out
}

func (t *Tap) frame(s *slot, kind uint64) []byte {
	var m fields
	m.number(messageType, kind)
	if s.Client.Addr().Is4() {
		m.number(messageFamily, inet)
	} else {
		m.number(messageFamily, inet6)
	}
	m.number(messageProtocol, protocol(s.Via))
	m.peer(messageClient, messageClientPort, s.Client)
	m.peer(messageServer, messageServerPort, s.Server)
	m.time(messageAsked, s.Time)
	if kind == authQuery {
		m.bytes(messageQuery, s.Query)
	} else {
		m.time(messageAnswered, s.Time.Add(s.took))
		m.bytes(messageAnswer, s.Answer)
	}
	var f fields
	f.bytes(tapIdentity, []byte(t.cfg.Identity))
	f.bytes(tapVersion, []byte(t.cfg.Version))
	f.bytes(tapMessage, m)
	f.number(tapType, typeMessage)
	return f
}

func protocol(via string) uint64 {
	switch via {
	case "tcp":
		return 2
	case "tls":
		return 3
	case "https":
		return 4
	default:
		return 1
	}
}

// fields is a message of protocol buffers. Empty ones are left out.
type fields []byte

// The wire types.
const (
	varint  = 0
	counted = 2
	fixed32 = 5
)

func (f *fields) number(field int, n uint64) {
	*f = binary.AppendUvarint(*f, uint64(field<<3|varint))
	*f = binary.AppendUvarint(*f, n)
}

func (f *fields) bytes(field int, b []byte) {
	if len(b) == 0 {
		return
	}
	*f = binary.AppendUvarint(*f, uint64(field<<3|counted))
	*f = binary.AppendUvarint(*f, uint64(len(b)))
	*f = append(*f, b...)
}

func (f *fields) time(field int, t time.Time) {
	f.number(field, uint64(max(0, t.Unix())))
	*f = binary.AppendUvarint(*f, uint64((field+1)<<3|fixed32))
	*f = binary.LittleEndian.AppendUint32(*f, uint32(t.Nanosecond()&math.MaxInt32))
}

func (f *fields) peer(address, port int, a netip.AddrPort) {
	if a.Addr().IsValid() {
		f.bytes(address, a.Addr().AsSlice())
	}
	if a.Port() != 0 {
		f.number(port, uint64(a.Port()))
	}
}
