package gdnsd

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// conf is a configuration that is read, with its files.
type conf struct {
	*files
	top *value
	dir string // of the configuration
}

// pool is what a resource answers with: addresses, or an alias.
type pool struct {
	at     place
	v4, v6 []member
	told   int    // addresses of one family that every answer has
	alias  string // the target of a CNAME record, with its final dot

	services []*value // names of the service types that watch the addresses
}

// member is an address of a pool.
type member struct {
	at     place
	label  string
	addr   netip.Addr
	weight int // 0 where there are none
}

// inherited is the value of a key in the innermost of the levels that has it.
func inherited(name string, levels []*value) *value {
	for _, l := range levels {
		if v := l.of(name); v != nil {
			return v
		}
	}
	return nil
}

// resource is the pool of a resource of a plugin that needs no other; nil if
// it has no counterpart, which is told.
func (c *conf) resource(at place, plugin, name string) *pool {
	levels := []*value{c.top.of("plugins").of(plugin).of(name), c.top.of("plugins").of(plugin)}
	switch plugin {
	case "reflect":
		c.note(at, "", "reflect shows clients their own address: nothing here does")
		return nil
	case "null":
		c.note(at, "", "null answers with addresses of nobody")
		return nil
	}
	if levels[0] == nil {
		c.fault(at, "define it, or name another", "plugin %s has no resource %q", plugin, name)
		return nil
	}
	return c.pool(at, plugin, levels)
}

// pool reads what a plugin makes of a value; the levels are the value itself
// and what it inherits from, the innermost first.
func (c *conf) pool(at place, plugin string, levels []*value) *pool {
	p := &pool{at: levels[0].at, services: inherited("service_types", levels).all()}
	switch plugin {
	case "multifo":
		c.families(p, levels, c.multifo)
	case "simplefo":
		c.families(p, levels, c.simplefo)
	case "weighted":
		c.families(p, levels, c.weighted)
	case "static":
		c.static(p, levels[0])
	default:
		c.note(at, "", "plugin %q has no counterpart within a datacenter: left out", plugin)
		return nil
	}
	if v := inherited("up_thresh", levels); v != nil {
		c.note(v.at, "", "up_thresh: there is no share of addresses that has to be up; each one that is up is told")
	}
	if v := inherited("ignore_health", levels); v != nil && strings.EqualFold(v.text, "true") {
		c.note(v.at, "", "ignore_health: an address that is down is not told")
	}
	p.told = cmp.Or(p.told, max(len(p.v4), len(p.v6)))
	if len(p.v4)+len(p.v6) == 0 && p.alias == "" {
		return nil
	}
	return p
}

// isParameter reports whether a key of a resource is none of its addresses'.
func isParameter(name string) bool {
	return slices.Contains([]string{"service_types", "up_thresh", "ignore_health", "multi", "plugin", "addrs_v4", "addrs_v6"}, name)
}

// families reads addrs_v4 and addrs_v6, or the resource itself if it has
// neither.
func (c *conf) families(p *pool, levels []*value, read func(*pool, []*value)) {
	v4, v6 := levels[0].of("addrs_v4"), levels[0].of("addrs_v6")
	if v4 == nil && v6 == nil {
		read(p, levels)
		return
	}
	for _, v := range []*value{v4, v6} {
		if v != nil {
			p.services = append(p.services, v.of("service_types").all()...)
			read(p, append([]*value{v}, levels...))
		}
	}
}

// entries are the addresses of a resource with their labels.
func entries(v *value) []key {
	if v.kind == aHash {
		return slices.DeleteFunc(slices.Clone(v.keys), func(k key) bool { return isParameter(k.name) })
	}
	var out []key
	for i, item := range v.all() {
		out = append(out, key{item.at, strconv.Itoa(i + 1), item})
	}
	return out
}

// add takes an address into the pool.
func (c *conf) add(p *pool, label string, v *value, weight int) {
	a, err := netip.ParseAddr(v.text)
	if v.kind != aText || err != nil || a.Zone() != "" || a.Is4In6() {
		c.fault(v.at, "write an address such as 192.0.2.1", "%q is not an address", v.text)
		return
	}
	m := member{v.at, label, a, weight}
	if a.Is4() {
		p.v4 = append(p.v4, m)
	} else {
		p.v6 = append(p.v6, m)
	}
}

func (c *conf) multifo(p *pool, levels []*value) {
	for _, k := range entries(levels[0]) {
		c.add(p, k.name, k.value, 0)
	}
}

func (c *conf) simplefo(p *pool, levels []*value) {
	for _, name := range []string{"primary", "secondary"} {
		v := levels[0].of(name)
		switch {
		case v == nil:
			c.fault(levels[0].at, "write primary and secondary", "simplefo has no %s", name)
		case name == "primary":
			c.add(p, name, v, 0)
		default:
			c.note(v.at, "where the primary is down, the next region is told; make the secondary a datacenter of its own to name it", "simplefo: the secondary %s is left out", v.text)
		}
	}
	p.told = 1
}

// weighted reads addresses with weights, in groups or not, or aliases.
func (c *conf) weighted(p *pool, levels []*value) {
	multi := inherited("multi", levels)
	several := multi != nil && strings.EqualFold(multi.text, "true")
	var heights []int // of what is chosen among: addresses or groups
	least := 0        // addresses of a group that is chosen
	for _, k := range entries(levels[0]) {
		if k.value.kind != aHash {
			heights = append(heights, c.item(p, k))
			continue
		}
		var inner []int
		for _, in := range entries(k.value) {
			inner = append(inner, c.item(p, key{in.at, k.name + "-" + in.name, in.value}))
		}
		sum := 0
		for _, w := range inner {
			sum += w
		}
		heights = append(heights, sum)
		if n := highest(inner); least == 0 || n < least {
			least = n
		}
	}
	told := max(1, least) // one group, of which the heaviest are always told
	if several {
		told = highest(heights) // the heaviest groups or addresses, one of each
	}
	if p.told == 0 || told > p.told {
		p.told = told
	}
}

// highest counts those that are as high as any.
func highest(of []int) (n int) {
	if len(of) == 0 {
		return 0
	}
	top := slices.Max(of)
	for _, h := range of {
		if h == top {
			n++
		}
	}
	return n
}

// item is [ADDRESS, WEIGHT] or [NAME, WEIGHT].
func (c *conf) item(p *pool, k key) (weight int) {
	parts := k.value.all()
	if len(parts) == 2 && parts[1].kind == aText {
		weight, _ = strconv.Atoi(parts[1].text)
	}
	if weight < 1 || weight >= 1<<20 {
		c.fault(k.value.at, "write [ ADDRESS, WEIGHT ] with a weight of 1 or more", "%q is no address with a weight", k.name)
		return 0
	}
	if strings.HasSuffix(parts[0].text, ".") {
		c.note(k.at, "", "weighted: the alias %s is one of several: names of one network have the edges' addresses", parts[0].text)
		return weight
	}
	c.add(p, k.name, parts[0], weight)
	return weight
}

func (c *conf) static(p *pool, v *value) {
	if strings.HasSuffix(v.text, ".") {
		p.alias = v.text
		return
	}
	c.add(p, "", v, 0)
}
