package config

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"landfall/geodns/steer"
	"landfall/mesh/wan"
)

// labCheck looks at a lab as a whole, and fills in what it leaves open.
type labCheck struct {
	d   *decoder
	lab *Lab
}

func (c *labCheck) all() {
	unique(c, "place", c.lab.Places, func(p LabPlace) string { return string(p.Name) })
	unique(c, "host", c.lab.Hosts, func(h LabHost) string { return h.Name })
	unique(c, "program", c.lab.Programs, func(p LabProgram) string { return p.Name })
	unique(c, "phase", c.lab.Phases, func(p LabPhase) string { return p.Name })
	c.links()
	if len(c.lab.Hosts) == 0 {
		c.fault("host", "", "write [[host]] with name, place and addresses", "there are no hosts")
	}
	for i := range c.lab.Hosts {
		c.host(i)
	}
	c.addresses()
	for i := range c.lab.Programs {
		c.program(i)
	}
	for i := range c.lab.Phases {
		c.phase(i)
	}
	if f := c.lab.Report.File; f != "" && !filepath.IsLocal(f) {
		c.fault("report.file", "report: ", `name a file in the lab's directory, such as file = "report.json"`, "file %q lies elsewhere", f)
	}
}

// fault tells of what is wrong at a path, unless something there was told.
func (c *labCheck) fault(path, owner, cure, format string, args ...any) {
	if !c.d.told.covers(path) {
		c.d.fault(spot{path: path, owner: owner}, c.d.place(path), cure, format, args...)
	}
}

// label is a name that may be a file's and a machine's.
var label = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// unique wants names that are labels, each once.
func unique[T any](c *labCheck, key string, items []T, name func(T) string) {
	for i, item := range items {
		n := name(item)
		path, owner := fmt.Sprintf("%s[%d].name", key, i), fmt.Sprintf("%s %q: ", key, n)
		switch {
		case !label.MatchString(n):
			c.fault(path, "", "names have lower-case letters, digits and hyphens", "%s %q is no name", key, n)
		case key == "host" && n == "log":
			c.fault(path, "", "take another one", "the folder log is for what programs print, not for a host")
		case key == "host" && n == "localhost":
			c.fault(path, "", "take another one", "localhost is each host's name for itself")
		case slices.ContainsFunc(items[:i], func(other T) bool { return name(other) == n }):
			c.fault(path, owner, "give each a name of its own", "there is one of this name already")
		}
	}
}

func (c *labCheck) place(name wan.Site) (LabPlace, bool) {
	i := slices.IndexFunc(c.lab.Places, func(p LabPlace) bool { return p.Name == name })
	if i < 0 {
		return LabPlace{}, false
	}
	return c.lab.Places[i], true
}

// known tells of a name that nothing has, and of the one that may be meant.
func (c *labCheck) known(path, owner, kind, name string) bool {
	var names []string
	switch kind {
	case "place":
		for _, p := range c.lab.Places {
			names = append(names, string(p.Name))
		}
	case "host":
		for _, h := range c.lab.Hosts {
			names = append(names, h.Name)
		}
	case "program":
		for _, p := range c.lab.Programs {
			names = append(names, p.Name)
		}
	}
	names = slices.DeleteFunc(slices.Compact(names), func(n string) bool { return n == "" }) // told at their own places
	if slices.Contains(names, name) {
		return true
	}
	cure := fmt.Sprintf("write a [[%s]] with this name", kind)
	if meant, ok := Nearest(name, names); ok {
		cure = fmt.Sprintf("did you mean %q?", meant)
	} else if len(names) > 0 {
		cure = "there is " + strings.Join(names, ", ")
	}
	c.fault(path, owner, cure, "there is no %s %q", kind, name)
	return false
}

func (c *labCheck) links() {
	seen := map[[2]wan.Site]bool{}
	for i := range c.lab.Links {
		l := &c.lab.Links[i]
		path := fmt.Sprintf("link[%d]", i)
		ends, ok := c.ends(path+".between", "link: ", l.Between)
		if !ok {
			continue
		}
		owner := fmt.Sprintf("link %s - %s: ", l.Between[0], l.Between[1])
		for _, w := range [][2]wan.Site{ends, {ends[1], ends[0]}} {
			if w == ends || !l.OneWay {
				if seen[w] {
					c.fault(path+".between", owner, "say all about a direction in one [[link]]", "%s to %s is linked already", w[0], w[1])
				}
				seen[w] = true
			}
		}
		c.delay(path, owner, l)
		c.link(path, owner, l.Link)
	}
}

// link wants values that make sense together.
func (c *labCheck) link(path, owner string, l wan.Link) {
	if l.Burst.Enter > 0 && l.Burst.Leave == 0 {
		c.fault(path+".burst.leave", owner, `say how likely each packet ends it, such as leave = "20%" for five packets in the mean`, "a burst of losses that begins never ends")
		return
	}
	if err := l.Check(); err != nil {
		c.fault(path, owner, "", "%v", err)
	}
}

// ends are the two places of a link.
func (c *labCheck) ends(path, owner string, between []wan.Site) (ends [2]wan.Site, ok bool) {
	if len(between) != 2 || between[0] == between[1] {
		c.fault(path, owner, `such as ["fra", "nyc"]`, "it wants two different places")
		return ends, false
	}
	ok = true
	for i, s := range between {
		ok = c.known(fmt.Sprintf("%s[%d]", path, i), owner, "place", string(s)) && ok
	}
	return [2]wan.Site(between), ok
}

// delay wants one delay, and takes what the distance makes typical if there
// is none.
func (c *labCheck) delay(path, owner string, l *LabLink) {
	_, rtt := c.d.places[path+".rtt"]
	_, delay := c.d.places[path+".delay"]
	a, _ := c.place(l.Between[0])
	b, _ := c.place(l.Between[1])
	switch {
	case rtt && delay:
		c.fault(path+".delay", owner, "keep one of them", "rtt and delay both say how long it takes")
	case rtt || delay:
	case a.known && b.known:
		l.Link.Delay = steer.Predict(a.Place.Distance(b.Place)) / 2
	default:
		c.fault(path, owner, `write rtt = "80ms", or give both places a place = "LAT,LON"`, "nothing says how long it takes")
	}
}

func (c *labCheck) host(i int) {
	h := c.lab.Hosts[i]
	path, owner := fmt.Sprintf("host[%d]", i), fmt.Sprintf("host %q: ", h.Name)
	c.known(path+".place", owner, "place", string(h.Place))
	var fours, sixes int
	for _, a := range h.Addresses {
		if fours++; a.Is6() {
			fours, sixes = fours-1, sixes+1
		}
	}
	switch {
	case len(h.Addresses) == 0:
		c.fault(path+".addresses", owner, `such as addresses = ["192.0.2.1"]`, "it has no address")
	case fours > 1 || sixes > 1:
		c.fault(path+".addresses", owner, "one of each family is all that a host has", "it has two addresses of one family")
	case h.NAT != "" && sixes > 0:
		c.fault(path+".addresses", owner, "NAT is for IPv4: leave the other one out", "an address of IPv6 behind NAT")
	case h.NAT != "" && !h.Inside.Is4():
		c.fault(path+".nat", owner, `write inside = "10.0.0.5", the address that the host has itself`, "NAT without an address inside")
	case h.NAT == "" && h.Inside.IsValid():
		c.fault(path+".inside", owner, `write nat = "one-to-one", or leave it out`, "an address inside without NAT")
	}
}

// addresses wants each address once, but the outside of a NAT, which hosts
// behind it share.
func (c *labCheck) addresses() {
	owners := map[netip.Addr]LabHost{}
	for i, h := range c.lab.Hosts {
		owner := fmt.Sprintf("host %q: ", h.Name)
		take := func(path string, a netip.Addr) {
			if why := unfit(a); why != "" {
				c.fault(path, owner, "take one of 192.0.2.0/24, 198.51.100.0/24, 203.0.113.0/24, 10.0.0.0/8 or 2001:db8::/32, which are nobody's", "no host can have the address %v: %s", a, why)
			}
			other, taken := owners[a]
			shared := taken && a != h.Inside && h.NAT != "" && h.NAT != LabOneToOne && h.NAT == other.NAT && h.Place == other.Place && a != other.Inside
			if taken && !shared {
				c.fault(path, owner, "give each its own; hosts at one place behind NAT of one kind may share the outside one", "address %v is an address of host %q", a, other.Name)
			}
			owners[a] = h
		}
		for j, a := range h.Addresses {
			if a.IsValid() {
				take(fmt.Sprintf("host[%d].addresses[%d]", i, j), a)
			}
		}
		if h.Inside.IsValid() {
			take(fmt.Sprintf("host[%d].inside", i), h.Inside)
		}
	}
}

// unfit is why an address cannot be a host's; empty if it can.
func unfit(a netip.Addr) string {
	first := a.AsSlice()[0]
	switch {
	case a.IsUnspecified(), a.Is4() && first == 0:
		return "it stands for none"
	case a.IsLoopback():
		return "it is each machine's own"
	case a.IsMulticast(), a.Is4() && first >= 240:
		return "it stands for many, or for nothing yet"
	case a.IsLinkLocalUnicast():
		return "it is good on one wire only"
	case a == netip.AddrFrom4([4]byte{192, 0, 0, 8}), a == netip.AddrFrom16([16]byte{0: 1, 15: 8}):
		return "the lab's router has it"
	}
	return ""
}

func (c *labCheck) program(i int) {
	p := c.lab.Programs[i]
	path, owner := fmt.Sprintf("program[%d]", i), fmt.Sprintf("program %q: ", p.Name)
	c.known(path+".host", owner, "host", p.Host)
	if len(p.Command) == 0 || p.Command[0] == "" {
		c.fault(path+".command", owner, `such as command = ["python3", "-m", "http.server"]`, "it runs nothing")
	}
	for j, e := range p.Env {
		if !strings.Contains(e, "=") {
			c.fault(fmt.Sprintf("%s.env[%d]", path, j), owner, "write NAME=VALUE", "%q sets no variable", e)
		}
	}
	if _, err := regexp.Compile(p.Log); err != nil {
		c.fault(path+".ready_log", owner, "want a regular expression as of Go's package regexp", "%v", err)
	}
	if p.ReadyFor <= 0 {
		c.fault(path+".ready_within", owner, `such as "10s"`, "it has no time to be ready")
	}
}

func (c *labCheck) phase(i int) {
	p := &c.lab.Phases[i]
	path, owner := fmt.Sprintf("phase[%d]", i), fmt.Sprintf("phase %q: ", p.Name)
	switch {
	case p.Lasts < 0:
		c.fault(path+".lasts", owner, `such as "5s"`, "it lasts less than nothing")
	case p.Lasts == 0 && len(p.Command) == 0:
		c.fault(path, owner, `write lasts = "5s", or host and command`, "nothing ends it")
	case p.Host == "" && len(p.Command) > 0:
		c.fault(path+".command", owner, `write host = "..."`, "nothing says where the command runs")
	case p.Host != "" && len(p.Command) == 0:
		c.fault(path+".host", owner, `write command = [...], or leave it out`, "a host without a command")
	case p.Host != "":
		c.known(path+".host", owner, "host", p.Host)
	}
	for j := range p.Events {
		c.event(path+".event["+strconv.Itoa(j)+"]", owner, p, p.Events[j])
	}
	slices.SortStableFunc(p.Events, func(a, b LabEvent) int { return int(a.At - b.At) })
}

func (c *labCheck) event(path, owner string, p *LabPhase, e LabEvent) {
	var verbs []string
	for _, k := range e.happenings() {
		if len(k.to) == 0 {
			continue
		}
		verbs = append(verbs, k.verb)
		if k.kind == "place" {
			c.linked(path+"."+k.verb, owner, k.to)
			continue
		}
		c.known(path+"."+k.verb, owner, k.kind, k.to[0])
	}
	switch {
	case len(e.Change) == 0 && len(e.keys) > 0:
		c.fault(path+"."+e.keys[0], owner, `write change = ["fra", "nyc"] beside it`, "%s is about a link", e.keys[0])
	case len(verbs) == 0:
		c.fault(path, owner, "write one of cut, heal, change, unplug, plug, crash, start, stop, kill", "nothing happens at %v", e.At)
	case len(verbs) > 1:
		c.fault(path+"."+verbs[1], owner, "make two events of it", "%s and %s in one event", verbs[0], verbs[1])
	case len(e.Change) > 0 && len(e.keys) == 0:
		c.fault(path, owner, `say what changes, such as loss = "5%"`, "nothing changes at %v", e.At)
	}
	if len(e.Change) > 0 {
		c.link(path, owner, e.link)
	}
	if e.At < 0 || p.Lasts > 0 && e.At >= p.Lasts {
		c.fault(path+".at", owner, "let it happen while the phase lasts", "it happens at %v, and the phase lasts %v", e.At, p.Lasts)
	}
}

// linked wants a link between two places, in one direction at least.
func (c *labCheck) linked(path, owner string, places []string) {
	var between []wan.Site
	for _, p := range places {
		between = append(between, wan.Site(p))
	}
	ends, ok := c.ends(path, owner, between)
	if !ok {
		return
	}
	for _, l := range c.lab.Links {
		if slices.Contains(l.Between, ends[0]) && slices.Contains(l.Between, ends[1]) {
			return
		}
	}
	c.fault(path, owner, "write a [[link]] between them", "there is no link between %s and %s", ends[0], ends[1])
}
