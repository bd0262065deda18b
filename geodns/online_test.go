package geodns

import (
	"fmt"
	"math"
	"net/netip"
	"testing"
	"time"

	"landfall/geodns/resolver"

	"github.com/miekg/dns"
)

// However many names are made up, few signatures are made, and every answer is
// proved.
func TestFloodOfNamesCostsNoSignatures(t *testing.T) {
	s, v := signedServer(t)
	before := s.online.made.Load()
	req := make([][]byte, 3*onlineRate)
	for i := range req {
		m := withDO(question(fmt.Sprintf("n%d.landfall.test", i), dns.TypeA), false)
		m.Id = 1
		req[i], _ = m.Pack()
	}
	c := &core{s: s, place: shared}
	c.turn(s.begun.Add(time.Hour))
	var out []byte
	for i := range req {
		if out = c.respond(req[i], netip.MustParseAddrPort("10.1.0.1:53"), viaTCP, out); i%997 != 0 {
			continue
		}
		m := new(dns.Msg)
		if err := m.Unpack(out); err != nil {
			t.Fatal(err)
		}
		if verdict, err := v.validate(m.Question[0].Name, dns.TypeA, m); verdict != nxdomain || err != nil {
			t.Fatalf("%d: %s, %v", i, verdict, err)
		}
	}
	if n := s.online.made.Load() - before; n > onlineRate {
		t.Errorf("%d signatures in a second", n)
	}
	if n := s.Stats().Unsigned; n != uint64(len(req))-onlineRate {
		t.Errorf("%d counted that were not made", n)
	}
}

// What was denied once costs nothing when it is asked for again.
func TestDenialsAreRemembered(t *testing.T) {
	s, _ := signedServer(t)
	for range 100 {
		askBy(t, s, withDO(question("nothing.landfall.test", dns.TypeTXT), true), "10.1.0.1", true)
	}
	if n := s.online.made.Load(); n != 1 {
		t.Errorf("%d signatures for one name", n)
	}
	s.SetChallenges(map[string][]string{"nothing.landfall.test": {"now it is there"}})
	if m := askBy(t, s, withDO(question("nothing.landfall.test", dns.TypeTXT), true), "10.1.0.1", true); m.Rcode != dns.RcodeSuccess || len(m.Answer) != 2 {
		t.Errorf("it is there now: %v", m)
	}
}

// A budget is spent evenly, after as much at once as a second has, and some of
// it is left for those whose addresses are no lies.
func TestBudgetOfSignatures(t *testing.T) {
	o := &newOnline().denied
	if !o.take(0, true) || !o.take(0, false) {
		t.Error("at the start there is none")
	}
	taken := 0
	for at := time.Hour; at < time.Hour+2*time.Second; at += time.Millisecond {
		for range 50 {
			if o.take(at, true) {
				taken++
			}
		}
	}
	if taken < 3*onlineRate-onlineRate/100 || taken > 3*onlineRate+onlineRate/100 {
		t.Errorf("%d signatures in two seconds and one before, of %d a second", taken, onlineRate)
	}
	for at := 2 * time.Hour; at < 2*time.Hour+time.Second; at += time.Millisecond {
		for range 50 {
			o.take(at, false)
		}
		if !o.take(at, true) {
			t.Fatalf("after %s of a flood nothing is left for others", at-2*time.Hour)
		}
	}
	o.spent.Store(math.MaxInt64 / 2)
	if o.take(time.Hour, true) {
		t.Error("what is spent is spent")
	}
}

// A flood of names keeps nobody from being told of the edge that a page's name
// is for; a flood of such names gets what was signed ahead, and nobody learns
// of it.
func TestPagesAreHeardThroughFloods(t *testing.T) {
	s, v := signedServer(t)
	s.resolvers = resolver.New()
	s.SetMap(s.in.Map)
	ask := func(name string, rrtype uint16) (*dns.Msg, verdict) {
		m := askBy(t, s, withDO(question(name, rrtype), false), "10.1.0.53", true)
		verdict, err := v.validate(dns.Fqdn(name), rrtype, m)
		if err != nil {
			t.Errorf("%s %s: %v\n%v", name, dns.Type(rrtype), err, m)
		}
		return m, verdict
	}
	const page = "abcdefghijklmnop.seen.landfall.test"
	s.online.denied.spent.Store(math.MaxInt64 / 2)
	if m, verdict := ask(page, dns.TypeA); verdict != positive || signature(m.Answer, dns.Fqdn(page), dns.TypeA).Labels != 4 {
		t.Errorf("while others flood: %v", m)
	}
	if n := s.resolvers.Stats().Asked; n != 1 {
		t.Errorf("%d questions noted", n)
	}
	s.spend(true)
	for name, want := range map[string]verdict{page: positive, "b1.seen.landfall.test": positive, "x.y.seen.landfall.test": positive, "*.x.seen.landfall.test": positive} {
		if m, verdict := ask(name, dns.TypeA); verdict != want || signature(m.Answer, dns.Fqdn(name), dns.TypeA).Labels != 3 {
			t.Errorf("%s over the budget: %v", name, m)
		}
		for _, rrtype := range []uint16{dns.TypeTXT, dns.TypeHTTPS, dns.TypeANY} {
			ask(name, rrtype)
		}
	}
	if n := s.resolvers.Stats().Asked; n != 1 {
		t.Errorf("%d questions noted, though the answer was not made for one", n)
	}
}

// A signature over a wildcard is good for all names that it stands for, so none
// is made for who asks.
func TestWildcardsAreNotSignedForQueries(t *testing.T) {
	s, v := signedServer(t)
	for _, name := range []string{"*.landfall.test", "*.*.landfall.test", "*.mail.landfall.test", "*.wild.landfall.test", "x.wild.landfall.test", "*.x.wild.landfall.test"} {
		for _, rrtype := range []uint16{dns.TypeA, dns.TypeANY, dns.TypeNSEC, dns.TypeRRSIG} {
			m := askBy(t, s, withDO(question(name, rrtype), false), "10.1.0.1", true)
			if _, err := v.validate(dns.Fqdn(name), rrtype, m); err != nil || compact(m.Ns) || compact(m.Answer) {
				t.Errorf("%s %s: %v\n%v", name, dns.Type(rrtype), err, m)
			}
		}
	}
	if n := s.online.made.Load(); n != 0 {
		t.Errorf("%d signatures made", n)
	}
}
