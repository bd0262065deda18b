package geodns

import (
	"bytes"
	"net/netip"
	"testing"

	"landfall"

	"github.com/miekg/dns"
)

// FuzzRespond holds up what is true of every answer, whatever was asked.
func FuzzRespond(f *testing.F) {
	for _, name := range []string{"chat.landfall.test", "www.landfall.test", "x.sub.landfall.test", "a.wild.landfall.test", "landfall.test", "example.com", "."} {
		for _, rrtype := range []uint16{dns.TypeA, dns.TypeNS, dns.TypeHTTPS, dns.TypeANY, dns.TypeIXFR} {
			req, err := question(name, rrtype).SetEdns0(1232, true).Pack()
			if err != nil {
				f.Fatal(err)
			}
			f.Add(req, false)
		}
	}
	f.Add(wire(plain, ""), true)
	f.Add(wire(withOPT, opt0), false)
	f.Add(wire(withOPT, subnetOPT("0001 18 00 0a0200")), false)
	f.Add(wire(withOPT, subnetOPT("0002 30 00 20010db80002")), true)
	f.Add(wire(withOPT, "c00c"+opt0[2:]), false)
	f.Add(wire(withOPT, "00 0029 1000 00000000 000c 000a 0008 0011223344556677"), false)
	f.Add(wire("0100 0000 0000 0000 0001", "")[:12], false)
	f.Add(wire("8100 0001 0000 0000 0000", ""), false)
	s := newServer(f, func(m *landfall.Map) { m.Steering.Answers = 2 })
	f.Fuzz(func(t *testing.T, req []byte, tcp bool) {
		given := bytes.Clone(req)
		out := s.respond(req, netip.MustParseAddrPort("10.2.0.1:4242"), by(tcp), make([]byte, 0, 64))
		if !bytes.Equal(req, given) {
			t.Fatalf("the query was written to")
		}
		if s.Stats().Panics > 0 {
			t.Fatalf("%x: panic", req)
		}
		if len(req) < 12 || req[2]&0x80 != 0 {
			if len(out) != 0 {
				t.Fatalf("%x got an answer: %x", req, out)
			}
			return
		}
		checkWellFormed(t, req, out, tcp)
	})
}

func checkWellFormed(t *testing.T, req, out []byte, tcp bool) {
	t.Helper()
	var m dns.Msg
	if err := m.Unpack(out); err != nil {
		t.Fatalf("%x got %x: %v", req, out, err)
	}
	if !bytes.Equal(req[:2], out[:2]) || out[2]&0x80 == 0 || out[2]&0x79 != req[2]&0x79 || out[3]&0xf0 != 0 {
		t.Fatalf("%x got the header %x", req[:12], out[:12])
	}
	if len(m.Question) == 1 && !bytes.HasPrefix(req[12:], out[12:questionEnd(out)]) {
		t.Fatalf("%x: the question came back as %x", req, out)
	}
	if !tcp && len(out) > 1232 {
		t.Fatalf("%d bytes by UDP", len(out))
	}
	if m.Truncated && len(m.Answer)+len(m.Ns) > 0 {
		t.Fatalf("truncated, but not empty: %v", m.String())
	}
	if opt := m.IsEdns0(); opt != nil && req[10] == 0 && req[11] == 0 {
		t.Fatalf("OPT for a query without one: %v", opt)
	}
	if e := subnetOf(&m); e != nil && m.Rcode != dns.RcodeSuccess && e.SourceScope != 0 {
		t.Fatalf("%s with scope %d", dns.RcodeToString[m.Rcode], e.SourceScope)
	}
}

// questionEnd is where the question of a well-formed answer ends.
func questionEnd(msg []byte) int {
	i := 12
	for msg[i] != 0 {
		i += 1 + int(msg[i])
	}
	return i + 5
}
