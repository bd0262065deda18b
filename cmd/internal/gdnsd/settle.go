package gdnsd

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"landfall"
	ours "landfall/geodns/zone"
	"landfall/geodns/zone/master"
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
		before := n.size()
		n.drop(faults)
		if n.size() == before {
			for _, f := range faults {
				n.fault(n.chosen.at, f.Cure, "what it becomes is no map: %s: %s", f.Path, f.Msg)
			}
		}
	}
}

// size is how much there is to be taken out.
func (n *network) size() int {
	size := len(n.m.Records) + len(n.m.Services) + len(n.m.Preferences)
	for _, z := range n.m.Zones {
		size += len(z.Records)
	}
	return size
}

// normal writes the records of a zone as they are read from master files, and
// takes out what could not be.
func (n *network) normal(i int) {
	const file = "zone"
	z := &n.m.Zones[i]
	text := master.Write(*z)
	f := master.Read(z.Name, file, func(string) ([]byte, error) { return []byte(text), nil })
	// The first line is the origin; then there is one for each record.
	at := func(p master.Place) place { return n.inZones[i][strings.Count(text[:p.From], "\n")-1] }
	for _, fault := range f.Faults {
		n.note(at(fault.Place), fault.Cure, "%s: left out", fault.Msg)
	}
	var places []place
	for _, p := range f.Places {
		places = append(places, at(p))
	}
	z.Records, n.inZones[i] = f.Zone.Records, places
}

// drop takes out what the faults are about.
func (n *network) drop(faults []landfall.Fault) {
	bad := map[string]landfall.Fault{}
	for _, f := range faults {
		part, rest, _ := strings.Cut(f.Path, ".")
		if record, _, _ := strings.Cut(rest, "."); strings.HasPrefix(record, "record[") {
			part += "." + record
		}
		if bad[part].Path == "" {
			bad[part] = f
		}
	}
	for i := range n.m.Zones {
		z := &n.m.Zones[i]
		z.Records, n.inZones[i] = sift(n, fmt.Sprintf("zone[%d].record", i), z.Records, n.inZones[i], bad)
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
