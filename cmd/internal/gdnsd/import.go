package gdnsd

import (
	"cmp"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"landfall"
	"landfall/cmd/internal/config"
)

// Options say what a configuration does not.
type Options struct {
	// Zone is the zone that becomes the domain; it may be empty where there is
	// only one. The others are zones beside it.
	Zone string
	// Places are where datacenters are, by their names; they win over
	// coordinates of the configuration.
	Places map[string]landfall.Place
}

// Result is what a configuration becomes.
type Result struct {
	Map   *landfall.Map
	Text  string   // Map as a network.toml, with its nodes
	Taken []string // what became what, a line each
	Notes []Note   // all that has no counterpart, in the order of the files

	Files    []string // that were read for it: the configuration and the zones
	Database string   // file of the geographic database; empty if there is none
	Listen   []string // addresses to answer on; empty is all
	Probed   bool     // addresses are watched
}

// Import reads the configuration called name, by its full path: the file, or
// the directory that it is in. What is wrong with it comes as a *config.Error
// with all faults at once.
func Import(root fs.FS, name string, o Options) (*Result, error) {
	f := &files{root: root}
	if info, err := fs.Stat(root, inside(name)); err == nil && info.IsDir() {
		name = path.Join(name, "config")
	}
	r := f.importFrom(path.Clean(name), o)
	if len(f.faults) > 0 {
		slices.SortStableFunc(f.faults, func(a, b config.Problem) int {
			return byPlace(place{a.File, a.Line, a.Column}, place{b.File, b.Line, b.Column})
		})
		return nil, &config.Error{Problems: slices.Compact(f.faults)}
	}
	slices.SortStableFunc(f.notes, func(a, b Note) int {
		return byPlace(place{a.File, a.Line, a.Column}, place{b.File, b.Line, b.Column})
	})
	r.Notes = slices.Compact(f.notes)
	return r, nil
}

func byPlace(a, b place) int {
	return cmp.Or(cmp.Compare(a.file, b.file), cmp.Compare(a.line, b.line), cmp.Compare(a.column, b.column))
}

// importFrom is nil only where there is a fault.
func (f *files) importFrom(name string, o Options) *Result {
	top := f.parse(place{name, 1, 1}, name)
	if top == nil {
		return nil
	}
	if top.kind != aHash {
		f.fault(top.at, "write options => { … }, service_types => { … } and plugins => { … }", "a list is no configuration")
		return nil
	}
	c := &conf{files: f, top: top, dir: path.Dir(name)}
	c.only(top, "configuration", "options", "service_types", "plugins")
	r := &Result{Map: &landfall.Map{}, Listen: c.options()}
	z, others := c.zones(o.Zone)
	if z == nil {
		return nil
	}
	r.Files = []string{name, z.file}
	for _, other := range others {
		r.Files = append(r.Files, other.file)
	}
	n := &network{conf: c, zone: z, others: others, given: o, m: r.Map, r: r}
	n.build()
	return r
}

// options tells of those without a counterpart, and returns the addresses to
// answer on.
func (c *conf) options() (listen []string) {
	v := c.top.of("options")
	c.only(v, "options", "listen", "dns_port", "zones_default_ttl", "min_ttl", "max_ttl", "max_ncache_ttl", "run_dir", "state_dir", "zones_strict_data", "zones_rfc1035_threads")
	port := c.number(v, "dns_port", 53, 1<<16-1)
	l := v.of("listen")
	var given []*value
	if l != nil && l.kind == aHash {
		for _, k := range l.keys {
			given = append(given, &value{at: k.at, text: k.name})
			c.only(k.value, "listen "+k.name)
		}
	} else {
		given = l.all()
	}
	for _, g := range given {
		if g.text != "any" {
			listen = append(listen, withPort(g.text, port))
		}
	}
	return listen
}

// withPort is an address to listen on with its port.
func withPort(addr string, port int) string {
	bare := strings.Trim(addr, "[]")
	switch {
	case strings.Count(bare, ":") > 1 && !strings.Contains(bare, "]"):
		return "[" + bare + "]:" + strconv.Itoa(port)
	case !strings.Contains(addr, ":"):
		return addr + ":" + strconv.Itoa(port)
	}
	return addr
}

// seconds is an option in seconds.
func (c *conf) seconds(name string, usual int) time.Duration {
	v := c.top.of("options").of(name)
	if v == nil {
		return time.Duration(usual) * time.Second
	}
	n, err := strconv.ParseUint(v.text, 10, 31)
	if err != nil {
		c.fault(v.at, "write seconds", "%s %q is not a number of seconds", name, v.text)
	}
	return time.Duration(n) * time.Second
}

// zones reads all zones: the one that is wanted as the domain, and the others;
// nil where it is not clear which.
func (c *conf) zones(wanted string) (domain *zone, others []*zone) {
	dir := path.Join(c.dir, "zones")
	wanted = strings.ToLower(strings.TrimSuffix(wanted, "."))
	var names, files []string
	for _, file := range c.glob(c.top.at, path.Join(dir, "*")) {
		if info, err := fs.Stat(c.root, inside(file)); err == nil && info.Mode().IsRegular() {
			names = append(names, strings.ToLower(strings.TrimSuffix(path.Base(file), ".")))
			files = append(files, file)
		}
	}
	choice := "one of " + strings.Join(names, ", ")
	switch {
	case len(names) == 0:
		c.fault(c.top.at, "put the zone there", "%s has no zone", dir)
		return nil, nil
	case len(names) > 1 && wanted == "":
		c.fault(c.top.at, "say which one: --zone NAME, "+choice, "%s has %d zones, and one of them is the domain", dir, len(names))
		return nil, nil
	case wanted != "" && !slices.Contains(names, wanted):
		c.fault(c.top.at, "want "+choice, "%s has no zone %q", dir, wanted)
		return nil, nil
	}
	times := ttls{usual: c.seconds("zones_default_ttl", 86400), least: c.seconds("min_ttl", 5), most: c.seconds("max_ttl", 3600000)}
	for i, file := range files {
		z := c.parseZone(strings.ReplaceAll(names[i], "@", "/"), file, times)
		if names[i] == wanted || wanted == "" {
			domain = z
		} else {
			others = append(others, z)
		}
	}
	return domain, others
}
