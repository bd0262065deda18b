package landfall

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Limits that hold for every map.
const (
	MaxOverrides   = 100_000
	MaxPreferences = 10_000
	MaxEdges       = 500 // what plans are measured with: each is compiled anew when an edge dies
	MaxWeight      = 1_000_000
	MaxCeiling     = 1_000_000_000
	MaxWorseBy     = 10 * time.Second
)

func (c *checker) overrides() {
	var known disjoint
	for i, o := range c.m.Overrides {
		path := fmt.Sprintf("override[%d]", i)
		c.clientsOf(path, o.Prefix, o.ASN)
		if !o.Prefix.IsValid() && o.ASN == 0 {
			c.fault(path, `say whom it is about: prefix = "203.0.113.0/24" or asn = 64500`, "the override is about nobody")
		}
		known.add(c, path, "override", o.Of(), o.Prefix)
		if !o.Place.Valid() {
			c.fault(path+".place", `latitude goes from -90 to 90, longitude from -180 to 180, such as place = "50.11,8.68"`, "override %s: place %v is not on the Earth", o.Of(), o.Place)
		}
		c.country(path, "override "+o.Of(), o.Country)
	}
	if n := len(c.m.Overrides); n > MaxOverrides {
		c.fault("override", "correct the database instead", "%d overrides are more than %d", n, MaxOverrides)
	}
}

func (c *checker) preferences() {
	var known disjoint
	for i, p := range c.m.Preferences {
		path := fmt.Sprintf("preference[%d]", i)
		c.clientsOf(path, p.Prefix, p.ASN)
		given := 0
		for _, is := range []bool{p.Prefix.IsValid(), p.ASN != 0, p.Country != "", p.Continent != ""} {
			if is {
				given++
			}
		}
		if given > 1 {
			c.fault(path, "keep one of prefix, asn, country and continent; write the others as preferences of their own", "the preference is for more than one kind of clients")
		}
		known.add(c, path, "preference", p.For(), p.Prefix)
		c.country(path, "preference for "+p.For(), p.Country)
		if p.Continent != "" && !slices.Contains(continents(), p.Continent) {
			c.fault(path+".continent", "want one of "+strings.Join(continents(), ", "), "%q is not a continent", p.Continent)
		}
		c.preferred(path, p)
	}
	if n := len(c.m.Preferences); n > MaxPreferences {
		c.fault("preference", "prefer by country or by network", "%d preferences are more than %d", n, MaxPreferences)
	}
}

func (c *checker) preferred(path string, p Preference) {
	if len(p.Regions) == 0 {
		c.fault(path+".regions", "name the regions, the best first: regions = ["+strings.ReplaceAll(c.regionNames(), " or ", ", ")+"]", "the preference for %s names no region", p.For())
	}
	for j, r := range p.Regions {
		at := fmt.Sprintf("%s.regions[%d]", path, j)
		if _, ok := c.m.Region(r); !ok {
			c.fault(at, "want "+c.regionNames(), "the preference for %s names region %q, which does not exist", p.For(), r)
		} else if slices.Index(p.Regions, r) < j {
			c.fault(at, "name each region once", "the preference for %s names region %q twice", p.For(), r)
		}
	}
}

// clientsOf checks what names clients.
func (c *checker) clientsOf(path string, p netip.Prefix, asn uint32) {
	if p != (netip.Prefix{}) {
		switch {
		case !p.IsValid():
			c.fault(path+".prefix", `such as prefix = "203.0.113.0/24"`, "the prefix is not one")
		case p.Addr().Is4In6():
			c.fault(path+".prefix", "write IPv4 prefixes as such", "%v is IPv4 written as IPv6", p)
		case holdsIPv4(p):
			c.fault(path+".prefix", "write the IPv4 prefix that is meant", "the addresses in %v stand for IPv4 addresses (6to4 or NAT64), and are taken as those", p)
		case p != p.Masked():
			c.fault(path+".prefix", fmt.Sprintf("write %v, or the /%d that is meant", p.Masked(), p.Addr().BitLen()), "%v has bits beyond its length", p)
		}
		if asn != 0 {
			c.fault(path+".asn", "write two entries", "it is about a prefix and a network at once")
		}
	}
}

// holdsIPv4 reports whether the addresses in a prefix stand for IPv4 ones: those
// of 6to4 (RFC 3056, 2) and of NAT64's well-known prefix (RFC 6052, 2.1).
func holdsIPv4(p netip.Prefix) bool {
	for _, holds := range []string{"2002::/16", "64:ff9b::/96"} {
		if wide := netip.MustParsePrefix(holds); wide.Bits() <= p.Bits() && wide.Contains(p.Addr()) {
			return true
		}
	}
	return false
}

// country checks a code of ISO 3166-1.
func (c *checker) country(path, what, code string) {
	if code == "" || isCountry(code) {
		return
	}
	cure := `want two capital letters of ISO 3166-1, such as country = "DE"`
	if meant, ok := countryMeant(code); ok {
		cure = fmt.Sprintf("did you mean %q? %s", meant, cure)
	}
	c.fault(path+".country", cure, "%s: %q is not a country's code", what, code)
}

// continents are those that databases know.
func continents() []string { return []string{"AF", "AN", "AS", "EU", "NA", "OC", "SA"} }

// disjoint remembers clients that have an entry, by their names.
type disjoint struct {
	paths  map[string]string
	within map[netip.Prefix]netip.Prefix // wider prefixes, and what is known to lie in each
}

// add finds out whether the clients have an entry already: themselves, or
// with others in a wider prefix, or some of them in a narrower one.
func (d *disjoint) add(c *checker, path, kind, who string, p netip.Prefix) {
	if d.paths == nil {
		d.paths, d.within = map[string]string{}, map[netip.Prefix]netip.Prefix{}
	}
	if first, twice := d.paths[who]; twice {
		c.fault(path, "keep one of the two", "the %s for %s is already %s", kind, who, first)
		return
	}
	d.paths[who] = path
	if !p.IsValid() || p != p.Masked() {
		return
	}
	if narrow, ok := d.within[p]; ok {
		d.overlap(c, path, kind, p, narrow, p)
		return
	}
	for bits := p.Bits() - 1; bits >= 0; bits-- {
		wide, _ := p.Addr().Prefix(bits)
		if _, ok := d.paths[wide.String()]; ok {
			d.overlap(c, path, kind, p, p, wide)
			return
		}
		d.within[wide] = p
	}
}

func (d *disjoint) overlap(c *checker, path, kind string, at, narrow, wide netip.Prefix) {
	other := wide
	if at == wide {
		other = narrow
	}
	c.fault(path, fmt.Sprintf("write the rest of %v as prefixes without %v, or take one out", wide, narrow),
		"the %s for %v overlaps that for %v, %s", kind, at, other, d.paths[other.String()])
}

// ceilings refuses limits that leave an edge without one: it would take what
// all others may not.
func (c *checker) ceilings() {
	edge := func(n Node) bool { return n.Has(RoleEdge) && n.State != Gone } // also one that is invited: it will serve
	limited := slices.ContainsFunc(c.m.Nodes, func(n Node) bool { return edge(n) && n.Ceiling > 0 })
	for i, n := range c.m.Nodes {
		path := fmt.Sprintf("node[%d]", i)
		if n.Weight < 0 || n.Weight > MaxWeight {
			c.fault(path+".weight", fmt.Sprintf("want 1 to %d; %d is the default", MaxWeight, DefaultWeight), "node %q: weight %d is out of range", n.ID, n.Weight)
		}
		if n.Ceiling < 0 || n.Ceiling > MaxCeiling {
			c.fault(path+".ceiling", fmt.Sprintf("want 1 to %d requests a second", MaxCeiling), "node %q: ceiling %d is out of range", n.ID, n.Ceiling)
		}
		if _, ok := c.m.EffectiveCeiling(n); limited && !ok && edge(n) {
			c.fault(path+".ceiling", "give it one, or write one for all that have none: [steering] ceiling = 1000", "edge %q has no ceiling, and others have", n.ID)
		}
	}
}

// edges refuses more of them than plans are made for in time.
func (c *checker) edges() {
	n := 0
	for i, node := range c.m.Nodes {
		if !node.Has(RoleEdge) || node.State == Gone {
			continue
		}
		if n++; n == MaxEdges+1 {
			c.fault(fmt.Sprintf("node[%d].roles", i), "put several machines behind one address and make them one edge, or take the role from some", "node %q is edge number %d, and name servers plan for %d", node.ID, n, MaxEdges)
		}
	}
}
