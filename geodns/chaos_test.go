package geodns

import (
	"slices"
	"testing"

	"landfall"

	"github.com/miekg/dns"
)

func TestServerTellsOfItselfOnlyIfAsked(t *testing.T) {
	ofItself := []string{"version.bind.", "VERSION.server.", "hostname.bind.", "id.server."}
	for _, tt := range []struct {
		tell landfall.DNS
		want []string // by name; empty: refused
	}{
		{landfall.DNS{}, []string{"", "", "", ""}},
		{landfall.DNS{Version: true}, []string{"landfall 1.2", "landfall 1.2", "", ""}},
		{landfall.DNS{Identity: true}, []string{"", "", "fra1", "fra1"}},
	} {
		s := newServer(t, func(m *landfall.Map) { m.DNS = tt.tell })
		s.version = "landfall 1.2"
		for i, name := range ofItself {
			for _, rrtype := range []uint16{dns.TypeTXT, dns.TypeANY, dns.TypeA} {
				m := question(name, rrtype).SetEdns0(1232, false)
				m.Question[0].Qclass = dns.ClassCHAOS
				got := ask(t, s, m, "10.1.0.1")
				var texts []string
				for _, rr := range got.Answer {
					if h := rr.Header(); h.Class != dns.ClassCHAOS || h.Ttl != 0 || h.Name != name {
						t.Errorf("%s: %v", name, rr)
					}
					texts = append(texts, rr.(*dns.TXT).Txt...)
				}
				want, rcode := []string{tt.want[i]}, dns.RcodeSuccess
				if tt.want[i] == "" {
					want, rcode = nil, dns.RcodeRefused
				}
				if rrtype == dns.TypeA {
					want = nil
				}
				if !slices.Equal(texts, want) || got.Rcode != rcode || got.Authoritative != (rcode == dns.RcodeSuccess) || got.IsEdns0() == nil {
					t.Errorf("%+v: %s %s: %v", tt.tell, name, dns.Type(rrtype), got)
				}
			}
		}
		for _, name := range []string{"authors.bind.", "landfall.test.", "chat.landfall.test.", "."} {
			m := question(name, dns.TypeTXT)
			m.Question[0].Qclass = dns.ClassCHAOS
			if got := ask(t, s, m, "10.1.0.1"); got.Rcode != dns.RcodeRefused || len(got.Answer) != 0 {
				t.Errorf("%s: %v", name, got)
			}
		}
	}
}
