package geodns

import (
	"hash/maphash"
	"math/bits"
	"math/rand/v2"
	"net/netip"

	"landfall/geodns/plan"

	"github.com/miekg/dns"
)

// Sizes of a book: room for the usual answers of a large map, in 2 MiB. They
// are powers of two.
const (
	bookSets  = 1 << 11
	bookReach = 8 // how many lines there are for one place
	bookText  = 1 << 20
)

// book is the answers that one core has given by one snapshot, to be given
// again: what stands after the question in them. It is written by the path that
// makes all answers, so that both say the same, and only for names that exist
// and for types that somebody may want: what can be made up would fill it.
//
// A new line takes the place of one other, and its text that of the oldest.
// Where lines stand hangs on a seed, so that nobody can aim at one.
//
// What the plan decides has two steps: a line for the question, which says that
// the plan is to be asked, and one for each choice.
type book struct {
	of    *snapshot
	seed  maphash.Seed
	salt  [2]uint64
	sets  [][bookReach]line // by hash
	hand  int               // where the next line that has to give way is sought
	text  []byte            // names and records of lines, round and round
	next  uint64            // where the next text goes, counted on through all rounds
	begun uint64            // where that of this snapshot begins
}

// entry is what a line is found by.
type entry struct {
	name   uint64 // hash of
	choice uint32 // and 1; 0: before the plan is asked, or where it is not
	rrtype uint16
	do     bool
}

// line is an answer, or the word that the plan decides. Its name is in the text
// before its records.
type line struct {
	entry
	wanted        bool // lately
	at            uint64
	asked         uint16
	size          uint16
	name          uint8 // its length
	steered       bool  // ask the plan, of this kind
	kind          plan.Kind
	authoritative bool
	secure        bool
	counts        [headerSize - sectionAnswer]byte
}

func newBook() *book { return newBookOf(bookSets, bookText) }

func newBookOf(sets, text int) *book {
	return &book{
		seed: maphash.MakeSeed(), salt: [2]uint64{rand.Uint64(), rand.Uint64()},
		sets: make([][bookReach]line, sets), text: make([]byte, text),
		next: uint64(text), begun: uint64(text), // later than lines that were never written
	}
}

// open is what a query is found by, in a book of the snapshot.
func (b *book) open(of *snapshot, q *query) entry {
	if b.of != of {
		b.of, b.begun = of, b.next
	}
	return entry{name: maphash.Bytes(b.seed, q.lower()), rrtype: q.rrtype, do: q.opt.do}
}

// near are the lines that an entry may stand at.
func (b *book) near(a entry) *[bookReach]line {
	asked := uint64(a.choice)<<32 | uint64(a.rrtype)
	if a.do {
		asked |= 1 << 16
	}
	high, low := bits.Mul64(a.name^b.salt[0], asked^b.salt[1])
	return &b.sets[(high^low)&uint64(len(b.sets)-1)]
}

// good reports whether a line is of this snapshot, and its text still there.
func (b *book) good(l *line) bool { return l.at >= b.begun && b.next-l.at <= uint64(len(b.text)) }

// told is a part of the text.
func (b *book) told(at uint64, size int) []byte {
	at &= uint64(len(b.text) - 1)
	return b.text[at : at+uint64(size)]
}

// find is the line for a name asked for so; nil if there is none.
func (b *book) find(a entry, name []byte) *line {
	set := b.near(a)
	for i := range set {
		l := &set[i]
		if l.entry == a && b.good(l) && string(b.told(l.at, int(l.name))) == string(name) {
			l.wanted = true
			return l
		}
	}
	return nil
}

// write adds a line. The name and the records are copied.
func (b *book) write(l line, name, records []byte) {
	size := len(name) + len(records)
	if size > len(b.text) {
		return
	}
	if left := len(b.text) - int(b.next&uint64(len(b.text)-1)); size > left { // no text goes round
		b.next += uint64(left)
	}
	l.at, l.name, l.size = b.next, uint8(len(name)), uint16(len(records))
	b.next += uint64(size)
	copy(b.told(l.at, size), name)
	copy(b.told(l.at, size)[len(name):], records)
	*b.slot(l.entry) = l
}

// slot is where a line is written: in place of one that is no good any more,
// else of one that nobody wanted since this was sought here before.
func (b *book) slot(a entry) *line {
	set := b.near(a)
	for i := range set {
		if !b.good(&set[i]) {
			return &set[i]
		}
	}
	b.hand++
	for i := range set {
		l := &set[(b.hand+i)%bookReach]
		if !l.wanted {
			return l
		}
		l.wanted = false
	}
	return &set[b.hand%bookReach]
}

// answer fills the reply to a well-formed query, from the book if it can; what
// it had to make is news.
func (c *core) answer(client netip.Addr) (rcode int, news bool) {
	now := c.s.current.Load()
	if now == nil {
		return dns.RcodeServerFailure, false
	}
	written := c.book != nil && c.q.class == dns.ClassINET
	if written && c.recall(c.book.open(now, &c.q), client) {
		return dns.RcodeSuccess, false
	}
	c.q.named()
	c.r.asked = now.in.counted[c.q.name]
	return c.s.answer(now, &c.r, client), written
}

// recall fills the reply from the book; false leaves it as it was.
func (c *core) recall(a entry, client netip.Addr) bool {
	b, r, name := c.book, &c.r, c.q.lower()
	l := b.find(a, name)
	if l == nil {
		return false
	}
	if l.steered {
		i, scope := b.of.choose(r, l.kind, client)
		a.choice = i + 1
		if l = b.find(a, name); l == nil {
			return false
		}
		r.scope, r.named = scope, b.of.choices[i].named
	}
	limit := r.gain
	if l.secure {
		limit = r.limit
	}
	if len(r.b)+int(l.size) > limit {
		return false
	}
	r.b = append(r.b, b.told(l.at, int(l.name)+int(l.size))[l.name:]...)
	copy(r.b[sectionAnswer:headerSize], l.counts[:])
	r.authoritative, r.secure, r.asked = l.authoritative, l.secure, l.asked
	return true
}

// note writes down what was answered, if all who ask the same are told the
// same, but for what the plan has for them, and somebody may ask it.
func (c *core) note() {
	b, r, name := c.book, &c.r, c.q.lower()
	if r.cut || r.truncated || r.passing || !b.of.usual(c.q.rrtype) {
		return
	}
	a := b.open(b.of, &c.q)
	if r.steered && b.find(a, name) == nil {
		b.write(line{entry: a, steered: true, kind: r.kind}, name, nil)
	}
	if r.steered {
		a.choice = r.choice + 1
	}
	l := line{entry: a, authoritative: r.authoritative, secure: r.secure, asked: r.asked}
	copy(l.counts[:], r.b[sectionAnswer:headerSize])
	if b.find(a, name) == nil { // else it was too long for this client
		b.write(l, name, r.b[headerSize+len(c.q.question):])
	}
}

// usual reports whether a type is one that resolvers ask for, or that a zone
// has. All others would be denied, each in a line of its own.
func (s *snapshot) usual(rrtype uint16) bool {
	switch rrtype {
	case dns.TypeA, dns.TypeAAAA, dns.TypeHTTPS, dns.TypeSVCB, dns.TypeCNAME, dns.TypeTXT, dns.TypeMX, dns.TypeNS, dns.TypeSOA,
		dns.TypeSRV, dns.TypePTR, dns.TypeCAA, dns.TypeDS, dns.TypeDNSKEY:
		return true
	case dns.TypeNSEC, dns.TypeRRSIG: // seldom asked for
		return false
	}
	return s.zones.Has(rrtype) && (rrtype < 128 || rrtype > 255) // not data (RFC 6895, 3.1)
}
