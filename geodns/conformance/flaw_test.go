package conformance

import (
	"encoding/binary"

	"github.com/miekg/dns"
)

// flaw is the first thing wrong with a message, read from its start to its end.
type flaw string

const (
	sound       flaw = ""
	noMessage   flaw = "no message"         // too short for a header
	anAnswer    flaw = "an answer"          // QR is set
	operation   flaw = "other operation"    // its opcode is not that of queries
	noQuestion  flaw = "no question"        // RFC 7873, 5.4 apart
	questions   flaw = "several questions"  // RFC 9619
	badName     flaw = "broken name"        // RFC 1035, 3.1, 4.1.4
	endsEarly   flaw = "ends early"         // counts or lengths tell of more than there is
	goesOn      flaw = "goes on"            // there is more than counts tell of
	misplaced   flaw = "OPT misplaced"      // RFC 6891, 6.1.1: not in the additional section, not alone, or not at the root
	badVersion  flaw = "other EDNS version" // RFC 6891, 6.1.3
	badOptions  flaw = "broken options"     // RFC 6891, 6.1.2
	badSubnet   flaw = "broken subnet"      // RFC 7871, 7.1.2, 7.2.1
	badCookie   flaw = "broken cookie"      // RFC 7873, 5.2.2
	metaType    flaw = "no type to ask for" // OPT (RFC 6891, 6.1.1), NXNAME (RFC 9824, 3.5)
	otherClass  flaw = "other class"
	otherPseudo flaw = "kind of question" // TKEY, TSIG, MAILA and the like, that we do not serve
)

// read reads a message as far as it can be read.
func read(msg []byte) *flaws {
	r := &flaws{msg: msg, off: headerSize}
	r.found = r.read()
	return r
}

func (r *flaws) read() flaw {
	msg := r.msg
	if len(msg) < headerSize {
		return noMessage
	}
	count := func(i int) int { return int(binary.BigEndian.Uint16(msg[4+2*i:])) }
	switch {
	case msg[2]&0x80 != 0:
		return anAnswer
	case msg[2]>>3&15 != dns.OpcodeQuery:
		return operation
	case count(0) > 1:
		return questions
	}
	rrtype, class, found := r.question(count(0))
	for section := 1; section < 4 && found == sound; section++ {
		for range count(section) {
			if found = r.record(section == 3); found != sound {
				break
			}
		}
	}
	switch {
	case found != sound:
		return found
	case r.off != len(msg):
		return goesOn
	case count(0) == 0:
		return noQuestion
	}
	return kindOf(rrtype, class)
}

func kindOf(rrtype, class uint16) flaw {
	switch {
	case rrtype == dns.TypeOPT, rrtype == dns.TypeNXNAME:
		return metaType
	case class != dns.ClassINET:
		return otherClass
	case rrtype > dns.TypeNXNAME && rrtype < dns.TypeIXFR, rrtype == dns.TypeMAILA, rrtype == dns.TypeMAILB:
		return otherPseudo
	}
	return sound
}

// flaws is what was read of a message.
type flaws struct {
	msg   []byte
	off   int
	found flaw

	opts  int      // OPT records
	size  uint16   // of an answer, as the first says
	flags uint16   // as the first says
	codes []uint16 // of its options
}

// limit is how long an answer the message takes.
func (r *flaws) limit() int { return max(int(r.size), dns.MinMsgSize) }

func (r *flaws) name() flaw {
	for start := r.off; ; {
		switch {
		case r.off >= len(r.msg):
			return endsEarly
		case r.msg[r.off] == 0:
			r.off++
			return sound
		case r.msg[r.off] >= 0xc0:
			if r.off += 2; r.off > len(r.msg) {
				return endsEarly
			}
			return sound
		case r.msg[r.off] >= 0x40:
			return badName
		}
		if r.off += 1 + int(r.msg[r.off]); r.off-start > 254 {
			return badName
		}
	}
}

func (r *flaws) question(n int) (rrtype, class uint16, _ flaw) {
	if n == 0 {
		return 0, 0, sound
	}
	start := r.off
	if found := r.name(); found != sound {
		return 0, 0, found
	}
	if r.off-start >= 2 && r.msg[r.off-2] >= 0xc0 { // nothing stands before it
		if _, _, err := dns.UnpackDomainName(r.msg, start); err != nil || r.msg[r.off-1] != 0 {
			return 0, 0, badName
		}
	}
	if len(r.msg)-r.off < 4 {
		return 0, 0, endsEarly
	}
	rrtype, class = binary.BigEndian.Uint16(r.msg[r.off:]), binary.BigEndian.Uint16(r.msg[r.off+2:])
	r.off += 4
	return rrtype, class, sound
}

func (r *flaws) record(additional bool) flaw {
	start := r.off
	if found := r.name(); found != sound {
		return found
	}
	root := r.off == start+1
	if len(r.msg)-r.off < 10 {
		return endsEarly
	}
	fixed := r.msg[r.off:]
	r.off += 10
	size := int(binary.BigEndian.Uint16(fixed[8:]))
	if len(r.msg)-r.off < size {
		return endsEarly
	}
	data := r.msg[r.off : r.off+size]
	r.off += size
	if binary.BigEndian.Uint16(fixed) != dns.TypeOPT {
		return sound
	}
	if r.opts++; !additional || !root || r.opts > 1 {
		return misplaced
	}
	r.size, r.flags = binary.BigEndian.Uint16(fixed[2:]), binary.BigEndian.Uint16(fixed[6:])
	if fixed[5] != 0 {
		return badVersion
	}
	return r.options(data)
}

// options reads the data of an OPT record.
func (r *flaws) options(data []byte) flaw {
	cookies, subnets := 0, 0
	for len(data) > 0 {
		if len(data) < 4 || len(data)-4 < int(binary.BigEndian.Uint16(data[2:])) {
			return badOptions
		}
		code, value := binary.BigEndian.Uint16(data), data[4:4+int(binary.BigEndian.Uint16(data[2:]))]
		data = data[4+len(value):]
		r.codes = append(r.codes, code)
		switch code {
		case dns.EDNS0SUBNET:
			if subnets++; subnets > 1 || !subnet(value) {
				return badSubnet
			}
		case dns.EDNS0COOKIE:
			if cookies++; cookies == 1 && len(value) != 8 && (len(value) < 16 || len(value) > 40) {
				return badCookie
			}
		}
	}
	return sound
}

// subnet reports whether an option is one as RFC 7871, 6, has it.
func subnet(v []byte) bool {
	if len(v) < 4 || v[3] != 0 {
		return false
	}
	family, bits, addr := binary.BigEndian.Uint16(v), int(v[2]), v[4:]
	if len(addr) != (bits+7)/8 || bits%8 != 0 && addr[len(addr)-1]<<(bits%8) != 0 {
		return false
	}
	return family == 0 && bits == 0 || family == 1 && bits <= 32 || family == 2 && bits <= 128
}
