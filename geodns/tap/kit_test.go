package tap

import (
	"net/netip"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// asked is a query and its answer, as a name server has them.
func asked(t testing.TB, client string, change func(q, a *dns.Msg)) Event {
	t.Helper()
	q := new(dns.Msg)
	q.SetQuestion("wWw.App.test.", dns.TypeA)
	q.Id = 7
	a := new(dns.Msg)
	a.SetReply(q)
	a.Answer = []dns.RR{record(t, "wWw.App.test. 60 IN A 192.0.2.2"), record(t, "wWw.App.test. 60 IN A 192.0.2.1")}
	if change != nil {
		change(q, a)
	}
	return Event{
		Time: time.Unix(1_700_000_000, 5000), Client: netip.MustParseAddrPort(client),
		Server: netip.MustParseAddrPort("192.0.2.53:53"), Via: "udp", Query: packed(t, q), Answer: packed(t, a),
	}
}

func packed(t testing.TB, m *dns.Msg) []byte {
	t.Helper()
	b, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func record(t testing.TB, text string) dns.RR {
	t.Helper()
	rr, err := dns.NewRR(text)
	if err != nil {
		t.Fatal(err)
	}
	return rr
}

// withSubnet adds a client subnet option.
func withSubnet(m *dns.Msg, p string, scope uint8) {
	prefix := netip.MustParsePrefix(p)
	family := uint16(1)
	if prefix.Addr().Is6() {
		family = 2
	}
	opt := &dns.OPT{Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeOPT, Class: 1232}}
	opt.Option = append(opt.Option, &dns.EDNS0_NSID{Code: dns.EDNS0NSID}, &dns.EDNS0_SUBNET{
		Code: dns.EDNS0SUBNET, Family: family, SourceNetmask: uint8(prefix.Bits()), SourceScope: scope, Address: prefix.Addr().AsSlice(),
	})
	m.Extra = append(m.Extra, opt)
}

func edges(a netip.Addr) string {
	return map[string]string{"192.0.2.2": "nyc1", "192.0.2.1": "fra1"}[a.String()]
}

// slotOf is an event as a handle would hold it.
func slotOf(e Event) *slot {
	h := newHandle(1, nil)
	h.Take(e)
	var out *slot
	h.drain(func(s *slot) { out = new(*s) })
	out.took = 1500 * time.Nanosecond
	return out
}
