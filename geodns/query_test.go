package geodns

import (
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"landfall"

	"github.com/miekg/dns"
)

// wire makes a query for chat.landfall.test A out of hexadecimal parts: flags
// and counts, then what stands after the question.
func wire(header, after string) []byte {
	const name = "\x04cHaT\x08landfall\x04test\x00\x00\x01\x00\x01"
	head, err := hex.DecodeString(strings.ReplaceAll("abcd"+header, " ", ""))
	if err != nil {
		panic(err)
	}
	tail, err := hex.DecodeString(strings.ReplaceAll(after, " ", ""))
	if err != nil {
		panic(err)
	}
	return slices.Concat(head, []byte(name), tail)
}

const (
	plain   = "0100 0001 0000 0000 0000" // RD, one question
	withOPT = "0100 0001 0000 0000 0001"
	opt0    = "00 0029 1000 00000000 0000" // no options
)

// subnetOPT is an OPT record with one client subnet option.
func subnetOPT(data string) string {
	n := len(strings.ReplaceAll(data, " ", "")) / 2
	return "00 0029 1000 00000000 " + hex.EncodeToString([]byte{0, byte(n + 4), 0, 8, 0, byte(n)}) + data
}

func TestMalformedQueries(t *testing.T) {
	short, long := wire(plain, "")[:11], strings.Repeat("3f"+strings.Repeat("61", 63), 5)
	badName := func(name string) []byte {
		b, err := hex.DecodeString("abcd01000001000000000000" + name + "00010001")
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	tests := []struct {
		name     string
		msg      []byte
		rcode    int // -1: silence
		question bool
	}{
		{"nothing", nil, -1, false},
		{"shorter than a header", short, -1, false},
		{"an answer", wire("8100 0001 0000 0000 0000", ""), -1, false},
		{"an answer without anything", wire("8000 0000 0000 0000 0000", "")[:12], -1, false},
		{"a header alone", wire(plain, "")[:12], dns.RcodeFormatError, false},
		{"no question", wire("0100 0000 0000 0000 0000", "")[:12], dns.RcodeFormatError, false},
		{"two questions", wire("0100 0002 0000 0000 0000", ""), dns.RcodeFormatError, false},
		{"a notify", wire("2000 0001 0000 0000 0000", ""), dns.RcodeNotImplemented, false},
		{"an update", wire("2800 0001 0000 0000 0000", ""), dns.RcodeNotImplemented, false},
		{"a cut question", wire(plain, "")[:20], dns.RcodeFormatError, false},
		{"a cut type", wire(plain, "")[:34], dns.RcodeFormatError, false},
		{"a pointer in the question", badName("c00c"), dns.RcodeFormatError, false},
		{"a label of an unknown kind", badName("4100"), dns.RcodeFormatError, false},
		{"a name that is too long", badName(long + "00"), dns.RcodeFormatError, false},
		{"more than was counted", wire(plain, "00"), dns.RcodeFormatError, true},
		{"less than was counted", wire(withOPT, ""), dns.RcodeFormatError, true},
		{"OPT among the answers", wire("0100 0001 0001 0000 0000", opt0), dns.RcodeFormatError, true},
		{"two OPT", wire("0100 0001 0000 0000 0002", opt0+opt0), dns.RcodeFormatError, true},
		{"OPT with a name", wire(withOPT, "0161"+opt0), dns.RcodeFormatError, true},
		{"OPT with a pointer for a name", wire(withOPT, "c00c"+opt0[2:]), dns.RcodeFormatError, true},
		{"OPT longer than the message", wire(withOPT, "00 0029 1000 00000000 0004"), dns.RcodeFormatError, true},
		{"an option cut in its head", wire(withOPT, "00 0029 1000 00000000 0003 000800"), dns.RcodeFormatError, true},
		{"an option longer than OPT", wire(withOPT, "00 0029 1000 00000000 0004 00080001"), dns.RcodeFormatError, true},
		{"version 1", wire(withOPT, "00 0029 1000 00010000 0000"), dns.RcodeBadVers, true},
		{"version 1 with an option of its own", wire(withOPT, "00 0029 1000 00010000 0003 ffffff"), dns.RcodeBadVers, true},
		{"an option nobody knows", wire(withOPT, "00 0029 1000 00000000 0006 fde9 0002 ffff"), dns.RcodeSuccess, true},
		{"a further record", wire("0100 0001 0000 0000 0002", opt0+"00 0001 0001 00000000 0004 7f000001"), dns.RcodeSuccess, true},

		{"subnet: IPv4", wire(withOPT, subnetOPT("0001 18 00 0a0200")), dns.RcodeSuccess, true},
		{"subnet: IPv6", wire(withOPT, subnetOPT("0002 30 00 20010db80002")), dns.RcodeSuccess, true},
		{"subnet: no family, no address", wire(withOPT, subnetOPT("0000 00 00")), dns.RcodeSuccess, true},
		{"subnet: no family, but an address", wire(withOPT, subnetOPT("0000 18 00 0a0200")), dns.RcodeFormatError, true},
		{"subnet: unknown family", wire(withOPT, subnetOPT("0003 18 00 0a0200")), dns.RcodeFormatError, true},
		{"subnet: too short for its head", wire(withOPT, subnetOPT("0001 00")), dns.RcodeFormatError, true},
		{"subnet: empty", wire(withOPT, subnetOPT("")), dns.RcodeFormatError, true},
		{"subnet: address too short", wire(withOPT, subnetOPT("0001 18 00 0a02")), dns.RcodeFormatError, true},
		{"subnet: address too long", wire(withOPT, subnetOPT("0001 18 00 0a020000")), dns.RcodeFormatError, true},
		{"subnet: bits beyond the prefix", wire(withOPT, subnetOPT("0001 17 00 0a0201")), dns.RcodeFormatError, true},
		{"subnet: prefix longer than the address", wire(withOPT, subnetOPT("0001 21 00 0a02000000")), dns.RcodeFormatError, true},
		{"subnet: prefix longer than IPv6", wire(withOPT, subnetOPT("0002 81 00"+strings.Repeat("00", 17))), dns.RcodeFormatError, true},
		{"subnet: scope in a query", wire(withOPT, subnetOPT("0001 18 10 0a0200")), dns.RcodeFormatError, true},
		{"subnet: twice", wire(withOPT, "00 0029 1000 00000000 0010 0008 0004 00010000 0008 0004 00010000"), dns.RcodeFormatError, true},
	}
	s := newServer(t, nil)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out := s.respond(tt.msg, netip.MustParseAddrPort("10.1.0.1:53"), viaUDP, nil)
			if tt.rcode < 0 {
				if len(out) != 0 {
					t.Fatalf("got %x, want silence", out)
				}
				return
			}
			checkAnswer(t, tt.msg, out, tt.rcode, tt.question)
		})
	}
}

// checkAnswer looks at what the message package of the client would fold away.
func checkAnswer(t *testing.T, req, out []byte, rcode int, question bool) {
	t.Helper()
	var m dns.Msg
	if err := m.Unpack(out); err != nil {
		t.Fatalf("answer %x: %v", out, err)
	}
	if m.Rcode != rcode {
		t.Errorf("rcode %d, want %d", m.Rcode, rcode)
	}
	if got := binary.BigEndian.Uint16(out); got != 0xabcd {
		t.Errorf("id %x", got)
	}
	end := 12 + len("\x04cHaT\x08landfall\x04test\x00") + 4
	switch {
	case !question && len(m.Question) != 0:
		t.Errorf("question %v in the answer", m.Question)
	case question && (len(out) < end || string(out[12:end]) != string(req[12:end])):
		t.Errorf("the question came back as %v", m.Question)
	}
	if rcode == dns.RcodeBadVers {
		if opt := m.IsEdns0(); opt == nil || opt.Version() != 0 {
			t.Errorf("OPT %v, want version 0", opt)
		}
	}
}

func TestCaseOfTheNameComesBack(t *testing.T) {
	s := newServer(t, nil)
	for _, name := range []string{"cHaT.lAnDfAlL.tEsT.", "NOTHING.landfall.TEST.", "WWW.LANDFALL.TEST."} {
		got := ask(t, s, question(name, dns.TypeA), "10.2.0.1")
		if got.Question[0].Name != name {
			t.Errorf("%s came back as %s", name, got.Question[0].Name)
		}
		if len(got.Answer) > 0 && got.Answer[0].Header().Name != name {
			t.Errorf("%s is answered as %s", name, got.Answer[0].Header().Name)
		}
	}
}

func TestClassesOtherThanInternetAreRefused(t *testing.T) {
	s := newServer(t, nil)
	for _, class := range []uint16{dns.ClassCHAOS, dns.ClassHESIOD, dns.ClassANY, dns.ClassNONE} {
		for _, name := range []string{"version.bind.", "id.server.", "chat.landfall.test."} {
			m := question(name, dns.TypeTXT)
			m.Question[0].Qclass = class
			if got := ask(t, s, m, "10.1.0.1"); got.Rcode != dns.RcodeRefused {
				t.Errorf("%s %s: %s", name, dns.Class(class), dns.RcodeToString[got.Rcode])
			}
		}
	}
}

func TestEDNSIsAnsweredInKind(t *testing.T) {
	s := newServer(t, nil)
	if got := ask(t, s, question("chat.landfall.test", dns.TypeA), "10.1.0.1"); got.IsEdns0() != nil {
		t.Errorf("a query without OPT got one: %v", got.IsEdns0())
	}
	m := question("chat.landfall.test", dns.TypeA).SetEdns0(512, true)
	m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_NSID{Code: dns.EDNS0NSID}, &dns.EDNS0_PADDING{Padding: make([]byte, 8)}}
	opt := ask(t, s, m, "10.1.0.1").IsEdns0()
	if opt == nil || !opt.Do() || opt.UDPSize() != 1232 || opt.Version() != 0 {
		t.Fatalf("OPT %v, want DO and 1232 bytes", opt)
	}
	if len(opt.Option) != 1 || opt.Option[0].String() != hex.EncodeToString([]byte("fra1")) {
		t.Errorf("options %v, want NSID fra1 alone", opt.Option)
	}
}

func TestAnswersThatDoNotFitAreCut(t *testing.T) {
	s := newServer(t, func(m *landfall.Map) {
		for i, size := range []int{150, 500, 1100, 3000} {
			m.Records = append(m.Records, landfall.Record{
				Name: "t" + string(rune('0'+i)) + ".landfall.test", Type: "TXT",
				Data: strings.TrimSpace(strings.Repeat(`"`+strings.Repeat("x", 49)+`" `, size/50)),
			})
		}
	})
	for _, tt := range []struct {
		name  string
		edns  uint16 // 0: none
		tcp   bool
		whole bool
	}{
		{"t0", 0, false, true},
		{"t1", 0, false, false},
		{"t1", 100, false, false}, // less than 512 means 512
		{"t1", 600, false, true},
		{"t2", 1232, false, true},
		{"t2", 1100, false, false},
		{"t3", 4096, false, false}, // more than 1232 is not sent by UDP
		{"t3", 0, true, true},
		{"t3", 512, true, true},
	} {
		m := question(tt.name+".landfall.test", dns.TypeTXT)
		if tt.edns > 0 { // and a cookie, or there were another limit
			m = proven(s, m.SetEdns0(tt.edns, false), "10.1.0.1")
		}
		req, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		out := s.respond(req, netip.MustParseAddrPort("10.1.0.1:53"), by(tt.tcp), nil)
		var got dns.Msg
		if err := got.Unpack(out); err != nil {
			t.Fatal(err)
		}
		if got.Truncated == tt.whole || len(got.Answer) > 0 != tt.whole || len(got.Ns) > 0 {
			t.Errorf("%+v: TC %v with %d records in %d bytes", tt, got.Truncated, len(got.Answer), len(out))
		}
		if limit := max(512, min(1232, int(tt.edns))); !tt.tcp && len(out) > limit {
			t.Errorf("%+v: %d bytes are more than %d", tt, len(out), limit)
		}
		if (got.IsEdns0() != nil) != (tt.edns > 0) {
			t.Errorf("%+v: OPT %v", tt, got.IsEdns0())
		}
	}
	if n := s.Stats().Truncated; n != 4 {
		t.Errorf("%d truncated answers counted, want 4", n)
	}
}

// Addresses of name servers are an extra to their names, but part of a
// referral where those are below the delegated name (RFC 9471, 3).
func TestGlueThatDoesNotFit(t *testing.T) {
	s := newServer(t, func(m *landfall.Map) {
		for i := range 20 {
			id := landfall.NodeID("more" + strings.Repeat("x", i))
			m.Nodes = append(m.Nodes, landfall.Node{
				ID: id, Region: "fra", Roles: []landfall.Role{landfall.RoleDNS},
				Advertised: []netip.Addr{netip.AddrFrom4([4]byte{198, 51, 100, byte(i)})},
			})
			host := "h" + strings.Repeat("y", i) + ".big.landfall.test"
			m.Records = append(m.Records,
				landfall.Record{Name: "big.landfall.test", Type: "NS", Data: host + "."},
				landfall.Record{Name: host, Type: "A", Data: "198.51.100.1"},
				landfall.Record{Name: "beside.landfall.test", Type: "NS", Data: host + "."})
		}
		m.Records = append(m.Records,
			landfall.Record{Name: "beside.landfall.test", Type: "NS", Data: "zz.beside.landfall.test."},
			landfall.Record{Name: "zz.beside.landfall.test", Type: "A", Data: "198.51.100.2"},
			landfall.Record{Name: "zz.beside.landfall.test", Type: "AAAA", Data: "2001:db8::2"})
	})
	got := ask(t, s, proven(s, question("landfall.test", dns.TypeNS), "10.1.0.1"), "10.1.0.1")
	if got.Truncated || len(got.Answer) != 23 || len(data(got.Extra)) == 0 || len(data(got.Extra)) >= 25 {
		t.Errorf("own name servers: TC %v, %d names, %d addresses", got.Truncated, len(got.Answer), len(data(got.Extra)))
	}
	got = ask(t, s, proven(s, question("x.big.landfall.test", dns.TypeA), "10.1.0.1"), "10.1.0.1")
	if !got.Truncated || len(got.Ns) != 0 || len(data(got.Extra)) != 0 {
		t.Errorf("referral: TC %v, %d names, %d addresses", got.Truncated, len(got.Ns), len(data(got.Extra)))
	}
	got = ask(t, s, proven(s, question("x.beside.landfall.test", dns.TypeA), "10.1.0.1"), "10.1.0.1")
	if extra := data(got.Extra); got.Truncated || len(got.Ns) != 21 || len(extra) < 2 || !slices.Contains(extra[:2], "A 198.51.100.2") || !slices.Contains(extra[:2], "AAAA 2001:db8::2") {
		t.Errorf("referral to servers beside: TC %v, %d names, addresses %q", got.Truncated, len(got.Ns), extra)
	}
}
