package geodns

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"landfall"
	"landfall/geodns/dnssec"

	"github.com/miekg/dns"
)

// odd is one of the checks.
type odd struct {
	section string
	ask     func() *dns.Msg
	bend    func(req []byte) // what the library does not write
	rcode   int
	answer  uint16 // the type that is answered; 0: none
	opt     bool
}

// oddQueries are the checks of RFC 8906, section 8.
func oddQueries() []odd {
	plain := func(rrtype uint16) func() *dns.Msg {
		return func() *dns.Msg {
			m := question("landfall.test", rrtype)
			m.RecursionDesired = false
			return m
		}
	}
	edns := func(change func(m *dns.Msg, o *dns.OPT)) func() *dns.Msg {
		return func() *dns.Msg {
			m := plain(dns.TypeSOA)().SetEdns0(4096, false)
			change(m, m.IsEdns0())
			return m
		}
	}
	flags := func(set func(*dns.Msg)) func() *dns.Msg {
		return func() *dns.Msg { m := plain(dns.TypeSOA)(); set(m); return m }
	}
	unknown := &dns.EDNS0_LOCAL{Code: 100, Data: []byte{1, 2, 3}}
	return []odd{
		{"8.1.1, is the server there", plain(dns.TypeSOA), nil, dns.RcodeSuccess, dns.TypeSOA, false},
		{"8.1.2, unknown type", plain(1000), nil, dns.RcodeSuccess, 0, false},
		{"8.1.3.1, CD=1", flags(func(m *dns.Msg) { m.CheckingDisabled = true }), nil, dns.RcodeSuccess, dns.TypeSOA, false},
		{"8.1.3.2, AD=1", flags(func(m *dns.Msg) { m.AuthenticatedData = true }), nil, dns.RcodeSuccess, dns.TypeSOA, false},
		{"8.1.3.3, the last reserved bit", flags(func(m *dns.Msg) { m.Zero = true }), nil, dns.RcodeSuccess, dns.TypeSOA, false},
		{"8.1.3.4, RD=1", flags(func(m *dns.Msg) { m.RecursionDesired = true }), nil, dns.RcodeSuccess, dns.TypeSOA, false},
		{"8.1.4, unknown opcode", plain(dns.TypeSOA), func(req []byte) {
			req[2] |= 15 << 3
			clear(req[4:headerSize]) // with the header alone, as dig +header-only asks
		}, dns.RcodeNotImplemented, 0, false},
		{"8.2.1, version 0", edns(func(*dns.Msg, *dns.OPT) {}), nil, dns.RcodeSuccess, dns.TypeSOA, true},
		{"8.2.2, version 1", edns(func(_ *dns.Msg, o *dns.OPT) { o.SetVersion(1) }), nil, dns.RcodeBadVers, 0, true},
		{"8.2.3, unknown option", edns(func(_ *dns.Msg, o *dns.OPT) { o.Option = append(o.Option, unknown) }), nil, dns.RcodeSuccess, dns.TypeSOA, true},
		{"8.2.4, unknown flag", edns(func(_ *dns.Msg, o *dns.OPT) { o.SetZ(0x0040) }), nil, dns.RcodeSuccess, dns.TypeSOA, true},
		{"8.2.5, version 1 with unknown flag", edns(func(_ *dns.Msg, o *dns.OPT) { o.SetVersion(1); o.SetZ(0x0040) }), nil, dns.RcodeBadVers, 0, true},
		{"8.2.6, version 1 with unknown option", edns(func(_ *dns.Msg, o *dns.OPT) { o.SetVersion(1); o.Option = append(o.Option, unknown) }), nil, dns.RcodeBadVers, 0, true},
		{"8.2.7, truncated", edns(func(m *dns.Msg, o *dns.OPT) {
			m.Question[0].Qtype = dns.TypeDNSKEY
			o.SetUDPSize(512)
			o.SetDo()
		}), nil, dns.RcodeSuccess, dns.TypeDNSKEY, true},
		{"8.2.8, DO=1", edns(func(_ *dns.Msg, o *dns.OPT) { o.SetDo() }), nil, dns.RcodeSuccess, dns.TypeSOA, true},
		{"8.2.9, version 1 with DO=1", edns(func(_ *dns.Msg, o *dns.OPT) { o.SetVersion(1); o.SetDo() }), nil, dns.RcodeBadVers, 0, true},
		{"8.2.10, several options", edns(func(_ *dns.Msg, o *dns.OPT) {
			o.SetDo()
			o.Option = append(o.Option, unknown, &dns.EDNS0_NSID{Code: dns.EDNS0NSID}, &dns.EDNS0_EXPIRE{Code: dns.EDNS0EXPIRE},
				&dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: "0102030405060708"},
				&dns.EDNS0_SUBNET{Code: dns.EDNS0SUBNET, Family: 1, Address: make([]byte, 4)})
		}), nil, dns.RcodeSuccess, dns.TypeSOA, true}}
}

// TestNoOddQueryIsLeftWithoutItsAnswer asks them by UDP and TCP, of a zone that
// is signed and of one that is not.
func TestNoOddQueryIsLeftWithoutItsAnswer(t *testing.T) {
	plain, signed := newServer(t, nil), newServer(t, nil)
	signed.SetKeys([]dnssec.Keys{makeKeys(t, "landfall.test")})
	for _, tt := range oddQueries() {
		for _, s := range []*Server{plain, signed} {
			for _, via := range []transport{viaUDP, viaTCP} {
				tt.check(t, s, via, s == signed)
			}
		}
	}
}

// check asks one of them and looks at the answer.
func (q odd) check(t *testing.T, s *Server, via transport, signed bool) {
	t.Helper()
	what, m := q.section+" by "+via.String(), q.ask()
	req, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	if q.bend != nil {
		q.bend(req)
		req = req[:headerSize]
	}
	got := new(dns.Msg)
	if err := got.Unpack(s.respond(req, netip.MustParseAddrPort("10.1.0.1:53"), via, nil)); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	oddity(t, what, m, req, got)
	opt := got.IsEdns0()
	if got.Rcode != q.rcode || (opt != nil) != q.opt {
		t.Errorf("%s: %v", what, got)
	}
	if opt != nil && (opt.Version() != 0 || opt.Z()&0x3fff != 0 || opt.Do() != m.IsEdns0().Do() && got.Rcode == dns.RcodeSuccess) {
		t.Errorf("%s: %v", what, opt)
	}
	answered := len(got.Answer) > 0 && got.Answer[0].Header().Rrtype == q.answer || got.Truncated && via == viaUDP
	if want := q.answer != 0 && (signed || q.answer != dns.TypeDNSKEY); want != answered {
		t.Errorf("%s: %v", what, got.Answer)
	}
}

// oddity looks at what every answer has in common: the query's id, opcode and
// RD, and none of the bits that mean nothing in an answer of ours.
func oddity(t *testing.T, what string, m *dns.Msg, req []byte, got *dns.Msg) {
	t.Helper()
	if got.Id != m.Id || !got.Response || got.Opcode != int(req[2]>>3&15) || got.RecursionDesired != m.RecursionDesired {
		t.Errorf("%s: %v", what, got.MsgHdr)
	}
	if got.RecursionAvailable || got.AuthenticatedData || got.CheckingDisabled || got.Zero {
		t.Errorf("%s: bits that say nothing: %v", what, got.MsgHdr)
	}
	if binary.BigEndian.Uint16(req[4:]) != uint16(len(got.Question)) {
		t.Errorf("%s: %d questions", what, len(got.Question))
	}
	if opt := got.IsEdns0(); opt != nil {
		for _, o := range opt.Option {
			if o.Option() == 100 || o.Option() == dns.EDNS0EXPIRE {
				t.Errorf("%s: an option that we do not know comes back: %v", what, o)
			}
		}
	}
}

// TestTypesAndClassesThatAreNotData asks for what no zone holds (RFC 6895, 3.1
// and 3.2).
func TestTypesAndClassesThatAreNotData(t *testing.T) {
	s := newServer(t, func(m *landfall.Map) { m.DNS = landfall.DNS{} })
	for _, tt := range []struct {
		rrtype, class uint16
		rcode         int
	}{
		{0, dns.ClassINET, dns.RcodeSuccess},
		{dns.TypeOPT, dns.ClassINET, dns.RcodeFormatError},
		{dns.TypeTKEY, dns.ClassINET, dns.RcodeNotImplemented},
		{dns.TypeTSIG, dns.ClassINET, dns.RcodeNotImplemented},
		{dns.TypeMAILB, dns.ClassINET, dns.RcodeNotImplemented},
		{dns.TypeAXFR, dns.ClassINET, dns.RcodeRefused},
		{dns.TypeIXFR, dns.ClassINET, dns.RcodeRefused},
		{dns.TypeANY, dns.ClassINET, dns.RcodeSuccess},
		{dns.TypeNXNAME, dns.ClassINET, dns.RcodeFormatError},
		{65535, dns.ClassINET, dns.RcodeSuccess},
		{dns.TypeA, dns.ClassANY, dns.RcodeRefused},
		{dns.TypeA, dns.ClassNONE, dns.RcodeRefused},
		{dns.TypeA, dns.ClassHESIOD, dns.RcodeRefused},
		{dns.TypeA, dns.ClassCHAOS, dns.RcodeRefused},
		{dns.TypeA, 0, dns.RcodeRefused},
		{dns.TypeA, 65535, dns.RcodeRefused},
	} {
		m := question("landfall.test", tt.rrtype)
		m.Question[0].Qclass = tt.class
		if got := ask(t, s, m, "10.1.0.1"); got.Rcode != tt.rcode || len(got.Question) != 1 {
			t.Errorf("%s %s: %v", dns.Class(tt.class), dns.Type(tt.rrtype), got)
		}
	}
	for _, opcode := range []int{dns.OpcodeIQuery, dns.OpcodeStatus, 3, dns.OpcodeNotify, dns.OpcodeUpdate, 6, 15} {
		m := question("landfall.test", dns.TypeSOA)
		m.Opcode = opcode
		if got := ask(t, s, m, "10.1.0.1"); got.Rcode != dns.RcodeNotImplemented || got.Opcode != opcode {
			t.Errorf("opcode %d: %v", opcode, got)
		}
	}
}
