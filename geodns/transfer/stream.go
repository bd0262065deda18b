package transfer

import (
	"encoding/binary"
	"errors"
	"iter"

	"landfall/geodns/zone"
)

const (
	headerSize = 12
	// chunk is how long a message becomes before the next begins: answers to
	// other queries of the connection go in between.
	chunk = 16 << 10
	// longest is the longest message (RFC 1035, 4.2.2).
	longest = 65535
)

// errTooLong is a record that fits no message.
var errTooLong = errors.New("a record is longer than a message")

// Request is what was asked for.
type Request struct {
	Header   [headerSize]byte // of the query
	Question []byte           // as the client wrote it
	Apex     zone.Name        // the name in it
	Reserve  int              // bytes that Emit adds to each message
}

// Send cuts records into messages and gives each to emit, which may add to it
// but not keep it. Each repeats the question, which names of the zone point to
// (RFC 5936, 2.2.1 and 3.4).
func (q *Request) Send(all iter.Seq[Record], emit func(msg []byte) error) error {
	buf := make([]byte, 0, chunk+512)
	msg, count := q.begin(buf), uint16(0)
	end := func() error {
		binary.BigEndian.PutUint16(msg[6:], count)
		return emit(msg)
	}
	for r := range all {
		before := len(msg)
		msg = q.append(msg, r)
		if len(msg)+q.Reserve <= chunk || count == 0 && len(msg)+q.Reserve <= longest {
			count++
			continue
		}
		if count == 0 {
			return errTooLong
		}
		// What was written of the record is written again at the start of the
		// next message, which emit must not see.
		msg = msg[:before:before]
		if err := end(); err != nil {
			return err
		}
		msg, count = q.append(q.begin(buf), r), 1
		if len(msg)+q.Reserve > longest {
			return errTooLong
		}
	}
	return end()
}

// begin writes what each message begins with.
func (q *Request) begin(b []byte) []byte {
	b = append(b[:0], q.Header[:4]...)
	b[2] = b[2]&0x79 | 0x84 // keep opcode and RD, say QR and AA
	b[3] = 0
	b = append(b, 0, 1, 0, 0, 0, 0, 0, 0)
	return append(b, q.Question...)
}

func (q *Request) append(b []byte, r Record) []byte {
	if own, ok := below(r.Owner, q.Apex); ok {
		b = append(b, own...)
		b = append(b, 0xc0, headerSize)
	} else {
		b = append(b, r.Owner...)
	}
	b = binary.BigEndian.AppendUint16(b, r.Type)
	b = binary.BigEndian.AppendUint16(b, 1) // IN
	b = binary.BigEndian.AppendUint32(b, r.TTL)
	b = binary.BigEndian.AppendUint16(b, uint16(len(r.Data)))
	return append(b, r.Data...)
}

// below is the part of a name before the apex.
func below(name, apex zone.Name) (zone.Name, bool) {
	return name[:max(len(name)-len(apex), 0)], name.Within(apex)
}
