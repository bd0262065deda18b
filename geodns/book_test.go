package geodns

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"landfall"

	"github.com/miekg/dns"
)

// twins are two threads of one server: one that has a book, and one that makes
// all answers anew.
type twins struct {
	reader, maker *core
	now           time.Time
}

func newTwins(s *Server) *twins {
	return &twins{&core{s: s, place: shared, book: newBook()}, &core{s: s, place: shared}, time.Now()}
}

// ask asks both, and the one with the book again, and reports where they
// differ in what they say, or count.
func (w *twins) ask(req []byte, client netip.AddrPort, via transport) (out []byte, fault string) {
	w.now = w.now.Add(10 * time.Millisecond) // there is time to sign for queries
	w.reader.turn(w.now)
	w.maker.turn(w.now)
	want := w.maker.respond(req, client, via, nil)
	counted := w.maker.tally
	for _, time := range []string{"first", "second"} {
		w.reader.tally = tally{}
		out = w.reader.respond(req, client, via, nil)
		if !bytes.Equal(out, want) {
			return out, fmt.Sprintf("%x by %v: the %s answer is\n%x, want\n%x", req, client, time, out, want)
		}
		if w.reader.tally != counted || w.reader.r.whom != w.maker.r.whom || w.reader.r.named != w.maker.r.named {
			return out, fmt.Sprintf("%x by %v: counts %v for %v, want %v for %v", req, client, w.reader.tally, w.reader.r.whom, counted, w.maker.r.whom)
		}
	}
	w.maker.tally = tally{}
	return out, ""
}

// clients of all kinds ask from these, and for these.
var (
	askers  = []string{"10.1.0.1:53", "10.2.0.1:53", "10.3.9.9:1", "192.0.2.200:9", "[2001:db8:2::1]:53"}
	subnets = []string{"10.1.0.0/24", "10.2.0.0/16", "10.3.200.0/24", "10.4.16.0/21", "0.0.0.0/0", "2001:db8:2::/48", "2001:db8:3:4::/64", "::/0"}
	types   = []uint16{
		dns.TypeA, dns.TypeAAAA, dns.TypeHTTPS, dns.TypeTXT, dns.TypeMX, dns.TypeNS, dns.TypeSOA, dns.TypeCNAME, dns.TypeDS,
		dns.TypeDNSKEY, dns.TypeNSEC, dns.TypeRRSIG, dns.TypeANY, dns.TypeSRV, dns.TypeDNAME, dns.TypeNXNAME, 250, 65535,
	}
)

// someQuery draws a query of a name.
func someQuery(r *rand.Rand, s *Server, names []string, from string) *dns.Msg {
	m := question(names[r.IntN(len(names))], types[r.IntN(len(types))])
	m.Id = uint16(r.Uint32())
	switch r.IntN(4) {
	case 0:
		return m
	case 1:
		m.SetEdns0([]uint16{0, 512, 700, 1232, 4096}[r.IntN(5)], r.IntN(2) == 0)
	case 2:
		m = withSubnet(m, subnets[r.IntN(len(subnets))])
	case 3:
		m = proven(s, m, netip.MustParseAddrPort(from).Addr().String())
	}
	opt := m.IsEdns0()
	opt.SetDo(r.IntN(2) == 0)
	opt.SetCo(r.IntN(4) == 0)
	if r.IntN(8) == 0 {
		opt.Option = append(opt.Option, &dns.EDNS0_NSID{Code: dns.EDNS0NSID})
	}
	return m
}

// Whatever is asked, from wherever, while edges die and maps come: what is in
// the book is what would be said without it.
func TestBookSaysWhatWouldBeSaidWithoutIt(t *testing.T) {
	plain := newServer(t, func(m *landfall.Map) { m.Steering.Answers = 2 })
	signed, _ := signedServer(t)
	rounds := 20_000
	if testing.Short() {
		rounds = 4000
	}
	for _, s := range []*Server{plain, signed} {
		r, w, names := rand.New(rand.NewPCG(1, 2)), newTwins(s), append(askedNames(s), "example.com", ".")
		hits := 0
		for i := range rounds {
			if i%500 == 250 {
				s.SetHealth(map[landfall.NodeID]bool{[]landfall.NodeID{"fra1", "nyc1", "sin1"}[r.IntN(3)]: true})
			}
			from := askers[r.IntN(len(askers))]
			req, err := someQuery(r, s, names, from).Pack()
			if err != nil {
				t.Fatal(err)
			}
			_, fault := w.ask(req, netip.MustParseAddrPort(from), transport(r.IntN(2)))
			if fault != "" {
				t.Fatal(fault)
			}
			if w.reader.q.name == "" && len(w.reader.q.question) > 0 {
				hits++
			}
		}
		if hits < rounds/20 {
			t.Errorf("of %d answers, %d were out of the book", rounds, hits)
		}
	}
}

// A book that is full is begun anew, and goes on.
func TestFullBookIsBegunAnew(t *testing.T) {
	s := newServer(t, func(m *landfall.Map) {
		for i := range 2000 {
			m.Records = append(m.Records, landfall.Record{Name: fmt.Sprintf("n%d.landfall.test", i), Type: "TXT", Data: fmt.Sprint(i)})
		}
	})
	w := newTwins(s)
	w.reader.book.lines = w.reader.book.lines[:bookLines:bookLines]
	w.reader.book.text = make([]byte, 0, 4096)
	client := netip.MustParseAddrPort("10.1.0.1:53")
	for i := range 4000 {
		req, err := question(fmt.Sprintf("n%d.landfall.test", i*7%2000), dns.TypeTXT).Pack()
		if err != nil {
			t.Fatal(err)
		}
		if _, fault := w.ask(req, client, viaUDP); fault != "" {
			t.Fatal(fault)
		}
		if n := len(w.reader.book.text); n > 4096 {
			t.Fatalf("%d bytes of text", n)
		}
	}
}

// Only names that exist are written down: others could be made up without end.
func TestBookHoldsNoNamesMadeUp(t *testing.T) {
	s, _ := signedServer(t)
	w := newTwins(s)
	client := netip.MustParseAddrPort("10.1.0.1:53")
	for i := range 100 {
		for _, name := range []string{"%d.landfall.test", "%d.wild.landfall.test", "%d.sub.landfall.test", "%d.old.landfall.test", "%d.example.com", "abcdefghijklmnop%02d.seen.landfall.test"} {
			req, err := withDO(question(fmt.Sprintf(name, i), dns.TypeTXT), i%2 == 0).Pack()
			if err != nil {
				t.Fatal(err)
			}
			if _, fault := w.ask(req, client, viaUDP); fault != "" {
				t.Fatal(fault)
			}
		}
	}
	if n := len(w.reader.book.text); n != 0 {
		t.Errorf("%d bytes are written down", n)
	}
}

func FuzzBook(f *testing.F) {
	for _, name := range slices.Sorted(maps.Keys(usual())) {
		req, err := usual()[name].Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(req, uint8(0), false)
		f.Add(req, uint8(4), true)
	}
	s, _ := signedServer(f)
	w := newTwins(s)
	f.Fuzz(func(t *testing.T, req []byte, from uint8, tcp bool) {
		if _, fault := w.ask(req, netip.MustParseAddrPort(askers[int(from)%len(askers)]), by(tcp)); fault != "" {
			t.Fatal(fault)
		}
	})
}
