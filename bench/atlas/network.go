package atlas

import (
	"landfall"
)

// Map is the network of the world's edges, which answers for a host of a zone
// with so many addresses.
func (w *World) Map(zone, host string, answers int) *landfall.Map {
	m := &landfall.Map{
		Network: "bench", Domain: zone, Serial: 1,
		Services: []landfall.Service{{Host: host, Upstream: "http://127.0.0.1:3000"}},
		Steering: landfall.Steering{TTL: 24 * 3600e9, Answers: answers},
	}
	for i, e := range w.Edges {
		m.Regions = append(m.Regions, landfall.Region{ID: e.Region, Place: e.Place, Home: i == 0})
		roles := []landfall.Role{landfall.RoleEdge}
		if i == 0 {
			roles = landfall.Roles()
		}
		n := landfall.Node{ID: e.Node(), Region: e.Region, Roles: roles}
		n.Advertised = append(n.Advertised, e.Addr)
		m.Nodes = append(m.Nodes, n)
	}
	return m
}

// Node is the name of the edge's server.
func (e Edge) Node() landfall.NodeID { return landfall.NodeID(e.Region) + "1" }

// Labels are the leaves of both families, each with a number for its city, as
// a table of prefixes wants them; nowhere is 0.
func (w *World) Labels(f func(prefix Leaf, label uint32)) {
	for _, l := range w.all() {
		f(l, uint32(l.city+1))
	}
}
