package fleet

import (
	"net/netip"
	"time"

	"landfall"
	"landfall/cmd/lab"
	"landfall/mesh/wan"
)

// The names that the network goes by.
const (
	Network = "shop"
	Domain  = "edge.example.com"
	App     = "app." + Domain    // a service in the domain
	Outside = "www.shop.example" // a service whose zone is kept elsewhere
	Home    = landfall.NodeID("fra1")
)

// near is the round trip between a user and the servers of his region.
const near = 10 * time.Millisecond

// Server is a server that is to join.
type Server struct {
	Node   landfall.NodeID
	Region landfall.RegionID
	Place  landfall.Place // of the region
}

// Joiners are the servers beside home.
func Joiners() []Server {
	return []Server{{"nyc1", "nyc", places()["nyc"]}, {"sin1", "sin", places()["sin"]}}
}

// Users are the hosts of users, one in each region.
func Users() []string { return []string{"user-fra", "user-nyc", "user-sin"} }

func places() map[wan.Site]landfall.Place {
	return map[wan.Site]landfall.Place{"fra": {Lat: 50.11, Lon: 8.68}, "nyc": {Lat: 40.71, Lon: -74.01}, "sin": {Lat: 1.29, Lon: 103.85}}
}

func links() []lab.Link {
	out := []lab.Link{
		lab.RTT("fra", "nyc", 80*time.Millisecond), lab.RTT("fra", "sin", 160*time.Millisecond), lab.RTT("nyc", "sin", 230*time.Millisecond),
	}
	for site := range places() {
		out = append(out, lab.RTT(site, site, near))
	}
	return out
}

func hosts() []lab.Server {
	return []lab.Server{
		{Name: "fra1", Place: "fra", Addresses: addrs("192.0.2.1", "2001:db8:1::1")},
		{Name: "nyc1", Place: "nyc", Addresses: addrs("198.51.100.7"), Inside: netip.AddrFrom4([4]byte{10, 0, 0, 5}),
			Firewall: &lab.Firewall{TCP: []uint16{53, 80, 443}, UDP: []uint16{53, 51820}}},
		{Name: "sin1", Place: "sin", Addresses: addrs("203.0.113.1", "2001:db8:3::1")},
		{Name: "registry", Place: "fra", Addresses: addrs("192.0.2.53", "2001:db8:1::53")},
		{Name: "authority", Place: "fra", Addresses: addrs("192.0.2.80", "2001:db8:1::80")},
		{Name: "user-fra", Place: "fra", Addresses: addrs("192.0.2.101", "2001:db8:1::101")},
		{Name: "user-nyc", Place: "nyc", Addresses: addrs("198.51.100.101")},
		{Name: "user-sin", Place: "sin", Addresses: addrs("203.0.113.101", "2001:db8:3::101")},
	}
}

func addrs(text ...string) (out []netip.Addr) {
	for _, s := range text {
		out = append(out, netip.MustParseAddr(s))
	}
	return out
}
