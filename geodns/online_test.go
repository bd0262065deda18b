package geodns

import (
	"fmt"
	"math"
	"net/netip"
	"testing"
	"time"

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
	o := newOnline()
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
