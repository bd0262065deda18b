package config

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"landfall"
	"landfall/geodns/zone/master"
)

// Write makes the network.toml of what operators declare in a map. Nodes,
// which join, are left out. With manual it explains itself: each section says
// what it is for, and one that is empty shows how it would look.
func Write(m *landfall.Map, manual bool) string {
	w := &writer{manual: manual}
	w.say(fmt.Sprintf(`The network %s. Keep this file under version control. What it says comes into
force by "landfall map apply"; "landfall check" tells all that is wrong with it,
"landfall check --example" shows every key there is.`, m.Network))
	w.say("The network's name stays what it is: the mesh derives addresses from it.")
	w.text("name", m.Network)
	w.say("The zone that the network's name servers answer for.")
	w.text("domain", m.Domain)
	w.regions(m)
	w.services(m)
	w.records(m)
	w.zones(m)
	w.overrides(m)
	w.preferences(m)
	w.secondaries(m)
	w.steering(m.Steering)
	w.health(m.Health)
	w.dns(m.DNS)
	w.acme(m.ACME)
	w.ports(m.Ports)
	return w.b.String()
}

// writer makes the text of a file.
type writer struct {
	b      strings.Builder
	manual bool
}

// say explains what comes next, in lines that are wrapped already.
func (w *writer) say(text string) {
	if !w.manual {
		return
	}
	w.gap()
	for line := range strings.SplitSeq(text, "\n") {
		w.b.WriteString(strings.TrimRight("# "+line, " ") + "\n")
	}
}

// sample is what could stand here, as a comment.
func (w *writer) sample(text string) {
	if w.manual {
		for line := range strings.SplitSeq(text, "\n") {
			w.b.WriteString("#" + line + "\n")
		}
	}
}

func (w *writer) gap() {
	if w.b.Len() > 0 && !strings.HasSuffix(w.b.String(), "\n\n") {
		w.b.WriteByte('\n')
	}
}

// head begins a table; a comment right above belongs to it.
func (w *writer) head(name string, explained bool) {
	if !explained || !w.manual {
		w.gap()
	}
	w.b.WriteString(name + "\n")
}

func (w *writer) line(key, value string) { fmt.Fprintf(&w.b, "%s = %s\n", key, value) }

// text writes a key that is not empty.
func (w *writer) text(key, value string) {
	if value != "" {
		w.line(key, quote(value))
	}
}

func (w *writer) yes(key string, value bool) {
	if value {
		w.line(key, "true")
	}
}

func (w *writer) number(key string, value int) {
	if value != 0 {
		w.line(key, strconv.Itoa(value))
	}
}

func (w *writer) duration(key string, value time.Duration) {
	if value != 0 {
		w.line(key, quote(Duration(value.String())))
	}
}

// Duration is a duration as people write it: 1h for 1h0m0s.
func Duration(s string) string {
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// quote writes a basic string (TOML 1.0.0, String); over several lines where
// the text has several, as certificates have.
func quote(s string) string {
	escape := func(s string) string {
		var b strings.Builder
		for _, r := range s {
			switch {
			case r == '"' || r == '\\':
				b.WriteString(`\` + string(r))
			case r < 0x20 && r != '\n' || r == 0x7f:
				fmt.Fprintf(&b, `\u%04X`, r)
			default:
				b.WriteRune(r)
			}
		}
		return b.String()
	}
	if strings.Contains(s, "\n") {
		return `"""` + "\n" + escape(s) + `"""`
	}
	return `"` + escape(s) + `"`
}

// block writes a text of several lines as it stands (TOML 1.0.0, String), if it
// can.
func block(s string) string {
	if strings.Contains(s, "'''") {
		return quote(s)
	}
	return "'''\n" + s + "'''"
}

func (w *writer) regions(m *landfall.Map) {
	w.say(`Regions are the parts of the world with nodes in them. The one that is home
holds the data. place is latitude and longitude in degrees, north and east
positive: addresses are sent to the nearest.`)
	for i, r := range m.Regions {
		w.head("[[region]]", i == 0)
		w.text("id", string(r.ID))
		w.text("title", r.Title)
		w.text("place", r.Place.String())
		w.yes("home", r.Home)
	}
}

func (w *writer) services(m *landfall.Map) {
	w.say(`Services are the host names that all edges answer for, and what the home
region serves for them: a URL that the home server reaches, or "chat".`)
	for i, s := range m.Services {
		w.head("[[service]]", i == 0)
		w.text("host", s.Host)
		w.text("kind", string(s.Kind))
		w.text("upstream", s.Upstream)
		w.yes("external", s.External)
		w.number("port", int(s.Port))
		w.text("proxy", string(s.Proxy))
	}
	if len(m.Services) == 0 {
		w.sample("[[service]]\nhost = " + quote("app."+m.Domain) + "\nupstream = \"http://127.0.0.1:3000\"")
	}
}

func (w *writer) records(m *landfall.Map) {
	w.say("Records are further DNS records of the zone, the same for everybody.")
	for i, r := range m.Records {
		w.head("[[record]]", i == 0)
		w.text("name", r.Name)
		w.text("type", r.Type)
		w.text("data", r.Data)
		w.duration("ttl", r.TTL)
	}
	if len(m.Records) == 0 {
		w.sample("[[record]]\nname = " + quote(m.Domain) + "\ntype = \"MX\"\ndata = \"10 mail.example.com.\"")
	}
}

func (w *writer) zones(m *landfall.Map) {
	w.say(`Zones are others that the name servers answer for, and more records for the
domain's, as master files have them: in a file, relative to this one, or here as
text. Services and records may lie in any of them.`)
	for i, z := range m.Zones {
		w.head("[[zone]]", i == 0)
		w.text("name", z.Name)
		if len(z.Records) > 0 {
			w.line("text", block(master.Write(z)))
		}
	}
	if len(m.Zones) == 0 {
		w.sample("[[zone]]\nname = \"example.com\"\ntext = \"www 3600 CNAME app." + m.Domain + ".\"")
	}
}

func (w *writer) overrides(m *landfall.Map) {
	w.say(`Overrides say where the clients of a prefix or of a network (AS) are, for
operators who know better than databases do.`)
	for i, o := range m.Overrides {
		w.head("[[override]]", i == 0)
		w.clients(o.Prefix, o.ASN)
		if o.Place != (landfall.Place{}) {
			w.text("place", o.Place.String())
		}
		w.text("country", o.Country)
	}
	if len(m.Overrides) == 0 {
		w.sample("[[override]]\nprefix = \"203.0.113.0/24\"\nplace = \"48.86,2.35\"")
	}
}

func (w *writer) preferences(m *landfall.Map) {
	w.say(`Preferences send some clients to these regions first, whatever is nearer: those
of a prefix, of a network (asn), of a country or on a continent, or everybody.`)
	for i, p := range m.Preferences {
		w.head("[[preference]]", i == 0)
		w.clients(p.Prefix, p.ASN)
		w.text("country", p.Country)
		w.text("continent", p.Continent)
		var names []string
		for _, r := range p.Regions {
			names = append(names, quote(string(r)))
		}
		w.line("regions", "["+strings.Join(names, ", ")+"]")
	}
	if len(m.Preferences) == 0 {
		w.sample("[[preference]]\ncountry = \"BR\"\nregions = [" + quote(string(firstRegion(m))) + "]")
	}
}

// firstRegion is for an example.
func firstRegion(m *landfall.Map) landfall.RegionID {
	for _, r := range m.Regions {
		return r.ID
	}
	return "fra"
}

// clients writes whom an entry is about.
func (w *writer) clients(p netip.Prefix, asn uint32) {
	if p.IsValid() {
		w.text("prefix", p.String())
	}
	if asn != 0 {
		w.line("asn", strconv.FormatUint(uint64(asn), 10))
	}
}

func (w *writer) secondaries(m *landfall.Map) {
	w.say(`Secondaries are name servers of others that hold copies of our zones. The
secret of a key stands in a file on each name server that node.toml names.`)
	for i, s := range m.Secondaries {
		w.head("[[secondary]]", i == 0)
		switch {
		case s.Address.Port() == portDNS:
			w.text("address", s.Address.Addr().String())
		case s.Address.IsValid():
			w.text("address", s.Address.String())
		}
		var from []string
		for _, p := range s.From {
			from = append(from, quote(p.String()))
		}
		if len(from) > 0 {
			w.line("from", "["+strings.Join(from, ", ")+"]")
		}
		w.text("key", s.Key)
		w.text("zone", s.Zone)
	}
	if len(m.Secondaries) == 0 {
		w.sample("[[secondary]]\naddress = \"192.0.2.7\"\nkey = \"transfer.example.com\"")
	}
}

func (w *writer) dns(n landfall.DNS) {
	w.say("What name servers tell of themselves to who asks by class CHAOS.")
	if n == (landfall.DNS{}) {
		w.sample("[dns]\nversion = true\nidentity = true")
		return
	}
	w.head("[dns]", true)
	w.yes("version", n.Version)
	w.yes("identity", n.Identity)
}

func (w *writer) health(h landfall.Health) {
	w.say(`How name servers probe edges: "https" as a browser would, "http", "tcp" (a
connection) or "mesh", and how many probes in a row change their minds.`)
	if h == (landfall.Health{}) {
		w.sample("[health]\nprobe = \"https\"\ninterval = \"500ms\"\ntimeout = \"3s\"\nrise = 2\nfall = 3")
		return
	}
	w.head("[health]", true)
	w.text("probe", string(h.Probe))
	w.text("path", h.Path)
	w.duration("interval", h.Interval)
	w.duration("timeout", h.Timeout)
	w.number("rise", h.Rise)
	w.number("fall", h.Fall)
}

func (w *writer) steering(s landfall.Steering) {
	w.say(fmt.Sprintf(`How names of services are answered: how long resolvers may keep an answer,
which is what users wait at most for a dead edge, and how many addresses it has.
The defaults are %s and %d. budget is the share of clients that may be told an
edge up to worse_by further off, so that caches serve more; ceiling is how many
requests a second an edge can serve.`, Duration(landfall.DefaultTTL.String()), landfall.DefaultAnswers))
	if s == (landfall.Steering{}) {
		w.sample("[steering]\nttl = \"30s\"\nanswers = 2\nbudget = \"0.5%\"\nworse_by = \"20ms\"\nceiling = 2000")
		return
	}
	w.head("[steering]", true)
	w.duration("ttl", s.TTL)
	w.number("answers", s.Answers)
	if s.Budget != 0 {
		w.text("budget", s.Budget.String())
	}
	w.duration("worse_by", s.WorseBy)
	w.number("ceiling", s.Ceiling)
}

func (w *writer) acme(a landfall.ACME) {
	w.say(`Who signs the edges' certificates: an ACME authority, Let's Encrypt unless
directory says otherwise. Without it the network's own authority signs, which
browsers do not know. agreed = true says that you have read the authority's
terms of service and agree.`)
	if a == (landfall.ACME{}) {
		w.sample("[acme]\nagreed = true\nemail = \"ops@example.com\"")
		return
	}
	w.head("[acme]", true)
	w.yes("agreed", a.Agreed)
	w.text("email", a.Email)
	w.text("directory", a.Directory)
	w.text("roots", a.Roots)
}

func (w *writer) ports(p landfall.Ports) {
	w.say("The public ports of all nodes, where they are not the usual ones.")
	if p == (landfall.Ports{}) {
		w.sample("[ports]\nhttp = 80\nhttps = 443\ndns = 53")
		return
	}
	w.head("[ports]", true)
	w.number("http", int(p.HTTP))
	w.number("https", int(p.HTTPS))
	w.number("dns", int(p.DNS))
	w.number("dns_tls", int(p.DNSTLS))
	w.number("dns_https", int(p.DNSHTTPS))
}
