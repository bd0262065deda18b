package geodns

import (
	"fmt"
	"net/netip"
	"runtime"
	"sync"
	"testing"

	"landfall"

	"github.com/miekg/dns"
)

// TestAnswersNeverMixTwoMaps asks while maps, health and all else change. In
// each map the edge's address and the port in the HTTPS record both tell the
// serial.
func TestAnswersNeverMixTwoMaps(t *testing.T) {
	version := func(serial landfall.Serial) *landfall.Map {
		m := testMap()
		m.Serial = serial
		m.Ports.HTTPS = uint16(1000 + serial)
		for i := range m.Nodes {
			m.Nodes[i].Advertised = []netip.Addr{netip.AddrFrom4([4]byte{192, 0, 2, byte(serial)})}
		}
		return m
	}
	s := newServer(t, nil)
	s.SetMap(version(1))
	var askers, changers sync.WaitGroup
	for _, change := range []func(i int){
		func(i int) { s.SetMap(version(landfall.Serial(1 + i%200))) },
		func(i int) { s.SetHealth(map[landfall.NodeID]bool{"nyc1": i%2 == 0}) },
		func(i int) { s.SetChallenges(map[string][]string{"_acme-challenge.landfall.test": {fmt.Sprint(i)}}) },
		func(i int) { s.SetAtlas(testAtlas()) },
		func(int) { s.Stats() },
	} {
		changers.Go(func() {
			for i := range 300 {
				change(i)
			}
		})
	}
	for range 2 {
		askers.Go(func() {
			for range 1000 {
				got := ask(t, s, question("chat.landfall.test", dns.TypeHTTPS), "10.2.0.1")
				var port uint16
				var addr byte
				for _, v := range got.Answer[0].(*dns.HTTPS).Value {
					switch v := v.(type) {
					case *dns.SVCBPort:
						port = v.Port
					case *dns.SVCBIPv4Hint:
						addr = v.Hint[0].To4()[3]
					}
				}
				if port != 1000+uint16(addr) {
					t.Errorf("port of serial %d with the address of serial %d", port-1000, addr)
				}
			}
		})
	}
	askers.Wait()
	changers.Wait()
}

func BenchmarkRespond(b *testing.B) {
	s := newServer(b, nil)
	for name, m := range map[string]*dns.Msg{
		"steered": withSubnet(question("chat.landfall.test", dns.TypeA), "10.2.3.0/24"),
		"static":  question("mail.landfall.test", dns.TypeA),
		"missing": question("nothing.landfall.test", dns.TypeA),
	} {
		b.Run(name, func(b *testing.B) {
			req, err := m.Pack()
			if err != nil {
				b.Fatal(err)
			}
			client, buf := netip.MustParseAddrPort("10.1.0.1:53"), make([]byte, 0, udpSize)
			b.ReportAllocs()
			for b.Loop() {
				buf = s.respond(req, client, viaUDP, buf)
			}
		})
	}
}

// A dead edge is not named any longer because a larger change is in the making,
// such as that of a new database.
func TestHealthDoesNotWaitForLargerPlans(t *testing.T) {
	s := newServer(t, nil)
	named := func() string {
		return data(ask(t, s, withSubnet(question("chat.landfall.test", dns.TypeA), "10.2.0.0/24"), "10.1.0.1").Answer)[0]
	}
	if got := named(); got != "A 192.0.2.2" {
		t.Fatalf("before: %s", got)
	}
	was := s.current.Load()
	s.making.Lock() // as while a plan is made
	var telling sync.WaitGroup
	telling.Go(func() { s.SetHealth(map[landfall.NodeID]bool{"nyc1": true}) })
	for s.current.Load() == was {
		runtime.Gosched()
	}
	if got := named(); got != "A 192.0.2.1" {
		t.Errorf("while a plan is made: %s", got)
	}
	s.making.Unlock()
	telling.Wait()
	if got := named(); got != "A 192.0.2.1" {
		t.Errorf("after: %s", got)
	}
}

// Challenges have no part in plans: they cost none.
func TestChallengesNeedNoNewPlan(t *testing.T) {
	s := newServer(t, nil)
	before := s.Plan()
	s.SetChallenges(map[string][]string{"_acme-challenge.landfall.test": {"x"}})
	if s.Plan() != before {
		t.Error("a plan was made for a TXT record")
	}
	s.SetHealth(map[landfall.NodeID]bool{"nyc1": true})
	if s.Plan() == before {
		t.Error("no plan was made for a dead edge")
	}
}
