package gdnsd

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// target is a resource of geoip's or metafo's: who is told what.
type target struct {
	at    place
	name  string // PLUGIN!RESOURCE
	geo   *geo
	pools map[string]*pool // by datacenter; without those of no counterpart
	notes []Note           // about it, for when it is taken
}

// targets finds targets by their names, each once.
type targets struct {
	c     *conf
	found map[string]*target
}

// find is the target of a name such as "geoip!www"; nil if it cannot be read,
// which is told.
func (s *targets) find(at place, plugin, resource string) *target {
	name := plugin + "!" + resource
	if t, ok := s.found[name]; ok {
		return t
	}
	before := len(s.c.notes)
	t := s.c.target(at, plugin, resource)
	if t != nil {
		t.notes = slices.Clone(s.c.notes[before:])
		s.c.notes = s.c.notes[:before]
	}
	s.found[name] = t
	return t
}

func (c *conf) target(at place, plugin, resource string) *target {
	top := c.top.of("plugins").of(plugin)
	v := top.of("resources").of(resource)
	if v == nil {
		c.fault(at, "define it, or name another", "plugin %s has no resource %q", plugin, resource)
		return nil
	}
	t := &target{at: v.at, name: plugin + "!" + resource, pools: map[string]*pool{}}
	if plugin == "metafo" {
		t.geo = c.metafo(resource, v)
	} else if m := v.of("map"); m == nil {
		c.fault(v.at, "write map => NAME", "resource %q has no map", resource)
	} else {
		t.geo = c.geoMap(m.at, m.text)
	}
	if t.geo == nil {
		return nil
	}
	if s := v.of("skip_first"); s != nil && strings.EqualFold(s.text, "true") {
		c.note(s.at, "", "skip_first: the first of a list is always told, not the second")
	}
	for _, k := range v.of("dcmap").keysOf() {
		switch levels := []*value{k.value, v, top}; {
		case !t.geo.has(k.name):
			c.fault(k.at, "want one of "+strings.Join(t.geo.names(), ", "), "%q is not a datacenter of %s", k.name, t.geo.name)
		default:
			t.pools[k.name] = c.center(levels)
			if p := t.pools[k.name]; p != nil && p.alias != "" {
				c.note(k.at, "", "datacenter %q is the alias %s: names of a service have addresses; left out", k.name, p.alias)
			}
		}
	}
	return t
}

// keysOf are the keys of a hash, if it is one.
func (v *value) keysOf() []key {
	if v == nil {
		return nil
	}
	return v.keys
}

// center is what a datacenter of a dcmap answers with.
func (c *conf) center(levels []*value) *pool {
	v, plugin := levels[0], "multifo"
	if p := inherited("plugin", levels); p != nil {
		plugin = p.text
	}
	switch {
	case v.kind == aHash:
		return c.pool(v.at, plugin, levels)
	case v.kind == aList:
		return c.pool(v.at, "multifo", levels)
	case strings.HasPrefix(v.text, "%"):
		plugin, resource, _ := strings.Cut(v.text[1:], "!")
		return c.reference(v.at, plugin, resource)
	case strings.HasPrefix(v.text, "!"):
		return c.reference(v.at, plugin, v.text[1:])
	}
	if _, err := netip.ParseAddr(v.text); err != nil {
		if !strings.HasSuffix(v.text, ".") {
			c.fault(v.at, "write an address, a name with its final dot, or %PLUGIN!RESOURCE", "%q is neither address nor name", v.text)
			return nil
		}
		return &pool{at: v.at, alias: v.text}
	}
	return c.pool(v.at, "multifo", levels)
}

// reference is a resource that a datacenter refers to.
func (c *conf) reference(at place, plugin, resource string) *pool {
	if plugin == "geoip" || plugin == "metafo" {
		c.note(at, "", "%s!%s within another choice: a client's regions are chosen once; left out", plugin, resource)
		return nil
	}
	return c.resource(at, plugin, resource)
}

// serving is the pool of a datacenter that has addresses; else nil.
func (t *target) serving(center string) *pool {
	if p := t.pools[center]; p != nil && p.alias == "" {
		return p
	}
	return nil
}

// same tells targets apart: those with the same have the same answers.
func (t *target) same() string {
	var b strings.Builder
	b.WriteString(t.geo.name)
	for _, d := range t.geo.centers {
		if p := t.serving(d.name); p != nil {
			fmt.Fprintf(&b, " %s/%d", d.name, p.told)
			for _, m := range slices.Concat(p.v4, p.v6) {
				fmt.Fprintf(&b, " %v*%d", m.addr, m.weight)
			}
		}
	}
	return b.String()
}
