package geodns

import (
	"fmt"
	"math"
	"net/netip"
	"testing"
	"time"

	"landfall"
	"landfall/geodns/resolver"
	"landfall/geodns/traffic"

	"github.com/miekg/dns"
)

// A page that fetches a name nobody asked for before tells who stands behind
// a resolver: the name server saw the resolver, the edge the client. Enough
// of these, and the resolver gets what is best for its clients.
func TestResolversGetWhatIsBestForTheirClients(t *testing.T) {
	s := newServer(t, nil)
	s.resolvers = resolver.New()
	s.SetMap(testMap())
	carrier := "10.1.0.53" // in Frankfurt, and all its clients in Singapore
	if got := data(ask(t, s, question("chat.landfall.test", dns.TypeA), carrier).Answer)[0]; got != "A 192.0.2.1" {
		t.Fatalf("before: %s", got)
	}
	edges := map[string]landfall.NodeID{"A 192.0.2.1": "fra1", "A 192.0.2.2": "nyc1", "A 192.0.2.3": "sin1"}
	for i := range 60 {
		token := fmt.Sprintf("abcdefghijklmnop%02d", i)
		got := askBy(t, s, question(token+".seen.landfall.test", dns.TypeA), carrier, true)
		if len(got.Answer) != 1 {
			t.Fatalf("%s: %v", token, got)
		}
		s.resolvers.Fetched(edges[data(got.Answer)[0]], token, netip.AddrFrom4([4]byte{10, 3, byte(i), 7}))
	}
	s.SetLearned(Learned{Resolvers: s.resolvers.Freeze()})
	if got := data(ask(t, s, question("chat.landfall.test", dns.TypeA), carrier).Answer)[0]; got != "A 192.0.2.3" {
		t.Errorf("after: %s, stats %+v", got, s.resolvers.Stats())
	}
	if got := data(ask(t, s, withSubnet(question("chat.landfall.test", dns.TypeA), "10.1.0.0/24"), carrier).Answer)[0]; got != "A 192.0.2.1" {
		t.Errorf("a client subnet is stronger: %s", got)
	}
}

// Who may bear another's address is not believed to be a resolver, and what he
// makes up about clients stays little.
func TestWhoMayLieIsNotHeard(t *testing.T) {
	s := newServer(t, nil)
	s.resolvers, s.traffic = resolver.New(), traffic.New()
	s.SetMap(testMap())
	for i := range 20 {
		token := fmt.Sprintf("abcdefghijklmnop%02d", i)
		got := ask(t, s, question(token+".seen.landfall.test", dns.TypeA), "10.1.0.53")
		if !got.Truncated || len(got.Answer) != 0 {
			t.Fatalf("by UDP: %v", got)
		}
	}
	if n := s.resolvers.Stats().Asked; n != 0 {
		t.Errorf("%d questions of nobody in particular are noted", n)
	}
	for range 50_000 {
		ask(t, s, withSubnet(question("chat.landfall.test", dns.TypeA), "203.0.113.0/24"), "10.1.0.53")
	}
	if n := s.traffic.Freeze().Total(); n > 5000 {
		t.Errorf("one sender has %v queries counted for a network he does not have", n)
	}
	askBy(t, s, withSubnet(question("chat.landfall.test", dns.TypeA), "198.51.100.0/24"), "10.9.0.53", true)
	if n := s.traffic.Freeze().Total(); n == 0 {
		t.Error("nobody is counted")
	}
}

func TestNamesOfTokens(t *testing.T) {
	s := newServer(t, nil)
	for name, want := range map[string]int{
		"abcdefghijklmnopqrst.seen.landfall.test":   dns.RcodeSuccess,
		"seen.landfall.test":                        dns.RcodeSuccess, // nothing there, but names below it are
		"short.seen.landfall.test":                  dns.RcodeNameError,
		"x.abcdefghijklmnopqrst.seen.landfall.test": dns.RcodeNameError,
		"abcdefghijklmnopqrst.landfall.test":        dns.RcodeNameError,
	} {
		if got := ask(t, s, question(name, dns.TypeA), "10.1.0.1"); got.Rcode != want {
			t.Errorf("%s: %s", name, dns.RcodeToString[got.Rcode])
		}
	}
	got := askBy(t, s, question("abcdefghijklmnopqrst.seen.landfall.test", dns.TypeMX), "10.1.0.1", true)
	if got.Rcode != dns.RcodeSuccess || len(got.Answer) != 0 || len(got.Ns) != 1 {
		t.Errorf("another type: %v", got)
	}
}

// Who has much to do counts one client in so many, for all of them.
func TestClientsAreCountedByFewWhereThereAreMany(t *testing.T) {
	s := newServer(t, nil)
	s.traffic = traffic.New()
	c := &core{s: s, busy: true}
	now := time.Now()
	c.a.proven = true
	c.r.whom = netip.MustParseAddr("10.1.0.1")
	const n = 40_000
	for range n {
		now = now.Add(2 * time.Millisecond) // within what one network may have counted
		c.turn(now)
		c.weigh()
	}
	// n draws at 1 in 8: the deviation is 8·√(n·7/8²) = 529.
	if got := s.traffic.Freeze().Total(); math.Abs(got-n) > 6*529 {
		t.Errorf("%g of %d", got, n)
	}
}
