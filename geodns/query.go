package geodns

import (
	"encoding/binary"
	"unsafe"

	"landfall/geodns/zone"

	"github.com/miekg/dns"
)

// headerSize is the length of a message's header (RFC 1035, 4.1.1).
const headerSize = 12

// query is what a message asks. Slices point into the message.
type query struct {
	question []byte // as the client wrote it, for the answer; empty if there is none to repeat, or only a cookie is asked for
	rrtype   uint16
	class    uint16
	opt      opt

	name  zone.Name // in lower case; it lies in small, so that whoever keeps it has to make a copy
	size  int
	small [maxName]byte
}

// maxName is the length of the longest name (RFC 1035, 2.3.4).
const maxName = 255

// lower is the name in lower case, as zone.Name has it; it lasts until the
// next query.
func (q *query) lower() []byte { return q.small[:q.size] }

// named sets the name, as a string without a copy.
func (q *query) named() { q.name = zone.Name(unsafe.String(&q.small[0], q.size)) }

// begin forgets what the last query was.
func (q *query) begin() {
	q.question, q.name, q.size, q.rrtype, q.class = nil, "", 0, 0, 0
	q.opt = opt{}
}

// silent reports whether a message gets no answer at all: what is too short to
// have an id, and what is itself an answer, or two servers could be made to
// talk to each other for ever.
func silent(msg []byte) bool {
	return len(msg) < headerSize || msg[2]&0x80 != 0
}

// parse reads a query that is not silent. If the rcode is not success, the
// query is to be refused with it, and holds what was understood up to there.
func (q *query) parse(msg []byte) (rcode int) {
	q.begin()
	if opcode := msg[2] >> 3 & 0xf; opcode != dns.OpcodeQuery {
		return dns.RcodeNotImplemented
	}
	questions := binary.BigEndian.Uint16(msg[4:])
	if questions > 1 { // RFC 9619, 4
		return dns.RcodeFormatError
	}
	r := reader{msg: msg, off: headerSize}
	if questions == 1 && !r.question(q) {
		return dns.RcodeFormatError
	}
	others := int(binary.BigEndian.Uint16(msg[6:])) + int(binary.BigEndian.Uint16(msg[8:]))
	for range others {
		if rr, ok := r.record(); !ok || rr.rrtype == dns.TypeOPT { // RFC 6891, 6.1.1
			return dns.RcodeFormatError
		}
	}
	for range binary.BigEndian.Uint16(msg[10:]) {
		rr, ok := r.record()
		switch {
		case !ok:
			return dns.RcodeFormatError
		case rr.rrtype == dns.TypeOPT:
			if rcode := q.opt.parse(rr); rcode != dns.RcodeSuccess {
				return rcode
			}
		}
	}
	if r.off != len(msg) || questions == 0 && q.opt.cookie == nil { // RFC 7873, 5.4
		return dns.RcodeFormatError
	}
	return dns.RcodeSuccess
}

// reader goes through a message.
type reader struct {
	msg []byte
	off int
}

// record is a resource record as it stands in a message.
type record struct {
	root   bool // its owner is the root
	rrtype uint16
	class  uint16
	ttl    uint32
	data   []byte
}

// question reads the question section. The name in it cannot be compressed:
// nothing stands before it.
func (r *reader) question(q *query) bool {
	start := r.off
	if !r.skipName(false) || len(r.msg)-r.off < 4 {
		return false
	}
	q.size = lower(q.small[:], r.msg[start:r.off])
	q.rrtype = binary.BigEndian.Uint16(r.msg[r.off:])
	q.class = binary.BigEndian.Uint16(r.msg[r.off+2:])
	r.off += 4
	q.question = r.msg[start:r.off]
	return true
}

// lower copies a name in lower case, as zone.Lower does.
func lower(to, name []byte) int {
	for i, c := range name {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		to[i] = c
	}
	return len(name)
}

func (r *reader) record() (rr record, ok bool) {
	start := r.off
	if !r.skipName(true) || len(r.msg)-r.off < 10 {
		return rr, false
	}
	fixed := r.msg[r.off:]
	rr = record{
		root:   r.off == start+1,
		rrtype: binary.BigEndian.Uint16(fixed),
		class:  binary.BigEndian.Uint16(fixed[2:]),
		ttl:    binary.BigEndian.Uint32(fixed[4:]),
	}
	r.off += 10
	size := int(binary.BigEndian.Uint16(fixed[8:]))
	if len(r.msg)-r.off < size {
		return rr, false
	}
	rr.data = r.msg[r.off : r.off+size]
	r.off += size
	return rr, true
}

// skipName steps over a name (RFC 1035, 3.1 and 4.1.4). Where a pointer leads
// to does not matter to who only steps over it.
func (r *reader) skipName(compressed bool) bool {
	start := r.off
	for r.off < len(r.msg) && r.off-start < 255 {
		n := int(r.msg[r.off])
		switch {
		case n == 0:
			r.off++
			return true
		case n < 64:
			r.off += 1 + n
		case n >= 0xc0 && compressed:
			r.off += 2
			return r.off <= len(r.msg)
		default:
			return false
		}
	}
	return false
}
