package geodns

import (
	"bytes"
	"fmt"
	"hash/maphash"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"landfall"
	"landfall/geodns/dnssec"
	"landfall/geodns/limit"

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

// recalled reports whether the last answer was out of the book.
func (w *twins) recalled() bool { return w.reader.q.name == "" && len(w.reader.q.question) > 0 }

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
	return someQueryOf(r, s, names, types, from)
}

func someQueryOf(r *rand.Rand, s *Server, names []string, types []uint16, from string) *dns.Msg {
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

// crossing is a server of zones of which one is not signed, and has aliases in
// one that is; and the other way round.
func crossing(t testing.TB) *Server {
	s := newServer(t, func(m *landfall.Map) {
		signedMap(m)
		for i := range 6 {
			for _, name := range []string{"long.landfall.test", "long.plain.landfall.test"} {
				m.Records = append(m.Records, landfall.Record{Name: name, Type: "TXT", Data: fmt.Sprintf("%080d", i)})
			}
		}
		m.Records = append(m.Records,
			landfall.Record{Name: "to.plain.landfall.test", Type: "CNAME", Data: "long.landfall.test."},
			landfall.Record{Name: "to.landfall.test", Type: "CNAME", Data: "long.plain.landfall.test."},
		)
	})
	if err := s.SetKeys([]dnssec.Keys{makeKeys(t, "landfall.test")}); err != nil {
		t.Fatal(err)
	}
	return s
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
	for _, tt := range []struct {
		s     *Server
		names []string
		types []uint16
	}{
		{plain, append(askedNames(plain), "example.com", "."), types},
		{signed, append(askedNames(signed), "example.com", "."), types},
		{crossing(t), []string{"to.landfall.test", "to.plain.landfall.test", "long.landfall.test", "long.plain.landfall.test"}, []uint16{dns.TypeTXT, dns.TypeA}},
	} {
		r, w, s := rand.New(rand.NewPCG(1, 2)), newTwins(tt.s), tt.s
		hits := 0
		for i := range rounds {
			if i%500 == 250 {
				s.SetHealth(map[landfall.NodeID]bool{[]landfall.NodeID{"fra1", "nyc1", "sin1"}[r.IntN(3)]: true})
			}
			from := askers[r.IntN(len(askers))]
			req, err := someQueryOf(r, s, tt.names, tt.types, from).Pack()
			if err != nil {
				t.Fatal(err)
			}
			_, fault := w.ask(req, netip.MustParseAddrPort(from), transport(r.IntN(2)))
			if fault != "" {
				t.Fatal(fault)
			}
			if w.recalled() {
				hits++
			}
		}
		if hits < rounds/20 {
			t.Errorf("of %d answers, %d were out of the book", rounds, hits)
		}
	}
}

// Nobody makes a name server forget what others ask, be it by types that no
// name has, by all names that there are, or by what stands at one place. Those
// are asked with so many bytes of text that they go round many times.
func TestNobodyEmptiesTheBook(t *testing.T) {
	s := newServer(t, func(m *landfall.Map) {
		for i := range 2000 {
			m.Records = append(m.Records, landfall.Record{Name: fmt.Sprintf("n%d.landfall.test", i), Type: "TXT", Data: fmt.Sprint(i)})
		}
	})
	client := netip.MustParseAddrPort("10.1.0.1:53")
	honest := packed(t, question("mail.landfall.test", dns.TypeA))
	for kind, flood := range map[string]func(i int) *dns.Msg{
		"types": func(i int) *dns.Msg { return withDO(question("mail.landfall.test", uint16(256+i)), false) },
		"names": func(i int) *dns.Msg { return question(fmt.Sprintf("n%d.landfall.test", i*7%2000), dns.TypeTXT) },
		"place": func(i int) *dns.Msg {
			m := question("mail.landfall.test", uint16(15+i%4<<14))
			m.SetEdns0(1232, i&4 != 0).IsEdns0().SetCo(i&8 != 0)
			return m
		},
	} {
		w, forgotten := newTwins(s), 0
		w.reader.book = newBookOf(64, 1<<16)
		for i := range 8000 {
			if _, fault := w.ask(packed(t, flood(i)), client, viaUDP); fault != "" {
				t.Fatal(fault)
			}
			if i%4 == 0 {
				w.reader.respond(honest, client, viaUDP, nil)
				if !w.recalled() {
					forgotten++
				}
			}
		}
		if forgotten > 20 {
			t.Errorf("%s: of 2000 answers, %d were made anew", kind, forgotten)
		}
	}
}

// A small book goes on, whatever it has room for.
func TestSmallBook(t *testing.T) {
	s, _ := signedServer(t)
	r, names := rand.New(rand.NewPCG(3, 4)), []string{"landfall.test", "chat.landfall.test", "mail.landfall.test", "www.landfall.test"}
	for _, text := range []int{16, 256, 4096} {
		w := newTwins(s)
		w.reader.book = newBookOf(2, text)
		for range 2000 {
			req := packed(t, someQuery(r, s, names, askers[0]))
			if _, fault := w.ask(req, netip.MustParseAddrPort(askers[0]), viaUDP); fault != "" {
				t.Fatal(fault)
			}
		}
	}
}

// What differs in anything stands anywhere.
func TestPlacesInTheBookHangOnAllThatIsAsked(t *testing.T) {
	b := newBook()
	b.salt = [2]uint64{0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1}
	lines := map[*[bookReach]line]int{}
	for i := range 4 * bookSets {
		a := entry{name: 0x510e527fade682d1, rrtype: uint16(i & 1023), do: i&1024 != 0, choice: uint32(i >> 11)}
		a.rrtype += a.rrtype % 4 << 14
		lines[b.near(a)]++
	}
	most := 0
	for _, n := range lines {
		most = max(most, n)
	}
	if most > 20 || len(lines) < bookSets*9/10 { // by chance: 14, and all but one in 55
		t.Errorf("%d of %d places have lines, one of them %d", len(lines), bookSets, most)
	}
}

// Who is held back has nothing written down.
func TestWhoIsHeldBackWritesNothing(t *testing.T) {
	s := newServer(t, nil)
	s.limit = limit.New(1, maphash.MakeSeed())
	w := newTwins(s)
	client := netip.MustParseAddrPort("10.1.0.1:53")
	w.reader.turn(time.Now())
	for i, rrtype := range []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeMX, dns.TypeTXT, dns.TypeSOA, dns.TypeNS} {
		before := w.reader.book.next
		w.reader.respond(packed(t, question("mail.landfall.test", rrtype)), client, viaUDP, nil)
		if wrote := w.reader.book.next != before; wrote != (i < 2) { // one with records, one without
			t.Errorf("query %d: wrote %v", i, wrote)
		}
	}
}

// Only names that exist are written down, and types that somebody may want:
// others could be made up without end.
func TestBookHoldsNothingMadeUp(t *testing.T) {
	s, _ := signedServer(t)
	w := newTwins(s)
	client := netip.MustParseAddrPort("10.1.0.1:53")
	ask := func(m *dns.Msg) {
		t.Helper()
		if _, fault := w.ask(packed(t, m), client, viaUDP); fault != "" {
			t.Fatal(fault)
		}
	}
	for i := range 100 {
		for _, name := range []string{"%d.landfall.test", "%d.wild.landfall.test", "%d.sub.landfall.test", "%d.old.landfall.test", "%d.example.com", "abcdefghijklmnop%02d.seen.landfall.test"} {
			ask(withDO(question(fmt.Sprintf(name, i), dns.TypeTXT), i%2 == 0))
		}
		for _, name := range []string{"mail.landfall.test", "www.landfall.test", "sub.landfall.test"} {
			ask(withDO(question(name, uint16(i*600+300)), i%2 == 0))
		}
	}
	if n := w.reader.book.next - w.reader.book.begun; n != 0 {
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
