package geodns

import (
	"fmt"
	"net/netip"
	"testing"

	"landfall"
	"landfall/geodns/dnssec"
	"landfall/geodns/locate"
)

// wideWorld has eight edges, ten services and clients all over the earth.
func wideWorld(tb testing.TB) *Server {
	tb.Helper()
	s := newServer(tb, nil)
	m := testMap()
	m.Regions, m.Nodes, m.Steering.Answers = nil, nil, 5
	for i, at := range []landfall.Place{
		{Lat: 50, Lon: 8}, {Lat: 40, Lon: -74}, {Lat: 1, Lon: 103}, {Lat: 35, Lon: 139},
		{Lat: -33, Lon: 151}, {Lat: -23, Lon: -46}, {Lat: 37, Lon: -122}, {Lat: 19, Lon: 72},
	} {
		region := landfall.RegionID(fmt.Sprintf("r%d", i))
		m.Regions = append(m.Regions, landfall.Region{ID: region, Place: at, Home: i == 0})
		m.Nodes = append(m.Nodes, landfall.Node{
			ID: landfall.NodeID(region), Region: region, Roles: []landfall.Role{landfall.RoleEdge, landfall.RoleDNS},
			Advertised: []netip.Addr{netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), netip.AddrFrom16([16]byte{0x20, 1, 13: 8, 15: byte(i)})},
		})
	}
	for i := range 10 - len(m.Services) {
		m.Services = append(m.Services, landfall.Service{Host: fmt.Sprintf("service%d.landfall.test", i), Upstream: "chat"})
	}
	known := map[netip.Prefix]landfall.Location{}
	for lat := range 90 {
		for lon := range 180 {
			p := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(lat), byte(lon)}), 24)
			known[p] = landfall.Location{Known: true, Place: landfall.Place{Lat: float64(2*lat - 89), Lon: float64(2*lon - 179)}}
		}
	}
	s.SetAtlas(locate.Of(known))
	s.SetMap(m)
	return s
}

// BenchmarkSigning measures what it takes to sign a snapshot from nothing, what
// a dead edge costs, and what one costs that was dead before.
func BenchmarkSigning(b *testing.B) {
	s := wideWorld(b)
	keys := []dnssec.Keys{makeKeys(b, "landfall.test")}
	again := func(b *testing.B) {
		s.signatures = dnssec.NewCache(rememberedSigs)
		if err := s.SetKeys(nil); err != nil {
			b.Fatal(err)
		}
	}
	signIt := func(b *testing.B) {
		if err := s.SetKeys(keys); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("whole", func(b *testing.B) {
		for b.Loop() {
			again(b)
			signIt(b)
		}
		b.ReportMetric(float64(s.signatures.Made()), "steered")
		b.ReportMetric(float64(len(s.current.Load().choices)), "choices")
	})
	for name, cold := range map[string]bool{"flip": true, "flip back": false} {
		b.Run(name, func(b *testing.B) {
			again(b)
			signIt(b)
			for i := 0; b.Loop(); i++ {
				if cold {
					b.StopTimer()
					s.SetHealth(nil)
					again(b)
					signIt(b)
					b.StartTimer()
				}
				s.SetHealth(map[landfall.NodeID]bool{landfall.NodeID("r" + string('1'+rune(i%2))): true})
			}
		})
	}
}
