package gdnsd

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"landfall"
	ours "landfall/geodns/zone"
)

// servers makes nodes of the zone's name servers that have their addresses in
// it. The name servers of a network are named after its nodes.
func (n *network) servers() {
	home, _ := n.m.Home()
	for _, r := range n.zone.records {
		if r.rrtype != "NS" || r.name != n.zone.name {
			continue
		}
		target := strings.ToLower(strings.TrimSuffix(r.text(), "."))
		addrs := n.addresses(target)
		if len(addrs) == 0 {
			n.note(r.at, "run `landfall dns serve` there, and add a [[node]] with roles = [\"dns\"]", "NS %s has no address in the zone: left out", target)
			continue
		}
		i := slices.IndexFunc(n.m.Nodes, func(o landfall.Node) bool { return o.ID == n.nodes[addrs[0].String()] })
		if i < 0 {
			id := free(label(strings.Split(target, ".")[0]), func(id landfall.NodeID) bool { _, ok := n.m.Node(id); return ok })
			i = len(n.m.Nodes)
			n.m.Nodes = append(n.m.Nodes, landfall.Node{ID: id, Region: home.ID})
		}
		node := &n.m.Nodes[i]
		node.Roles = append(node.Roles, landfall.RoleDNS)
		for _, a := range addrs {
			if _, taken := n.nodes[a.String()]; !taken {
				node.Advertised = append(node.Advertised, a)
				n.nodes[a.String()] = node.ID
			}
		}
		n.note(r.at, "have the parent zone delegate to that name", "NS %s becomes %s", target, ours.ServerName(node.ID, n.m.Domain))
	}
}

// addresses are those that the zone has for a name.
func (n *network) addresses(name string) (out []netip.Addr) {
	for _, r := range n.zone.records {
		if r.name == name && (r.rrtype == "A" || r.rrtype == "AAAA") {
			if a, err := netip.ParseAddr(r.data[0]); err == nil {
				out = append(out, a)
			}
		}
	}
	return out
}

// settle takes out of the map what it cannot hold, and tells so, until nothing
// is wrong with it: what is written can always be read.
func (n *network) settle() {
	for len(n.faults) == 0 {
		faults := n.m.Check()
		if len(faults) == 0 {
			_, faults = ours.Build(n.m, nil)
		}
		if len(faults) == 0 {
			return
		}
		before := len(n.m.Records) + len(n.m.Services) + len(n.m.Preferences)
		n.drop(faults)
		if len(n.m.Records)+len(n.m.Services)+len(n.m.Preferences) == before {
			for _, f := range faults {
				n.fault(n.chosen.at, f.Cure, "what it becomes is no map: %s: %s", f.Path, f.Msg)
			}
		}
	}
}

// drop takes out what the faults are about.
func (n *network) drop(faults []landfall.Fault) {
	bad := map[string]landfall.Fault{}
	for _, f := range faults {
		if part, _, _ := strings.Cut(f.Path, "."); bad[part].Path == "" {
			bad[part] = f
		}
	}
	n.m.Records, n.records = sift(n, "record", n.m.Records, n.records, bad)
	n.m.Services, n.services = sift(n, "service", n.m.Services, n.services, bad)
	n.m.Preferences, n.preferences = sift(n, "preference", n.m.Preferences, n.preferences, bad)
}

// sift keeps what has no fault.
func sift[T any](n *network, part string, all []T, at []place, bad map[string]landfall.Fault) (kept []T, places []place) {
	for i, v := range all {
		if f, ok := bad[fmt.Sprintf("%s[%d]", part, i)]; ok {
			n.note(at[i], f.Cure, "%s: left out", f.Msg)
			continue
		}
		kept, places = append(kept, v), append(places, at[i])
	}
	return kept, places
}
