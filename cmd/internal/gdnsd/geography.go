package gdnsd

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"landfall"
	"landfall/geodns/prefix"
)

// geography makes regions, nodes and preferences.
func (n *network) geography() {
	for _, name := range slices.Sorted(maps.Keys(n.given.Places)) {
		if !n.chosen.geo.has(name) {
			n.fault(n.chosen.geo.at, "want one of "+strings.Join(n.chosen.geo.names(), ", "), "--place %s=…: that is not a datacenter of %s", name, n.chosen.geo.name)
		}
	}
	var nowhere []string
	for _, d := range n.chosen.geo.centers {
		p := n.chosen.serving(d.name)
		if p == nil || n.standsFor(d, p) {
			continue
		}
		where, ok := n.where(d)
		if !ok {
			nowhere = append(nowhere, d.name)
		}
		n.region(d, p, where)
	}
	if len(nowhere) > 0 {
		n.fault(n.chosen.geo.at, "say where they are: --place "+strings.Join(nowhere, "=LAT,LON --place ")+"=LAT,LON", "%s says not where %s is", n.chosen.geo.name, strings.Join(nowhere, ", "))
	}
	if len(n.m.Regions) == 0 {
		n.fault(n.chosen.at, "give a datacenter addresses", "%s has no datacenter with addresses", n.chosen.name)
		return
	}
	n.prefer()
}

// where is the place of a datacenter: as given, by the map, or by another map
// that has one of this name.
func (n *network) where(d center) (landfall.Place, bool) {
	if p, ok := n.given.Places[d.name]; ok {
		return p, true
	}
	if d.placed {
		return d.place, true
	}
	for _, k := range n.top.of("plugins").of("geoip").of("maps").keysOf() {
		if v := k.value.of("auto_dc_coords").of(d.name); v != nil {
			if p, ok := coordinate(v); ok {
				n.note(v.at, "", "datacenter %q is taken to be where map %q has it", d.name, k.name)
				return p, true
			}
		}
	}
	return landfall.Place{}, false
}

// standsFor reports whether all addresses of a datacenter are another's
// already, which is then told in its stead.
func (n *network) standsFor(d center, p *pool) bool {
	var other landfall.RegionID
	for _, m := range slices.Concat(p.v4, p.v6) {
		id, taken := n.nodes[m.addr.String()]
		if !taken {
			return false
		}
		node, _ := n.m.Node(id)
		other = node.Region
	}
	n.note(d.at, "", "datacenter %q has the addresses of region %q, and becomes it", d.name, other)
	n.regions[d.name] = other
	return true
}

// region makes a region of a datacenter, with a node for each address, or for
// each pair of IPv4 and IPv6.
func (n *network) region(d center, p *pool, where landfall.Place) {
	id := free(label(d.name), func(id landfall.RegionID) bool { _, ok := n.m.Region(id); return ok })
	r := landfall.Region{ID: id, Place: where}
	if string(id) != d.name {
		r.Title = printable(d.name)
		n.note(d.at, "", "datacenter %q becomes region %q: ids are labels of host names", d.name, id)
	}
	n.m.Regions = append(n.m.Regions, r)
	n.regions[d.name] = id
	n.told(d, p)
	for _, group := range pairs(n.fresh(d, p.v4), n.fresh(d, p.v6)) {
		node := landfall.Node{Region: id, Roles: []landfall.Role{landfall.RoleEdge}}
		node.ID = numbered(string(id), func(id landfall.NodeID) bool { _, ok := n.m.Node(id); return ok })
		for _, m := range group {
			node.Advertised = append(node.Advertised, m.addr)
			node.Weight = max(node.Weight, m.weight)
			n.nodes[m.addr.String()] = node.ID
		}
		for _, m := range group {
			if m.weight != node.Weight {
				n.note(m.at, "", "weight %d: the addresses of node %q have one weight, %d", m.weight, node.ID, node.Weight)
			}
		}
		n.m.Nodes = append(n.m.Nodes, node)
	}
}

// told counts the addresses that answers have.
func (n *network) told(d center, p *pool) {
	if n.least == 0 {
		n.least = p.told
	} else if p.told != n.least {
		n.note(d.at, "", "datacenter %q answers with %d at a time, others with %d: all answers have the fewest, and clients are spread over the rest", d.name, p.told, n.least)
		n.least = min(n.least, p.told)
	}
}

// fresh are the members whose addresses no node has.
func (n *network) fresh(d center, members []member) (out []member) {
	for _, m := range members {
		other, taken := n.nodes[m.addr.String()]
		if !taken && slices.ContainsFunc(out, func(o member) bool { return o.addr == m.addr }) {
			continue
		}
		if taken {
			n.note(m.at, "", "datacenter %q: address %v is node %q already: left out here", d.name, m.addr, other)
			continue
		}
		out = append(out, m)
	}
	return out
}

// pairs puts addresses of both families together, since an answer has both of
// the same edges: those of one label first, then by their order. What is left
// of one family is shared out.
func pairs(v4, v6 []member) (out [][]member) {
	if len(v4) == 0 || len(v6) == 0 {
		for _, m := range slices.Concat(v4, v6) {
			out = append(out, []member{m})
		}
		return out
	}
	few, many := v6, v4
	if len(v4) < len(v6) {
		few, many = v4, v6
	}
	many = slices.Clone(many)
	for i, f := range few {
		j := slices.IndexFunc(many, func(m member) bool { return stem(m.label) == stem(f.label) })
		out = append(out, []member{f})
		if j >= i {
			many[i], many[j] = many[j], many[i]
		}
	}
	for i, m := range many {
		g := &out[i%len(out)]
		*g = append(*g, m)
	}
	for _, g := range out {
		slices.SortStableFunc(g, func(a, b member) int { return a.addr.BitLen() - b.addr.BitLen() })
	}
	return out
}

// stem is a label without what says the family: lb1.v6, lb1_v6 and lb1 are
// one machine.
func stem(label string) string {
	for _, family := range []string{"v4", "v6"} {
		label = strings.TrimRight(strings.TrimSuffix(label, family), "._-")
	}
	return label
}

// prefer makes preferences of the rules, and finds the home region: gdnsd
// tells clients of whom it knows nothing the first of the list.
func (n *network) prefer() {
	all := n.chosen.geo.rules[0]
	home := n.m.Regions[0].ID
	if listed := n.listed(all.centers); len(listed) > 0 {
		home = listed[0]
	} else if listed := n.listed(n.chosen.geo.names()); len(listed) > 0 {
		home = listed[0]
	}
	for i := range n.m.Regions {
		n.m.Regions[i].Home = n.m.Regions[i].ID == home
	}
	var nets []*rule
	for _, r := range n.spelledOut() {
		switch {
		case r.prefix.IsValid():
			nets = append(nets, r)
		case r.auto && r.parent != nil && !r.parent.auto:
			n.note(r.at, "take the list of the wider one away, or give this one a list", "auto within a list: what is preferred for the wider %s holds for %s%s too", of(r.parent), r.country, r.continent)
		case !r.auto:
			n.preference(r, landfall.Preference{Country: r.country, Continent: r.continent})
		}
	}
	n.networks(nets)
	n.limits()
}

func of(r *rule) string {
	if r.everybody() {
		return "world"
	}
	return r.continent + r.country
}

// spelledOut are the rules, with that for everybody written for each continent
// where some are by distance.
func (n *network) spelledOut() []*rule {
	rules := n.chosen.geo.rules
	all := rules[0]
	byDistance := func(r *rule) bool { return r.continent != "" && r.auto }
	if all.auto || !slices.ContainsFunc(rules, byDistance) {
		return rules
	}
	n.note(all.at, "", "some continents are by distance, so that the list for everybody is written for each other one; clients of no continent go to the home region first")
	if len(all.centers) < len(n.chosen.geo.centers) {
		n.note(all.at, "", "by distance gdnsd itself answers with what this list names, or not at all: here all regions count")
	}
	out := []*rule{}
	for _, c := range continents() {
		if !slices.ContainsFunc(rules, func(r *rule) bool { return r.continent == c }) {
			out = append(out, &rule{at: all.at, continent: c, centers: all.centers})
		}
	}
	for _, r := range rules[1:] {
		if !byDistance(r) {
			out = append(out, r)
		}
	}
	return out
}

// listed are the regions of datacenters, each once, without those that have
// none.
func (n *network) listed(centers []string) (out []landfall.RegionID) {
	for _, d := range centers {
		if id, ok := n.regions[d]; ok && !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	return out
}

// preference takes a rule over.
func (n *network) preference(r *rule, p landfall.Preference) {
	if p.Regions = n.listed(r.centers); len(p.Regions) == 0 {
		n.note(r.at, "", "%s is told nothing by gdnsd: here everybody is told somebody", p.For())
		return
	}
	n.m.Preferences = append(n.m.Preferences, p)
	n.preferences = append(n.preferences, r.at)
}

// networks makes preferences by prefix, which do not overlap.
func (n *network) networks(rules []*rule) {
	var leaves []prefix.Leaf
	for i, r := range rules {
		leaves = append(leaves, prefix.Leaf{Prefix: r.prefix, Label: uint32(i) + 1})
	}
	first := map[string]uint32{} // rules of one list are one
	t := prefix.Build(leaves).Relabel(func(l uint32) uint32 {
		if l == 0 {
			return 0
		}
		key := fmt.Sprint(n.listed(rules[l-1].centers))
		if _, ok := first[key]; !ok {
			first[key] = l
		}
		return first[key]
	})
	var out []netip.Prefix
	for p, l := range t.All() {
		if l != 0 {
			out = append(out, p)
			n.preference(rules[l-1], landfall.Preference{Prefix: p})
		}
	}
	if len(n.m.Preferences) > landfall.MaxPreferences {
		n.fault(rules[0].at, "summarise them", "%d networks with lists of their own are more than a map holds, %d", len(out), landfall.MaxPreferences)
	}
}

// limits tells how lists differ: gdnsd tells nobody who is not in the list.
func (n *network) limits() {
	short := slices.IndexFunc(n.m.Preferences, func(p landfall.Preference) bool { return len(p.Regions) < len(n.m.Regions) })
	if short >= 0 {
		n.note(n.preferences[short], "", "a list that leaves regions out is a limit in gdnsd: here the others follow, for when all that are named are down")
	}
	g := n.chosen.geo
	if g.auto && g.limit > 0 && g.limit < len(n.m.Regions) {
		n.note(g.at, "", "auto_dc_limit: lists by distance go on after the first %d", g.limit)
	}
}
