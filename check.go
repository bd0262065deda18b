package landfall

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Fault is one thing wrong with a map.
type Fault struct {
	Path string // the field, by the names of network.toml, such as "region[1].place"
	Msg  string // what is wrong with it
	Cure string // what to do about it
}

// Error says all three in one line.
func (f Fault) Error() string { return f.Path + ": " + f.Msg + " (" + f.Cure + ")" }

// Limits that hold for every map.
const (
	MaxRegions = 256
	MaxNodes   = 4096
	MaxTTL     = 24 * time.Hour
	MaxAnswers = 8
)

// Check tells every fault of the map at once, in the order of its fields. A
// map without faults can be served from.
func (m *Map) Check() []Fault {
	c := checker{m: m}
	c.network()
	c.regions()
	c.nodes()
	c.services()
	c.records()
	c.zones()
	c.overrides()
	c.preferences()
	c.secondaries()
	c.policy()
	c.ceilings()
	c.edges()
	c.health()
	c.ports()
	c.acme()
	return c.faults
}

type checker struct {
	m      *Map
	domain bool // the domain is one: what has to be in it can be judged
	faults []Fault
}

func (c *checker) fault(path, cure, format string, args ...any) {
	c.faults = append(c.faults, Fault{path, fmt.Sprintf(format, args...), cure})
}

func (c *checker) network() {
	if why := badLabel(c.m.Network); why != "" {
		c.fault("name", `give the network a short name, such as name = "landfall"`, "network name %q %s", c.m.Network, why)
	}
	why := badDomain(c.m.Domain)
	c.domain = why == ""
	if !c.domain {
		c.fault("domain", `give the zone that Landfall answers for, such as domain = "edge.example.com"`, "domain %q %s", c.m.Domain, why)
	}
}

func (c *checker) regions() {
	home := -1
	seen := map[RegionID]int{}
	for i, r := range c.m.Regions {
		path := fmt.Sprintf("region[%d]", i)
		if why := badLabel(string(r.ID)); why != "" {
			c.fault(path+".id", `regions have short names, such as id = "fra"`, "region id %q %s", r.ID, why)
		} else if first, twice := seen[r.ID]; twice {
			c.fault(path+".id", "give each region an id of its own", "region %q is already region[%d]", r.ID, first)
		}
		seen[r.ID] = i
		if !r.Place.Valid() {
			c.fault(path+".place", `latitude goes from -90 to 90, longitude from -180 to 180, such as place = "50.11,8.68"`, "region %q: place %v is not on the Earth", r.ID, r.Place)
		}
		switch {
		case r.Home && home >= 0:
			c.fault(path+".home", "the data lives in one region: leave home = true to that one", "region %q: %q is already the home region", r.ID, c.m.Regions[home].ID)
		case r.Home:
			home = i
		}
	}
	switch {
	case len(c.m.Regions) == 0:
		c.fault("region", "add a [[region]] with id, place and home = true", "there is no region")
	case home < 0:
		c.fault("region", "write home = true in the region that holds the data", "no region is home")
	}
	if len(c.m.Regions) > MaxRegions {
		c.fault("region", "split the network", "%d regions are more than %d", len(c.m.Regions), MaxRegions)
	}
}

func (c *checker) nodes() {
	seen := map[NodeID]int{}
	keys := map[PublicKey]NodeID{}
	places := addresses{}
	for i, n := range c.m.Nodes {
		path := fmt.Sprintf("node[%d]", i)
		if why := badLabel(string(n.ID)); why != "" {
			c.fault(path+".id", `nodes have short names, such as id = "fra1"`, "node id %q %s", n.ID, why)
		} else if first, twice := seen[n.ID]; twice {
			c.fault(path+".id", "give each node an id of its own", "node %q is already node[%d]", n.ID, first)
		}
		seen[n.ID] = i
		c.nodeRegion(path, n)
		c.nodeRoles(path, n)
		c.nodeAddresses(path, n, places)
		c.nodeProtocols(path, n)
		if other, twice := keys[n.Key]; twice && !n.Key.IsZero() {
			c.fault(path+".key", "a key belongs to one server: delete the copied state directory and join again", "node %q has the key of node %q", n.ID, other)
		}
		keys[n.Key] = n.ID
		if s := n.EffectiveState(); !slices.Contains([]State{Invited, Active, Draining, Gone}, s) {
			c.fault(path+".state", "want invited, active, draining or gone", "node %q: unknown state %q", n.ID, n.State)
		}
	}
	if len(c.m.Nodes) > MaxNodes {
		c.fault("node", "split the network", "%d nodes are more than %d", len(c.m.Nodes), MaxNodes)
	}
}

func (c *checker) nodeRegion(path string, n Node) {
	switch _, ok := c.m.Region(n.Region); {
	case n.Region == "":
		c.fault(path+".region", "say which region it stands in: region = "+c.regionNames(), "node %q is in no region", n.ID)
	case !ok:
		c.fault(path+".region", "want "+c.regionNames()+", or add that region", "node %q is in region %q, which does not exist", n.ID, n.Region)
	}
}

func (c *checker) regionNames() string {
	var names []string
	for _, r := range c.m.Regions {
		if name := fmt.Sprintf("%q", r.ID); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return strings.Join(names, " or ")
}

func (c *checker) nodeRoles(path string, n Node) {
	if len(n.Roles) == 0 {
		c.fault(path+".roles", `say what it does, such as roles = ["edge", "dns"]`, "node %q has no role", n.ID)
	}
	for j, r := range n.Roles {
		at := fmt.Sprintf("%s.roles[%d]", path, j)
		if !slices.Contains(Roles(), r) {
			c.fault(at, `want "origin", "edge" or "dns"`, "node %q: unknown role %q", n.ID, r)
		} else if slices.Index(n.Roles, r) < j {
			c.fault(at, "name each role once", "node %q has the role %q twice", n.ID, r)
		}
	}
	_, known := c.m.Region(n.Region)
	if home, ok := c.m.Home(); ok && known && n.Has(RoleOrigin) && n.Region != home.ID {
		c.fault(path+".roles", fmt.Sprintf("the origin runs in the home region %q", home.ID), "node %q has the role origin outside the home region", n.ID)
	}
}

// nodeProtocols judges what HTTPS records tell of an edge. Each speaks HTTP/1.1,
// so that several of them always have something in common (RFC 9460, 7.1.2).
func (c *checker) nodeProtocols(path string, n Node) {
	switch {
	case len(n.Protocols) == 0:
		return
	case !n.Key.IsZero():
		c.fault(path+".protocols", "leave it out", "node %q: Landfall's edges speak h2 and http/1.1", n.ID)
	case !slices.Contains(n.Protocols, "http/1.1"):
		c.fault(path+".protocols", `add "http/1.1": clients take it for granted`, "node %q does not speak http/1.1", n.ID)
	}
	for j, p := range n.Protocols {
		at := fmt.Sprintf("%s.protocols[%d]", path, j)
		if !slices.Contains([]string{"h3", "h2", "http/1.1"}, p) {
			c.fault(at, `want "h3", "h2" or "http/1.1"`, "node %q: unknown protocol %q", n.ID, p)
		} else if slices.Index(n.Protocols, p) < j {
			c.fault(at, "name each protocol once", "node %q has the protocol %q twice", n.ID, p)
		}
	}
}

// addresses remembers who has which address, in each of the three ways that
// nodes have addresses: the same one may be advertised by one node and
// written a second time as its endpoint.
type addresses map[string]NodeID

func (a addresses) taken(way, addr string, n NodeID) (NodeID, bool) {
	other, twice := a[way+" "+addr]
	a[way+" "+addr] = n
	return other, twice
}

func (c *checker) nodeAddresses(path string, n Node, seen addresses) {
	const cure = "an address belongs to one node: give each its own"
	for j, a := range n.Advertised {
		at := fmt.Sprintf("%s.addresses[%d]", path, j)
		if why := badAddr(a); why != "" {
			c.fault(at, "want an address that users can reach, such as 192.0.2.1", "node %q: address %v %s", n.ID, a, why)
		} else if other, twice := seen.taken("addresses", a.Unmap().String(), n.ID); twice {
			c.fault(at, cure, "node %q: address %v is already an address of node %q", n.ID, a, other)
		}
	}
	for j, a := range n.Endpoints {
		at := fmt.Sprintf("%s.endpoints[%d]", path, j)
		if why := badAddr(a.Addr()); why != "" || a.Port() == 0 {
			c.fault(at, "want ADDRESS:PORT, such as 192.0.2.1:51820", "node %q: endpoint %v %s", n.ID, a, cmp.Or(why, "has no port"))
		} else if other, twice := seen.taken("endpoints", a.String(), n.ID); twice {
			c.fault(at, cure, "node %q: endpoint %v is already an endpoint of node %q", n.ID, a, other)
		}
	}
	if n.Mesh.IsValid() {
		if other, twice := seen.taken("mesh", n.Mesh.String(), n.ID); twice {
			c.fault(path+".mesh", "rename one of the two nodes", "node %q: mesh address %v is already that of node %q", n.ID, n.Mesh, other)
		}
	}
	if n.Has(RoleEdge) && len(n.Advertised) == 0 && n.Joined() {
		c.fault(path+".addresses", `say where users reach it, such as addresses = ["192.0.2.1"]`, "node %q is an edge without an address", n.ID)
	}
}

func badAddr(a netip.Addr) string {
	switch {
	case !a.IsValid():
		return "is not an address"
	case a.IsUnspecified():
		return "stands for every address"
	case a.IsMulticast():
		return "is a multicast address"
	case a.Zone() != "":
		return "has a zone, which means nothing to others"
	}
	return ""
}
