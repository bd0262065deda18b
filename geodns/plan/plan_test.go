package plan

import (
	"fmt"
	"landfall"
	"landfall/geodns/locate"
	"net/netip"
	"testing"
)

func TestTry(t *testing.T) {
	m := &landfall.Map{Network: "n", Regions: []landfall.Region{{ID: "fra", Place: landfall.Place{Lat: 50, Lon: 8}, Home: true}, {ID: "nyc", Place: landfall.Place{Lat: 40, Lon: -74}}}}
	for i, r := range []string{"fra", "fra", "nyc", "nyc"} {
		m.Nodes = append(m.Nodes, landfall.Node{ID: landfall.NodeID(fmt.Sprint(r, i)), Region: landfall.RegionID(r), Roles: landfall.Roles(), Ceiling: 40, Advertised: []netip.Addr{netip.AddrFrom4([4]byte{192, 0, 2, byte(i)})}})
	}
	m.Steering.Answers = 1
	p := Compile(Input{Map: m, Demand: 100, Down: map[landfall.NodeID]bool{"fra0": true}, Atlas: locate.Of(map[netip.Prefix]landfall.Location{
		netip.MustParsePrefix("0.0.0.0/1"):   {Known: true, Place: landfall.Place{Lat: 51, Lon: 1}},
		netip.MustParsePrefix("128.0.0.0/1"): {Known: true, Place: landfall.Place{Lat: 41, Lon: -71}},
	})})
	t.Log(p.Len(A))
	t.Logf("%+v", p.Loads())
	for _, k := range []Kind{A, AAAA, Both} {
		c, bits := p.Lookup(k, netip.MustParseAddr("1.2.3.4"))
		t.Log(c, bits, p.Choice(c))
	}
}
