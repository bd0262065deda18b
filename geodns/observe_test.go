package geodns

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"landfall"
	"landfall/geodns/tap"
	"landfall/geodns/zone"

	"github.com/miekg/dns"
)

func TestAnswersAreCountedByName(t *testing.T) {
	s := newServer(t, nil)
	c := &core{s: s, place: shared, book: newBook()}
	for range 3 { // the first by the long way, the others by the book
		for _, q := range []struct {
			name   string
			rrtype uint16
		}{
			{"CHAT.landfall.test.", dns.TypeA}, {"chat.landfall.test.", dns.TypeMX}, {"landfall.test.", dns.TypeMX},
			{"nothing.landfall.test.", dns.TypeA}, {"example.com.", dns.TypeA}, {"x.wild.landfall.test.", dns.TypeTXT},
		} {
			req, err := new(dns.Msg).SetQuestion(q.name, q.rrtype).Pack()
			if err != nil {
				t.Fatal(err)
			}
			if out := c.respond(req, netip.MustParseAddrPort("10.1.0.1:53"), viaUDP, nil); len(out) == 0 {
				t.Fatalf("%s: silence", q.name)
			}
		}
	}
	got := s.Stats().Names
	for name, want := range map[string]uint64{"chat.landfall.test": 6, "landfall.test": 3, "irc.landfall.test": 0, otherName: 9} {
		if n, ok := got[name]; !ok || n != want {
			t.Errorf("%s: %d, want %d (of %v)", name, n, want, got)
		}
	}
}

// However many names a map has, so many are counted, those of services first,
// and none moves when names come and go.
func TestCountedNamesAreBounded(t *testing.T) {
	var many []landfall.Record
	for i := range 2 * maxCounted {
		many = append(many, landfall.Record{Name: fmt.Sprintf("a%d.landfall.test", i), Type: "A", Data: "192.0.2.1"})
	}
	s := newServer(t, func(m *landfall.Map) { m.Records = append(m.Records, many...) })
	if n := len(s.Stats().Names); n != 1+maxCounted {
		t.Errorf("%d names", n)
	}
	chat := zone.Name("\x04chat\x08landfall\x04test\x00")
	was := s.current.Load().in.counted[chat]
	if was == 0 {
		t.Error("the name of a service has no place")
	}
	s.SetMap(testMap())
	if is := s.current.Load().in.counted[chat]; is != was {
		t.Errorf("it has moved from %d to %d", was, is)
	}
}

func TestOperatorsHearOfQueries(t *testing.T) {
	var out bytes.Buffer
	to, err := tap.New(tap.Config{File: "-", Stdout: &out})
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(t, nil)
	s.tap = to
	ask(t, s, withSubnet(question("Chat.landfall.test", dns.TypeA), "10.2.3.0/24"), "10.1.0.1")
	askBy(t, s, question("nothing.landfall.test", dns.TypeA), "10.1.0.1", true)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := to.Run(ctx); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"client":"10.1.0.0","via":"udp","name":"Chat.landfall.test.","type":"A","rcode":"NOERROR","subnet":"10.2.3.0/24","scope":16,`,
		`"client":"10.1.0.0","via":"tcp","name":"nothing.landfall.test.","type":"A","rcode":"NXDOMAIN",`,
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %s in\n%s", want, out.String())
		}
	}
}

// Telling costs no allocation where answering costs none.
func TestObservingAllocatesNothing(t *testing.T) {
	to, err := tap.New(tap.Config{})
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(t, nil)
	c := asking(s)
	c.tap = to.Handle()
	req, err := withSubnet(question("chat.landfall.test", dns.TypeA), "10.2.3.0/24").Pack()
	if err != nil {
		t.Fatal(err)
	}
	client, buf := netip.MustParseAddrPort("10.1.0.1:53"), make([]byte, 0, udpSize)
	if n := testing.AllocsPerRun(2000, func() {
		c.observe(req, c.respond(req, client, viaUDP, buf), client, viaUDP)
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
