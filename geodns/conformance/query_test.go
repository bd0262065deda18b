package conformance

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// headerSize is the length of a message's header (RFC 1035, 4.1.1).
const headerSize = 12

// asker draws questions.
type asker struct {
	*rand.Rand
	names []string // that questions are about, or about what is above, below and beside them
}

// newAsker draws from the names of a zone.
func newAsker(seed uint64, zone string) *asker {
	a := &asker{Rand: rand.New(rand.NewPCG(seed, 5))}
	for line := range strings.Lines(zone) {
		if words := strings.Fields(line); len(words) > 2 && !strings.ContainsAny(words[0], ";$@") {
			a.names = append(a.names, words[0]+"."+static+".")
		}
	}
	slices.Sort(a.names)
	a.names = append(slices.Compact(a.names), static+".", "host.sub."+static+".", "host.secure."+static+".", "x.dname."+static+".",
		"c.dname."+static+".", "no.dname."+static+".", "a.wild."+static+".", "b.a.wild."+static+".", "y.z.wild."+static+".",
		"q.z.wild."+static+".", "a.host.wild."+static+".", "w.cwild."+static+".", "b.c.ent."+static+".", "star."+static+".",
		"a.star."+static+".", "_tcp."+static+".", "nothing."+static+".", "v.w.target."+static+".", "x.w.dname."+static+".",
		strings.Repeat("a.", 30)+"dlong."+static+".", strings.Repeat("abcdefghi.", 12)+"dlong."+static+".", "x.dout."+static+".",
		"test.", "example.com.", ".", "version.bind.", "id.server.")
	return a
}

var types = []uint16{
	dns.TypeNS, dns.TypeSOA, dns.TypeCNAME, dns.TypeMX, dns.TypeTXT, dns.TypeDNAME, dns.TypeDS, dns.TypeSRV, dns.TypeNAPTR, dns.TypePTR,
	dns.TypeCAA, dns.TypeHINFO, dns.TypeSSHFP, dns.TypeTLSA, dns.TypeLOC, dns.TypeRP, dns.TypeAFSDB, dns.TypeSVCB, dns.TypeHTTPS,
	dns.TypeURI, dns.TypeEUI48, dns.TypeKX, 65400, 65401, dns.TypeDNSKEY, dns.TypeNSEC,
}

// odd are types that are not for data.
var odd = []uint16{0, dns.TypeNULL, dns.TypeRRSIG, dns.TypeSIG, dns.TypeOPT, dns.TypeTKEY, dns.TypeTSIG, dns.TypeIXFR, dns.TypeAXFR,
	dns.TypeMAILB, dns.TypeMAILA, dns.TypeANY, dns.TypeNXNAME, 65535}

// question is a good one, more or less.
func (a *asker) question() *dns.Msg {
	m := new(dns.Msg).SetQuestion(a.name(), a.rrtype())
	m.Id = uint16(a.IntN(0xbee0))
	m.RecursionDesired = a.one(4)
	if a.one(100) {
		m.Question[0].Qclass = []uint16{dns.ClassCHAOS, dns.ClassANY, dns.ClassNONE, 0, 77, 65535}[a.IntN(6)]
	}
	if a.one(20) {
		m.AuthenticatedData, m.CheckingDisabled, m.Zero = a.one(2), a.one(2), a.one(3)
		m.Authoritative, m.Truncated, m.RecursionAvailable = a.one(4), a.one(4), a.one(4)
		m.Rcode = a.IntN(16) * a.IntN(2)
	}
	if a.one(100) {
		m.Opcode = a.IntN(16)
	}
	if !a.one(3) {
		a.edns(m)
	}
	if a.one(60) {
		a.crowd(m)
	}
	return m
}

func (a *asker) one(in int) bool { return a.IntN(in) == 0 }

// name is one of the zone, or near to one.
func (a *asker) name() string {
	name := a.names[a.IntN(len(a.names))]
	switch a.IntN(12) {
	case 0:
		name = []string{"x", "*", "a-b", "_p", "0", `\000`, `\.`, "sub", strings.Repeat("m", 63)}[a.IntN(9)] + "." + name
	case 1:
		if labels := dns.SplitDomainName(name); len(labels) > 1 {
			name = dns.Fqdn(strings.Join(labels[1:], "."))
		}
	case 2:
		name = a.scramble(name)
	case 3:
		for len(name) < 180+a.IntN(70) {
			name = strings.Repeat("l", 1+a.IntN(20)) + "." + name
		}
	}
	if _, ok := dns.IsDomainName(name); !ok || name == ".." {
		return static + "."
	}
	return strings.ReplaceAll(name, "..", ".")
}

// scramble changes the case of some letters.
func (a *asker) scramble(s string) string {
	b := []byte(s)
	for i, c := range b {
		if a.one(2) && (c|0x20 >= 'a' && c|0x20 <= 'z') {
			b[i] ^= 0x20
		}
	}
	return string(b)
}

func (a *asker) rrtype() uint16 {
	switch n := a.IntN(20); {
	case n < 6:
		return dns.TypeA
	case n < 8:
		return dns.TypeAAAA
	case n < 19:
		return types[a.IntN(len(types))]
	default:
		return odd[a.IntN(len(odd))]
	}
}

// edns adds an OPT record.
func (a *asker) edns(m *dns.Msg) {
	o := &dns.OPT{Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeOPT}}
	o.SetUDPSize([]uint16{0, 1, 511, 512, 513, 600, 1231, 1232, 1233, 1400, 4096, 65535}[a.IntN(12)])
	if a.one(3) {
		o.SetDo()
	}
	if a.one(40) {
		o.SetZ(uint16(a.IntN(1 << 14)))
	}
	if a.one(40) {
		o.SetVersion(uint8(1 + a.IntN(255)))
	}
	if a.one(4) {
		for range 1 + a.IntN(3) {
			o.Option = append(o.Option, a.option())
		}
	}
	m.Extra = append(m.Extra, o)
	if a.one(100) {
		m.Extra = append(m.Extra, o)
	}
	if a.one(100) {
		o.Hdr.Name = "x."
	}
}

// option draws an option, good or bad.
func (a *asker) option() dns.EDNS0 {
	raw := func(code uint16, sizes ...int) dns.EDNS0 {
		data := make([]byte, sizes[a.IntN(len(sizes))])
		for i := range data {
			data[i] = byte(a.Uint32())
		}
		return &dns.EDNS0_LOCAL{Code: code, Data: data}
	}
	switch a.IntN(9) {
	case 0:
		return raw(uint16(65001+a.IntN(500)), 0, 1, 50)
	case 1:
		return raw(dns.EDNS0COOKIE, 8, 8, 16, 24, 24, 40, 0, 7, 9, 15, 41)
	case 2:
		return raw(dns.EDNS0NSID, 0, 0, 3)
	case 3:
		return raw(dns.EDNS0PADDING, 0, 20, 200)
	case 4:
		return raw(dns.EDNS0TCPKEEPALIVE, 0, 2, 3)
	case 5:
		return raw(dns.EDNS0EXPIRE, 0, 4)
	case 6:
		return raw(dns.EDNS0SUBNET, 0, 3, 4, 5, 8, 20)
	case 7:
		return raw(uint16(a.IntN(70000)), 0, 4)
	default:
		bits := []byte{0, 8, 15, 16, 24, 32}[a.IntN(6)]
		data := append([]byte{0, 1, bits, 0}, make([]byte, (bits+7)/8)...)
		if len(data) > 4 {
			data[4] = byte(a.IntN(128)) << 1
		}
		return &dns.EDNS0_LOCAL{Code: dns.EDNS0SUBNET, Data: data}
	}
}

// crowd puts records where questions have none.
func (a *asker) crowd(m *dns.Msg) {
	rr := &dns.A{Hdr: dns.RR_Header{Name: a.name(), Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 1}, A: []byte{192, 0, 2, 1}}
	switch a.IntN(5) {
	case 0:
		m.Answer = append(m.Answer, rr)
	case 1:
		m.Ns = append(m.Ns, rr)
	case 2:
		m.Extra = append(m.Extra, rr)
	case 3:
		m.Question = append(m.Question, dns.Question{Name: a.name(), Qtype: a.rrtype(), Qclass: dns.ClassINET})
	case 4:
		m.Question = nil
	}
}

// message is a question as it goes out: good, or spoilt.
func (a *asker) message() []byte {
	for {
		msg, err := a.question().Pack()
		if err != nil {
			continue // a name that is too long
		}
		if a.one(6) {
			for range 1 + a.IntN(3) {
				msg = a.spoil(msg)
			}
		}
		return msg
	}
}

// noise is no message at all.
func (a *asker) noise() []byte {
	b := make([]byte, a.IntN(600))
	for i := range b {
		b[i] = byte(a.Uint32())
	}
	return b
}

// spoil damages a message.
func (a *asker) spoil(msg []byte) []byte {
	if len(msg) < 3 {
		return a.noise()
	}
	at := 2 + a.IntN(len(msg)-2)
	switch a.IntN(9) {
	case 0, 1:
		msg[at] ^= 1 << a.IntN(8)
	case 2:
		msg[at] = byte(a.Uint32())
	case 3:
		msg[at] = []byte{0, 1, 0x3f, 0x40, 0x7f, 0x80, 0xc0, 0xff}[a.IntN(8)]
	case 4: // the end is missing
		return msg[:at]
	case 5: // there is more
		return append(msg, make([]byte, 1+a.IntN(20))...)
	case 6: // other counts
		if len(msg) >= headerSize {
			binary.BigEndian.PutUint16(msg[4+2*a.IntN(4):], uint16(a.IntN(4)))
		}
	case 7: // a pointer
		if at+1 < len(msg) {
			binary.BigEndian.PutUint16(msg[at:], 0xc000|uint16(a.IntN(len(msg)+4)))
		}
	case 8: // a piece twice
		end := min(at+1+a.IntN(8), len(msg))
		return slices.Insert(slices.Clone(msg), at, msg[at:end]...)
	}
	return msg
}

// rare are messages that chance seldom draws, and by which servers differ.
func rare() (out [][]byte) {
	add := func(m *dns.Msg, options ...dns.EDNS0) {
		if m.SetEdns0(1232, false); len(options) == 0 {
			m.Extra = nil
		} else {
			m.IsEdns0().Option = options
		}
		if msg, err := m.Pack(); err == nil {
			out = append(out, msg)
		}
	}
	ask := func(name string) *dns.Msg { return new(dns.Msg).SetQuestion(name, dns.TypeA) }
	cookie := &dns.EDNS0_LOCAL{Code: dns.EDNS0COOKIE, Data: []byte("12345678")}
	old := &dns.EDNS0_LOCAL{Code: dns.EDNS0COOKIE, Data: []byte("12345678abcdefgh12345678")}
	subnet := &dns.EDNS0_LOCAL{Code: dns.EDNS0SUBNET, Data: []byte{0, 1, 8, 0, 60}}
	add(new(dns.Msg), old)
	add(ask("many."+static+"."), &dns.EDNS0_LOCAL{Code: dns.EDNS0TCPKEEPALIVE})
	add(new(dns.Msg), subnet, &dns.EDNS0_LOCAL{Code: dns.EDNS0SUBNET, Data: []byte{0, 1, 8, 0, 61}})
	add(ask(static+"."), &dns.EDNS0_LOCAL{Code: dns.EDNS0NSID, Data: []byte("x")}, cookie)
	out[len(out)-1][11] = 2                                       // one record more than there is
	add(ask(strings.Repeat("a.", 119) + "dname." + static + ".")) // too long by one in target
	return out
}
