package gdnsd

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"landfall"
)

// network builds the map of a zone.
type network struct {
	*conf
	zone   *zone // the domain
	others []*zone
	given  Options
	m      *landfall.Map
	r      *Result

	chosen  *target
	regions map[string]landfall.RegionID // by datacenter
	nodes   map[string]landfall.NodeID   // by address
	least   int                          // addresses that every answer has
	long    bool                         // a TTL was too long, which is told

	into int // which of the map's zones, from 1, takes records; 0: the domain

	records, services, preferences []place   // where those of the map come from
	inZones                        [][]place // and those of its zones
}

// steered is a record that a target answers for.
type steered struct {
	record
	target *target
}

func (n *network) build() {
	n.regions, n.nodes = map[string]landfall.RegionID{}, map[string]landfall.NodeID{}
	n.m.Domain = n.zone.name
	n.m.Network = label(strings.Split(n.zone.name, ".")[0])
	names, own := n.allStatic()
	if n.chosen = choose(names[:own]); n.chosen == nil {
		n.chosen = choose(names)
	}
	if n.chosen == nil {
		if len(n.faults) == 0 {
			n.fault(place{n.zone.file, 1, 1}, "answer for a name with DYNA geoip!RESOURCE", "no zone has a name that is answered by place")
		}
		return
	}
	n.notes = append(n.notes, n.chosen.notes...)
	n.unused()
	n.geography()
	n.steer(names)
	n.answer()
	n.watch()
	n.servers()
	n.settle()
	n.sum()
	n.r.Text = n.text()
	n.r.Database = n.chosen.geo.database
}

// allStatic takes the records of all zones that are the same for everybody,
// and returns the others, of which the first own are the domain's.
func (n *network) allStatic() (names []steered, own int) {
	s := &targets{c: n.conf, found: map[string]*target{}}
	names = n.static(s, n.zone)
	own = len(names)
	for i, z := range n.others {
		n.open(z)
		names = append(names, n.static(s, z)...)
		n.normal(i)
	}
	return names, own
}

// open begins a zone beside the domain, which takes records from now on.
func (n *network) open(z *zone) {
	n.m.Zones, n.inZones = append(n.m.Zones, landfall.Zone{Name: z.name}), append(n.inZones, nil)
	n.into = len(n.m.Zones)
}

// static is allStatic of one zone. Zones beside the domain keep their SOA and
// NS records.
func (n *network) static(s *targets, z *zone) (names []steered) {
	for _, r := range z.records {
		switch {
		case z != n.zone && (r.rrtype == "SOA" || r.rrtype == "NS"):
			n.record(r)
		case r.rrtype == "SOA":
			n.note(r.at, "", "SOA: name servers make their own, and secondaries are not served")
		case r.rrtype == "NS" && r.name == n.zone.name: // see servers
		case r.rrtype != "DYNA" && r.rrtype != "DYNC":
			n.record(r)
		default:
			plugin, resource, _ := strings.Cut(unescape(r.data[0]), "!")
			whole, center, fixed := strings.Cut(resource, "/")
			if plugin != "geoip" && plugin != "metafo" {
				n.fixed(r, n.resource(r.at, plugin, resource), plugin)
				continue
			}
			t := s.find(r.at, plugin, whole)
			switch {
			case t == nil:
			case !fixed:
				names = append(names, steered{r, t})
			case !t.geo.has(center):
				n.fault(r.at, "want one of "+strings.Join(t.geo.names(), ", "), "%q is not a datacenter of %s", center, t.geo.name)
			default:
				n.fixed(r, t.pools[center], plugin)
			}
		}
	}
	return names
}

// record takes a record over as it is.
func (n *network) record(r record) {
	if n.into > 0 {
		z := &n.m.Zones[n.into-1]
		z.Records = append(z.Records, landfall.Record{Name: r.name, Type: r.rrtype, Data: r.text(), TTL: max(r.ttl, time.Nanosecond)})
		n.inZones[n.into-1] = append(n.inZones[n.into-1], r.at)
		return
	}
	if r.ttl > landfall.MaxTTL && !n.long {
		n.note(r.at, "", "%s %s: a TTL of %v becomes %v, the most there is, here and for others", r.name, r.rrtype, r.ttl, landfall.MaxTTL)
		n.long = true
	}
	n.m.Records = append(n.m.Records, landfall.Record{
		Name: r.name, Type: r.rrtype, Data: r.text(), TTL: min(r.ttl, landfall.MaxTTL),
	})
	n.records = append(n.records, r.at)
}

// fixed makes records of what a resource answers everybody with.
func (n *network) fixed(r record, p *pool, plugin string) {
	if p == nil {
		n.note(r.at, "", "%s %s %s: left out", r.name, r.rrtype, r.text())
		return
	}
	if plugin != "static" && p.alias == "" {
		n.note(r.at, "", "%s %s %s: becomes plain records: all its addresses, whether they are up or not", r.name, r.rrtype, r.text())
	}
	if p.alias != "" {
		n.record(record{at: r.at, name: r.name, ttl: r.ttl, rrtype: "CNAME", data: []string{p.alias}})
		return
	}
	for _, m := range p.v4 {
		n.record(record{at: r.at, name: r.name, ttl: r.ttl, rrtype: "A", data: []string{m.addr.String()}})
	}
	for _, m := range p.v6 {
		n.record(record{at: r.at, name: r.name, ttl: r.ttl, rrtype: "AAAA", data: []string{m.addr.String()}})
	}
}

// choose picks the target that most names have, rather one of geoip's than
// one of metafo's: all services of a network have the same edges.
func choose(names []steered) *target {
	count := map[string]int{}
	var best *target
	score := func(t *target) int {
		if strings.HasPrefix(t.name, "geoip!") {
			return count[t.same()] + len(names)
		}
		return count[t.same()]
	}
	for _, s := range names {
		count[s.target.same()]++
	}
	for _, s := range names {
		if best == nil || score(s.target) > score(best) {
			best = s.target
		}
	}
	return best
}

// unused tells of maps that are not taken.
func (n *network) unused() {
	for _, k := range n.top.of("plugins").of("geoip").of("maps").keysOf() {
		if k.name != n.chosen.geo.name {
			n.note(k.at, "", "map %q: a network has one, and %s has most names", k.name, n.chosen.name)
		}
	}
}

// steer makes services of the names, as far as they go where the chosen
// target does, and takes the shortest of their TTLs.
func (n *network) steer(names []steered) {
	same := n.chosen.same()
	ttls := map[time.Duration]int{}
	for _, s := range names {
		if s.target.same() != same {
			n.note(s.at, "import it into a network of its own", "%s %s %s: goes elsewhere than %s, and all services of a network have the same edges: left out", s.name, s.rrtype, s.text(), n.chosen.name)
			continue
		}
		if s.least != 0 && s.least < s.ttl {
			n.note(s.at, "", "%s: a shortest TTL of %v has no counterpart: a TTL does not change with health", s.name, s.least)
		}
		ttls[s.ttl]++
		n.m.Services = append(n.m.Services, landfall.Service{Host: s.name, Kind: landfall.TCP, Upstream: upstream})
		n.services = append(n.services, s.at)
	}
	least := slices.Min(slices.Collect(maps.Keys(ttls)))
	n.m.Steering.TTL = min(max(least, time.Second), landfall.MaxTTL)
	if len(ttls) > 1 {
		n.note(n.chosen.at, "", "the names have %d different TTLs: all services have the shortest, %v", len(ttls), n.m.Steering.TTL)
	}
	if n.m.Steering.TTL > patience {
		n.note(n.chosen.at, "lower ttl in [steering]; 30s is usual", "users wait up to %v for an edge that is down: that is the TTL of its names", n.m.Steering.TTL)
	}
}

// patience is how long users may wait before somebody is told.
const patience = 5 * time.Minute

// answer counts the addresses of answers.
func (n *network) answer() {
	n.m.Steering.Answers = min(max(n.least, 1), landfall.MaxAnswers)
	for _, node := range n.m.Nodes {
		v4 := 0
		for _, a := range node.Advertised {
			if a.Is4() {
				v4++
			}
		}
		if many := max(v4, len(node.Advertised)-v4); many > n.m.Steering.Answers {
			n.note(n.chosen.at, "raise answers in [steering]", "node %q has %d addresses of one family, of which answers have %d: the others are not told", node.ID, many, n.m.Steering.Answers)
		}
	}
}

// upstream is where edges would forward to; name servers alone do not.
const upstream = "tcp://127.0.0.1:443"

// watch takes over how the addresses are probed.
func (n *network) watch() {
	var services []*value
	for _, d := range n.chosen.geo.centers {
		if p := n.chosen.serving(d.name); p != nil {
			services = append(services, p.services...)
		}
	}
	n.r.Probed = n.health(n.m, services)
}

// sum says what became what.
func (n *network) sum() {
	say := func(format string, args ...any) { n.r.Taken = append(n.r.Taken, fmt.Sprintf(format, args...)) }
	say("zone %s: %s, and a service for each of %s of %s", n.zone.name, count(len(n.m.Records), "record"), count(len(n.m.Services), "name"), n.chosen.name)
	for _, z := range n.m.Zones {
		say("zone %s: %s", z.Name, count(len(z.Records), "record"))
	}
	say("map %s: %s with %s, and %s", n.chosen.geo.name, count(len(n.m.Regions), "region"), count(len(n.m.Nodes), "node"), count(len(n.m.Preferences), "preference"))
	if n.r.Probed {
		say("service types: probes by %s every %v", n.m.Health.Probe, n.m.Health.Interval)
	}
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
