package geodns

import (
	"encoding/binary"
	"net/netip"
	"time"

	"landfall/geodns/plan"
	"landfall/geodns/zone"

	"github.com/miekg/dns"
)

// The sections of a message that records are put into, by the place of their
// counts in the header.
const (
	sectionAnswer     = 6
	sectionAuthority  = 8
	sectionAdditional = 10
)

// reply is an answer in the making.
type reply struct {
	b     []byte
	q     *query
	apex  zone.Name // of the zone that is asked; its names are compressed against it
	own   *extras
	limit int // of the message, less what the OPT record needs
	gain  int // the same, while there are no signatures in it

	authoritative bool
	truncated     bool
	cut           bool        // something did not fit
	secure        bool        // the zone that is asked proves what it says
	passing       bool        // a name that it tells of is none of the zone's, but may be made up without end
	excuse        excuse      // for who wants to know why there is no answer
	scope         uint8       // of the client subnet; 0: the answer is the same for all
	proofs        []zone.Glue // NSEC sets that the authority section is to hold

	via    transport     // what the query came by
	since  time.Duration // the server's start, when it came
	proven bool          // the address of the asker is no lie
	signer zone.Name     // the key that the query is signed with; empty: none
	whom   netip.Addr    // the client that edges were chosen for, to be counted; invalid: nobody
	asked  uint16        // the place that the name is counted at; 0: the name is none of ours
	named  *named        // the edge that comes first in the answer, to be counted; nil: none

	steered bool // the plan chose what is in it
	kind    plan.Kind
	choice  uint32
}

// newReply starts an answer in buf with the header and the question.
func newReply(buf, req []byte, q *query, limit int, own *extras) reply {
	r := reply{b: append(buf[:0], req[:headerSize]...), q: q, own: own}
	r.limit = limit + len(r.b) - len(q.opt.appendOPT(r.b, 0, 0, own))
	clear(r.b[4:headerSize])
	if len(q.question) > 0 {
		r.b = append(r.b, q.question...)
		r.b[5] = 1
	}
	return r
}

// set adds a set of records, and its signatures for who wants to hear them (RFC
// 3225, 3). One that does not fit makes the answer a truncated one, unless it
// is additional (RFC 2181, 9).
func (r *reply) set(section int, owner zone.Name, s zone.Set) {
	if r.truncated {
		return
	}
	before, n := len(r.b), len(s.Data)
	r.records(owner, s.Type, s.TTL, s.Data)
	if r.q.opt.do {
		r.records(owner, dns.TypeRRSIG, s.TTL, s.Sigs)
		n += len(s.Sigs)
	}
	if len(r.b) > r.limit {
		r.b = r.b[:before]
		r.cut = true
		r.truncated = section != sectionAdditional
		return
	}
	count := binary.BigEndian.Uint16(r.b[section:])
	binary.BigEndian.PutUint16(r.b[section:], count+uint16(n))
}

func (r *reply) records(owner zone.Name, rrtype uint16, ttl uint32, all [][]byte) {
	for _, data := range all {
		r.owner(owner)
		r.b = binary.BigEndian.AppendUint16(r.b, rrtype)
		r.b = binary.BigEndian.AppendUint16(r.b, dns.ClassINET)
		r.b = binary.BigEndian.AppendUint32(r.b, ttl)
		r.b = binary.BigEndian.AppendUint16(r.b, uint16(len(data)))
		r.b = append(r.b, data...)
	}
}

// owner writes the name of a record: the one in the question is pointed to
// (RFC 1035, 4.1.4), and so is the apex at its end.
func (r *reply) owner(name zone.Name) {
	if name == r.q.name {
		r.b = append(r.b, 0xc0, headerSize)
		return
	}
	if !name.Within(r.apex) { // where an alias led, or above
		r.b = append(r.b, name...)
		return
	}
	r.b = append(r.b, name[:len(name)-len(r.apex)]...)
	apex := headerSize + len(r.q.name) - len(r.apex)
	r.b = binary.BigEndian.AppendUint16(r.b, 0xc000|uint16(apex))
}

// finish completes the message. A truncated one holds no records at all, so
// that nobody takes a part for the whole.
func (r *reply) finish(rcode int) []byte {
	if r.truncated {
		r.empty()
	}
	r.b[2] = r.b[2]&0x79 | 0x80 // keep opcode and RD, say QR
	if r.authoritative {
		r.b[2] |= 0x04
	}
	if r.truncated {
		r.b[2] |= 0x02
	}
	r.b[3] = byte(rcode & 0xf) // no RA: we do not recurse
	if r.q.opt.present {
		r.b[11]++
		start := len(r.b)
		r.b = r.q.opt.appendOPT(r.b, rcode, r.scope, r.own)
		if r.excuse != unexcused {
			r.b = r.excuse.append(r.b, start)
		}
		if r.q.opt.padding && r.via.encrypted() {
			r.b = pad(r.b, start)
		}
	}
	return r.b
}

// empty takes all records out, and what would tell why there are none.
func (r *reply) empty() {
	r.excuse = unexcused
	r.b = r.b[:headerSize+len(r.q.question)]
	clear(r.b[6:headerSize])
}
