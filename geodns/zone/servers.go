package zone

import "landfall"

// ServerName is the name of a node as a name server of the domain.
func ServerName(id landfall.NodeID, domain string) string { return string(id) + ".ns." + domain }

// Servers are the name servers that the zone's NS records list, and the
// parent zone's should, in the map's order.
func Servers(m *landfall.Map) []landfall.Node {
	var out []landfall.Node
	state := listed(m)
	for n := range m.Having(landfall.RoleDNS) {
		if n.EffectiveState() == state {
			out = append(out, n)
		}
	}
	return out
}

// listed is the state of the name servers to list: Active, or Draining if
// there is no other.
func listed(m *landfall.Map) landfall.State {
	for n := range m.Having(landfall.RoleDNS) {
		if n.EffectiveState() == landfall.Active {
			return landfall.Active
		}
	}
	return landfall.Draining
}
