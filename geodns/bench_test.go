package geodns

import (
	"fmt"
	"hash/maphash"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"landfall/geodns/limit"
	"landfall/geodns/traffic"

	"github.com/miekg/dns"
)

// usual are the questions that a name server lives by, from the outside in.
func usual() map[string]*dns.Msg {
	edns := func(m *dns.Msg) *dns.Msg { return m.SetEdns0(1232, false) }
	return map[string]*dns.Msg{
		"static":   question("mail.landfall.test", dns.TypeA),
		"resolver": question("chat.landfall.test", dns.TypeA),
		"a":        withSubnet(question("chat.landfall.test", dns.TypeA), "10.2.3.0/24"),
		"aaaa":     withSubnet(question("chat.landfall.test", dns.TypeAAAA), "2001:db8:2::/48"),
		"https":    withSubnet(question("chat.landfall.test", dns.TypeHTTPS), "10.3.3.0/24"),
		"alias":    withSubnet(question("www.landfall.test", dns.TypeA), "10.2.3.0/24"),
		"nodata":   edns(question("chat.landfall.test", dns.TypeMX)),
		"missing":  edns(question("nothing.landfall.test", dns.TypeA)),
		"referral": edns(question("sub.landfall.test", dns.TypeA)),
	}
}

// asking is a thread of a server in the world of tests, where nobody is over
// a limit, but all are counted.
func asking(s *Server) *core {
	s.limit, s.traffic = limit.New(2_000_000_000, maphash.MakeSeed()), traffic.New()
	c := &core{s: s, place: shared, book: newBook()}
	c.turn(time.Now())
	return c
}

func BenchmarkAnswer(b *testing.B) {
	client := netip.MustParseAddrPort("10.1.0.1:53")
	for name, m := range usual() {
		for _, kind := range []string{"plain", "cookie", "signed"} {
			b.Run(fmt.Sprintf("%s/%s", name, kind), func(b *testing.B) {
				s, m := newServer(b, nil), m.Copy()
				switch kind {
				case "cookie":
					m = proven(s, m, "10.1.0.1")
				case "signed":
					s, _ = signedServer(b)
					m = proven(s, m, "10.1.0.1")
					m.IsEdns0().SetDo(true)
				}
				req, err := m.Pack()
				if err != nil {
					b.Fatal(err)
				}
				c, buf := asking(s), make([]byte, 0, udpSize)
				b.ReportAllocs()
				for b.Loop() {
					buf = c.respond(req, client, viaUDP, buf)
				}
			})
		}
	}
}

// packed is a query as it is sent.
func packed(t testing.TB, m *dns.Msg) []byte {
	t.Helper()
	req, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// Names that somebody makes up, with few labels and with as many as there is
// room for: in a zone, made of a wildcard, below a delegation and outside.
func BenchmarkMadeUp(b *testing.B) {
	client := netip.MustParseAddrPort("10.1.0.1:53")
	for _, base := range []string{"landfall.test", "wild.landfall.test", "sub.landfall.test", "example.com"} {
		for _, labels := range []int{1, 110} {
			b.Run(fmt.Sprintf("%s/%d", base, labels), func(b *testing.B) {
				c, buf, i := asking(newServer(b, nil)), make([]byte, 0, udpSize), 0
				var reqs [][]byte
				for j := range 256 {
					reqs = append(reqs, packed(b, question(fmt.Sprintf("%02x.%s%s", j, strings.Repeat("a.", labels-1), base), dns.TypeA)))
				}
				for b.Loop() {
					buf = c.respond(reqs[i%len(reqs)], client, viaUDP, buf)
					i++
				}
			})
		}
	}
}

// What is asked again and again is answered with nothing made for it.
func TestUsualAnswersAllocateNothing(t *testing.T) {
	client := netip.MustParseAddrPort("10.1.0.1:53")
	signed, _ := signedServer(t)
	for _, s := range []*Server{newServer(t, nil), signed} {
		c := asking(s)
		for name, m := range usual() {
			for _, do := range []bool{false, true} {
				m := proven(s, m, "10.1.0.1")
				m.IsEdns0().SetDo(do)
				req, err := m.Pack()
				if err != nil {
					t.Fatal(err)
				}
				buf := slices.Grow([]byte{}, udpSize)
				if n := testing.AllocsPerRun(100, func() { buf = c.respond(req, client, viaUDP, buf) }); n != 0 {
					t.Errorf("%s, signed %v, DO %v: %v allocations", name, s == signed, do, n)
				}
			}
		}
	}
}
