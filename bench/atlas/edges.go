package atlas

import (
	"net/netip"

	"landfall"
)

// Edge is one server that answers are about.
type Edge struct {
	Region landfall.RegionID
	Place  landfall.Place
	Addr   netip.Addr
}

// edges stand in eight regions; the first is home, where clients go whom
// nobody knows.
func edges() []Edge {
	regions := []struct {
		id       landfall.RegionID
		lat, lon float64
	}{
		{"fra", 50.11, 8.68}, {"nyc", 40.71, -74.01}, {"sjc", 37.34, -121.89}, {"gru", -23.43, -46.47},
		{"jnb", -26.13, 28.24}, {"bom", 19.09, 72.87}, {"sin", 1.36, 103.99}, {"nrt", 35.77, 140.39},
	}
	var out []Edge
	for i, r := range regions {
		addr := netip.AddrFrom4([4]byte{192, 0, 2, byte(1 + i)})
		out = append(out, Edge{r.id, landfall.Place{Lat: r.lat, Lon: r.lon}, addr})
	}
	return out
}
