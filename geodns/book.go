package geodns

import (
	"hash/maphash"
	"net/netip"

	"landfall/geodns/plan"
	"landfall/geodns/zone"

	"github.com/miekg/dns"
)

// Sizes of a book: room for the usual answers of a large map, in 2 MiB.
const (
	bookLines = 1 << 14
	bookText  = 5 << 18
	bookReach = 8 // how far from its place a line may stand
)

// book is the answers that one core has given by one snapshot, to be given
// again: what stands after the question in them. It is written by the path that
// makes all answers, so that both say the same, and only for names that exist:
// those that somebody makes up would fill it. When it is full it is begun anew.
//
// What the plan decides has two steps: a line for the question, which says that
// the plan is to be asked, and one for each choice.
type book struct {
	of    *snapshot
	seed  maphash.Seed
	lines []line // by hash; one that is free ends the search
	text  []byte // names and records of lines
}

// entry is what a line is found by.
type entry struct {
	name   uint64 // hash of
	rrtype uint16
	do, co bool
	choice uint32 // and 1; 0: before the plan is asked, or where it is not
}

// line is an answer, or the word that the plan decides. Its name is in the text
// before its records.
type line struct {
	entry
	used          bool
	steered       bool // ask the plan, of this kind
	kind          plan.Kind
	authoritative bool
	signed        bool
	name          uint8 // its length
	asked         uint16
	size          uint16
	counts        [headerSize - sectionAnswer]byte
	at            uint32
}

func newBook() *book {
	return &book{seed: maphash.MakeSeed(), lines: make([]line, bookLines), text: make([]byte, 0, bookText)}
}

// begin takes everything out, and what comes is of a snapshot.
func (b *book) begin(of *snapshot) {
	if len(b.text) > 0 {
		clear(b.lines)
	}
	b.of, b.text = of, b.text[:0]
}

// open is what a query is found by, in a book of the snapshot.
func (b *book) open(of *snapshot, q *query) entry {
	if b.of != of {
		b.begin(of)
	}
	return entry{name: maphash.Bytes(b.seed, q.lower()), rrtype: q.rrtype, do: q.opt.do, co: q.opt.co}
}

// place is where the search for a line begins.
func (a *entry) place() uint64 {
	h := a.name ^ (uint64(a.rrtype)<<32|uint64(a.choice))*0x9e3779b97f4a7c15
	if a.do {
		h = ^h
	}
	return h ^ h>>32
}

// find is the line for a name asked for so; nil if there is none.
func (b *book) find(a entry, name []byte) *line {
	at := a.place()
	for i := range uint64(bookReach) {
		l := &b.lines[(at+i)%bookLines]
		if !l.used {
			return nil
		}
		if l.entry == a && string(b.text[l.at:l.at+uint32(l.name)]) == string(name) {
			return l
		}
	}
	return nil
}

// write adds a line. The name and the records are copied.
func (b *book) write(l line, name, records []byte) {
	size := len(name) + len(records)
	if size > cap(b.text)-len(b.text) {
		b.begin(b.of)
	}
	slot := b.free(l.place())
	if slot == nil {
		b.begin(b.of)
		slot = b.free(l.place())
	}
	l.used, l.at, l.name, l.size = true, uint32(len(b.text)), uint8(len(name)), uint16(len(records))
	b.text = append(append(b.text, name...), records...)
	*slot = l
}

// free is the first free line from a place on; nil if there is none in reach.
func (b *book) free(at uint64) *line {
	for i := range uint64(bookReach) {
		if l := &b.lines[(at+i)%bookLines]; !l.used {
			return l
		}
	}
	return nil
}

// answer fills the reply to a well-formed query, from the book if it can.
func (c *core) answer(client netip.Addr) (rcode int) {
	now := c.s.current.Load()
	if now == nil {
		return dns.RcodeServerFailure
	}
	if c.book == nil || c.q.class != dns.ClassINET {
		c.q.named()
		c.r.asked = now.in.counted[c.q.name]
		return c.s.answer(now, &c.r, client)
	}
	a := c.book.open(now, &c.q)
	if c.recall(a, client) {
		return dns.RcodeSuccess
	}
	c.q.named()
	c.r.asked = now.in.counted[c.q.name]
	rcode = c.s.answer(now, &c.r, client)
	if rcode == dns.RcodeSuccess && !c.r.cut && !c.r.truncated && now.steady(&c.q) {
		c.note(a)
	}
	return rcode
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
	if l.signed {
		limit = r.limit
	}
	if len(r.b)+int(l.size) > limit {
		return false
	}
	begin := l.at + uint32(l.name)
	r.b = append(r.b, b.text[begin:begin+uint32(l.size)]...)
	copy(r.b[sectionAnswer:headerSize], l.counts[:])
	r.authoritative, r.signed, r.asked = l.authoritative, l.signed, l.asked
	return true
}

// note writes down what was answered.
func (c *core) note(a entry) {
	r, name := &c.r, c.q.lower()
	if r.steered && c.book.find(a, name) == nil {
		c.book.write(line{entry: a, steered: true, kind: r.kind}, name, nil)
	}
	if r.steered {
		a.choice = r.choice + 1
	}
	l := line{entry: a, authoritative: r.authoritative, signed: r.signed, asked: r.asked}
	copy(l.counts[:], r.b[sectionAnswer:headerSize])
	if c.book.find(a, name) == nil { // else it was too long for this client
		c.book.write(l, name, r.b[headerSize+len(c.q.question):])
	}
}

// steady reports whether all who ask the same are told the same, but for what
// the plan has for them: whether the name exists, and so does that of which it
// is an alias, if it is one.
func (s *snapshot) steady(q *query) bool {
	if q.rrtype >= 128 && q.rrtype <= 255 || q.rrtype == dns.TypeNSEC || q.rrtype == dns.TypeRRSIG {
		return false // not data (RFC 6895, 3.1), or seldom asked for
	}
	name := q.name
	for range maxChain {
		z := s.zones.For(name, q.rrtype)
		if z == nil { // where an alias led
			return true
		}
		m := z.Find(name)
		switch {
		case m.Kind == zone.Delegated:
			return m.Node != nil
		case m.Kind != zone.Found || m.Source != "":
			return false
		}
		cname, alias := m.Node.Set(dns.TypeCNAME)
		if !alias || q.rrtype == dns.TypeCNAME {
			return true
		}
		name = zone.Lower(cname.Data[0])
	}
	return true
}
