package gdnsd

import (
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"

	"landfall"
)

// geo is a map of geoip's, or the list of a resource of metafo's: which
// datacenters each client is told, the first that is up.
type geo struct {
	at       place
	name     string
	database string // file of the geographic database; empty if there is none
	centers  []center
	auto     bool // by distance, where no list says otherwise
	limit    int  // of lists by distance; 0 is none
	rules    []*rule
}

// center is a datacenter.
type center struct {
	at     place
	name   string
	place  landfall.Place
	placed bool
}

// rule says which datacenters some clients are told, in this order: those of
// a prefix, in a country, on a continent, or with none of these everybody.
type rule struct {
	at        place
	prefix    netip.Prefix
	country   string
	continent string
	centers   []string
	auto      bool  // the nearest first, instead of a list
	parent    *rule // of the wider part of the world; nil for networks
}

func (r *rule) everybody() bool {
	return !r.prefix.IsValid() && r.country == "" && r.continent == ""
}

func (g *geo) has(name string) bool {
	return slices.ContainsFunc(g.centers, func(c center) bool { return c.name == name })
}

func (g *geo) names() (out []string) {
	for _, c := range g.centers {
		out = append(out, c.name)
	}
	return out
}

// geoMap reads a map of geoip's; nil if there is no such map.
func (c *conf) geoMap(at place, name string) *geo {
	v := c.top.of("plugins").of("geoip").of("maps").of(name)
	if v == nil {
		c.fault(at, "define it under plugins => { geoip => { maps => { … } } }", "there is no map %q", name)
		return nil
	}
	c.only(v, "map "+name, "datacenters", "geoip2_db", "auto_dc_coords", "auto_dc_limit", "map", "nets", "ignore_ecs")
	g := &geo{at: v.at, name: name, limit: 3}
	c.datacenters(g, v.of("datacenters"))
	c.coordinates(g, v.of("auto_dc_coords"))
	if l := v.of("auto_dc_limit"); l != nil {
		n, err := strconv.Atoi(l.text)
		if err != nil || n < 0 {
			c.fault(l.at, "write a number", "auto_dc_limit %q is not a number", l.text)
		}
		g.limit = n
	}
	if db := v.of("geoip2_db"); db != nil {
		g.database = c.beside(db.text)
	}
	if e := v.of("ignore_ecs"); e != nil && strings.EqualFold(e.text, "true") {
		c.note(e.at, "", "ignore_ecs: clients' subnets are always heeded")
	}
	g.rules = []*rule{{at: v.at, auto: g.auto, centers: g.names()}}
	c.world(g, v.of("map"))
	c.nets(g, v.of("nets"))
	return g
}

// beside is a file that geoip is configured with.
func (c *conf) beside(name string) string {
	if path.IsAbs(name) {
		return name
	}
	return path.Join(c.dir, "geoip", name)
}

func (c *conf) datacenters(g *geo, v *value) {
	for _, d := range v.all() {
		switch {
		case d.kind != aText || d.text == "" || d.text == "auto":
			c.fault(d.at, "name it otherwise", "%q is not a name of a datacenter", d.text)
		case g.has(d.text):
			c.fault(d.at, "name each once", "datacenter %q is named twice", d.text)
		default:
			g.centers = append(g.centers, center{at: d.at, name: d.text})
		}
	}
	if len(g.centers) == 0 {
		c.fault(g.at, "write datacenters => [ NAME, … ]", "%s has no datacenters", g.name)
	}
}

// coordinates reads where datacenters are; if any are, distance counts.
func (c *conf) coordinates(g *geo, v *value) {
	if v == nil {
		return
	}
	g.auto = true
	for _, k := range v.keys {
		i := slices.IndexFunc(g.centers, func(d center) bool { return d.name == k.name })
		p, ok := coordinate(k.value)
		switch {
		case i < 0:
			c.fault(k.at, "name it in datacenters", "%q is not a datacenter of %s", k.name, g.name)
		case !ok:
			c.fault(k.value.at, "write [ LATITUDE, LONGITUDE ] in degrees", "datacenter %q is nowhere on the Earth", k.name)
		default:
			g.centers[i].place, g.centers[i].placed = p, true
		}
	}
	for _, d := range g.centers {
		if v.of(d.name) == nil {
			c.note(d.at, "", "datacenter %q has no coordinates: gdnsd tells it by lists alone, here its distance counts too", d.name)
		}
	}
}

func coordinate(v *value) (landfall.Place, bool) {
	if v.kind != aList || len(v.items) != 2 {
		return landfall.Place{}, false
	}
	p, err := landfall.ParsePlace(v.items[0].text + "," + v.items[1].text)
	return p, err == nil
}

// world reads the lists of continents and countries, and changes that of
// everybody.
func (c *conf) world(g *geo, v *value) {
	if v == nil {
		return
	}
	all := g.rules[0]
	if d := v.of("default"); d != nil {
		c.centersOf(g, all, d)
	}
	for _, k := range v.keys {
		if k.name == "default" {
			continue
		}
		r := &rule{at: k.at, continent: strings.ToUpper(k.name), centers: all.centers, auto: all.auto, parent: all}
		if !slices.Contains(continents(), r.continent) {
			c.note(k.at, "", "%q is not a continent: left out", k.name)
			continue
		}
		c.region(g, r, k.value, func(k key, parent *rule) {
			in := &rule{at: k.at, country: strings.ToUpper(k.name), centers: parent.centers, auto: parent.auto, parent: parent}
			c.region(g, in, k.value, func(k key, _ *rule) {
				c.note(k.at, "name the networks as preferences by prefix", "%s: %q is a subdivision or city: left out, its clients are told what the country is", in.country, k.name)
			})
		})
	}
}

// region reads the list of a part of the world, or its default, and hands on
// the parts of it.
func (c *conf) region(g *geo, r *rule, v *value, part func(key, *rule)) {
	if v.kind != aHash {
		c.centersOf(g, r, v)
		g.rules = append(g.rules, r)
		return
	}
	if d := v.of("default"); d != nil {
		c.centersOf(g, r, d)
	}
	g.rules = append(g.rules, r)
	for _, k := range v.keys {
		if k.name != "default" {
			part(k, r)
		}
	}
}

// continents are those of MaxMind's databases.
func continents() []string { return []string{"AF", "AN", "AS", "EU", "NA", "OC", "SA"} }

// centersOf reads a list of datacenters, or "auto".
func (c *conf) centersOf(g *geo, r *rule, v *value) {
	r.at = v.at
	if items := v.all(); g.auto && len(items) == 1 && items[0].text == "auto" {
		r.auto, r.centers = true, nil
		return
	}
	r.auto, r.centers = false, nil
	for _, item := range v.all() {
		switch {
		case item.kind != aText || !g.has(item.text):
			c.fault(item.at, "want one of "+strings.Join(g.names(), ", "), "%q is not a datacenter of %s", item.text, g.name)
		case !slices.Contains(r.centers, item.text):
			r.centers = append(r.centers, item.text)
		}
	}
}

// nets reads lists of datacenters by network, here or in a file of their own.
func (c *conf) nets(g *geo, v *value) {
	if v != nil && v.kind == aText {
		v = c.parse(v.at, c.beside(v.text))
	}
	if v == nil {
		return
	}
	for _, k := range v.keys {
		p, ok := parseNetwork(k.name)
		if !ok {
			c.fault(k.at, "write ADDRESS/BITS; IPv4 as such, not within IPv6", "%q is not a network", k.name)
			continue
		}
		r := &rule{prefix: p}
		c.centersOf(g, r, k.value)
		r.at = k.at
		g.rules = append(g.rules, r)
	}
}

// parseNetwork reads a network. Those of ::/96 are of IPv4; the other parts of
// IPv6 that hold IPv4 are refused.
func parseNetwork(s string) (netip.Prefix, bool) {
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, false
	}
	a, bits := p.Addr(), p.Bits()
	if a.Is6() && bits >= 96 {
		if b := a.As16(); [12]byte(b[:12]) == [12]byte{} {
			p = netip.PrefixFrom(netip.AddrFrom4([4]byte(b[12:])), bits-96)
		}
	}
	for _, held := range []string{"::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96", "2001::/32", "2002::/16"} {
		h := netip.MustParsePrefix(held)
		if a.Is6() && bits >= h.Bits() && h.Masked().Contains(a) {
			return netip.Prefix{}, false
		}
	}
	return p.Masked(), true
}

// metafo reads the list of a resource of metafo's: it holds for everybody.
func (c *conf) metafo(name string, v *value) *geo {
	g := &geo{at: v.at, name: "metafo!" + name}
	c.datacenters(g, v.of("datacenters"))
	g.rules = []*rule{{at: v.at, centers: g.names()}}
	return g
}
