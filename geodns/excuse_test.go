package geodns

import (
	"testing"

	"landfall/geodns/dnssec"

	"github.com/miekg/dns"
)

// told is the code of the Extended DNS Error in an answer (RFC 8914); -1
// without one.
func told(t *testing.T, m *dns.Msg) int {
	t.Helper()
	code := -1
	if opt := m.IsEdns0(); opt != nil {
		for _, o := range opt.Option {
			if e, ok := o.(*dns.EDNS0_EDE); ok && code < 0 {
				code = int(e.InfoCode)
			} else if ok {
				t.Errorf("more than one: %v", m)
			}
		}
	}
	return code
}

// Who gets no answer hears why, and nobody else hears anything.
func TestExcuses(t *testing.T) {
	s, _ := signedServer(t)
	for _, tt := range []struct {
		name   string
		rrtype uint16
		rcode  int
		code   int
	}{
		{"chat.landfall.test", dns.TypeNXNAME, dns.RcodeFormatError, 30},
		{"chat.landfall.test", dns.TypeOPT, dns.RcodeFormatError, -1},
		{"example.net", dns.TypeA, dns.RcodeRefused, 20},
		{"chat.landfall.test", dns.TypeA, dns.RcodeSuccess, -1},
		{"nothing.landfall.test", dns.TypeA, dns.RcodeNameError, -1},
	} {
		m := askBy(t, s, withDO(question(tt.name, tt.rrtype), true), "10.1.0.1", true)
		if got := told(t, m); m.Rcode != tt.rcode || got != tt.code {
			t.Errorf("%s %s: %s, excuse %d, want %d", tt.name, dns.Type(tt.rrtype), dns.RcodeToString[m.Rcode], got, tt.code)
		}
		if m := askBy(t, s, question(tt.name, tt.rrtype), "10.1.0.1", true); m.IsEdns0() != nil {
			t.Errorf("%s: an OPT record for who sent none: %v", tt.name, m)
		}
	}
}

// A zone that has to be signed, and cannot be, is not ready.
func TestWithheldZonesAreNotReady(t *testing.T) {
	s := newServer(t, nil)
	if err := s.SetKeys([]dnssec.Keys{{Zone: "\x08landfall\x04test\x00"}}); err == nil {
		t.Fatal("keys without any key are taken")
	}
	m := askBy(t, s, withDO(question("chat.landfall.test", dns.TypeA), false), "10.1.0.1", true)
	if got := told(t, m); m.Rcode != dns.RcodeServerFailure || got != 14 {
		t.Errorf("%s, excuse %d: %v", dns.RcodeToString[m.Rcode], got, m)
	}
}
