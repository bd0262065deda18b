package zone

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"time"

	"landfall"
	"landfall/geodns/resolver"

	"github.com/miekg/dns"
)

// How long resolvers may keep what is not steered, and what secondaries would
// be told if there were any: every name server has the map instead.
const (
	stableTTL    = 3600
	challengeTTL = 1
	soaRefresh   = 3600
	soaRetry     = 600
	soaExpire    = 604800
)

// maxSet bounds the records of one name and type, so that every answer fits a
// message (RFC 1035, 4.2.2).
const maxSet = 32 << 10

// maxName is how long a name may be on the wire (RFC 1035, 2.3.4).
const maxName = 255

// mailbox is where the SOA record says that the zone's keepers read mail.
const mailbox = "hostmaster."

const (
	typeSOA = dns.TypeSOA
	typeDS  = dns.TypeDS
)

// builder makes zones of a map.
type builder struct {
	m      *landfall.Map
	zones  *Zones
	drafts map[Name]*draft // by apex
	faults []landfall.Fault

	entries   []entry
	addressed map[Name]bool // names that have, or will have, addresses
	targets   map[Name]bool // of NS records
	pointing  []entry       // records that lead to names which are to be no aliases
}

// draft is a zone in the making.
type draft struct {
	*Zone
	soa  *dns.SOA // of its file; nil makes one
	ns   bool     // its file lists its name servers, first at nsPath
	file bool     // it has one

	nsPath string

	held map[Name]Name // names that cannot be delegated, and which of ours is there or below
	over map[Name]Name // names that cannot be redirected, and which of ours is below
	ends map[Name]bool // where its authority ends: delegations and redirections
}

func newBuilder(m *landfall.Map) *builder {
	return &builder{
		m: m, drafts: map[Name]*draft{}, addressed: map[Name]bool{}, targets: map[Name]bool{},
		zones: &Zones{byApex: map[Name]*Zone{}, edges: map[landfall.NodeID]Addresses{}, protocols: map[landfall.NodeID][]string{}},
	}
}

func (b *builder) fault(path, cure, format string, args ...any) {
	b.faults = append(b.faults, landfall.Fault{Path: path, Msg: fmt.Sprintf(format, args...), Cure: cure})
}

// open begins a zone.
func (b *builder) open(apex Name) *Zone {
	d := &draft{
		Zone: &Zone{Apex: apex, nodes: map[Name]*Node{}},
		held: map[Name]Name{}, over: map[Name]Name{}, ends: map[Name]bool{},
	}
	d.node(apex)
	b.drafts[apex] = d
	b.zones.put(d.Zone)
	return d.Zone
}

// openZones begins the zones that the map holds beside its domain's.
func (b *builder) openZones() {
	for i, z := range b.m.Zones {
		path := fmt.Sprintf("zone[%d].name", i)
		apex, err := ParseName(z.Name)
		if err != nil || len(apex) == 1 || len(apex)+len(mailbox) > maxName || apex[0] == 1 && apex[1] == '*' {
			b.fault(path, `give the zone's name, such as name = "example.com"`, "%q is not the name of a zone, or too long for names below it", z.Name)
			continue
		}
		if d := b.drafts[apex]; d == nil {
			b.open(apex)
		} else if d.file {
			b.fault(path, "write one [[zone]] with all of its records", "the zone %s is there twice", apex)
			continue
		}
		b.drafts[apex].file = true
	}
	for _, z := range b.zones.all {
		if above := b.zones.Of(z.Apex.parent()); above != nil {
			b.drafts[above.Apex].ends[z.Apex] = true
			b.drafts[above.Apex].hold(z.Apex.parent(), z.Apex)
		}
	}
}

// in is the zone that a name belongs to; nil if there is none.
func (b *builder) in(name Name) *draft {
	if z := b.zones.Of(name); z != nil {
		return b.drafts[z.Apex]
	}
	return nil
}

// hold notes that a name, and those above it, are not to be given away for the
// sake of what.
func (d *draft) hold(name, what Name) {
	for ; len(name) >= len(d.Apex); name = name.parent() {
		if _, ok := d.held[name]; !ok {
			d.held[name] = what
		}
		if _, ok := d.over[name]; !ok && name != what {
			d.over[name] = what
		}
	}
}

// node finds the node of a name, and makes it if need be.
func (z *Zone) node(name Name) *Node {
	n := z.nodes[name]
	if n == nil {
		n = &Node{}
		z.nodes[name] = n
	}
	return n
}

// add puts data into a set. RFC 2181, 5.2: a set has one TTL; the lowest wins.
func (n *Node) add(rrtype uint16, ttl uint32, data ...[]byte) {
	if len(data) == 0 {
		return
	}
	i, found := slices.BinarySearchFunc(n.Sets, rrtype, func(s Set, t uint16) int { return int(s.Type) - int(t) })
	if !found {
		n.Sets = slices.Insert(n.Sets, i, Set{Type: rrtype, TTL: ttl})
	}
	s := &n.Sets[i]
	s.TTL = min(s.TTL, ttl)
	for _, d := range data {
		if !slices.ContainsFunc(s.Data, func(e []byte) bool { return bytes.Equal(d, e) }) {
			s.Data = append(s.Data, d)
		}
	}
}

// servers adds the name servers' addresses. One that drains is no longer
// listed but keeps its address for those who still have its name.
func (b *builder) servers() {
	b.zones.domain.node(b.zones.domain.Apex.child(resolver.Label)) // names below it are made up by pages: RFC 8020 would deny them with it
	for i, n := range b.m.Nodes {
		if !n.Joined() || !n.Has(landfall.RoleDNS) {
			continue
		}
		name, err := ParseName(ServerName(n.ID, b.m.Domain))
		if err != nil {
			b.fault(fmt.Sprintf("node[%d].id", i), "give the node a shorter name", "name server: %v", err)
			continue
		}
		d, addrs := b.in(name), addressesOf(n)
		node := d.node(name)
		node.add(dns.TypeA, stableTTL, addrs.V4...)
		node.add(dns.TypeAAAA, stableTTL, addrs.V6...)
		d.hold(name, name)
		b.addressed[name] = true
	}
}

// listedServers are the names of the name servers to list.
func (b *builder) listedServers() (names []Name) {
	for _, n := range Servers(b.m) {
		if name, err := ParseName(ServerName(n.ID, b.m.Domain)); err == nil {
			names = append(names, name)
		}
	}
	return names
}

// authority adds the SOA and NS records that files do not have.
func (b *builder) authority() {
	servers := b.listedServers()
	for _, z := range b.zones.all {
		d, apex := b.drafts[z.Apex], z.node(z.Apex)
		if !d.ns {
			for _, name := range servers {
				apex.add(dns.TypeNS, stableTTL, []byte(name))
			}
		}
		apex.add(typeSOA, stableTTL, rdata(b.soa(d, servers)))
	}
}

// soa is the SOA record of a zone: its file's, with the map's serial added to
// the serial there, so that it grows with each map and with each edit; or one
// with the map's serial (RFC 1982: the lower half counts on where the upper
// half wraps).
func (b *builder) soa(d *draft, servers []Name) *dns.SOA {
	if d.soa != nil {
		soa := *d.soa
		soa.Serial += uint32(b.m.Serial)
		return &soa
	}
	first := d.Apex
	if len(servers) > 0 {
		first = servers[0]
	}
	return &dns.SOA{
		Ns:      dns.Fqdn(first.String()),
		Mbox:    mailbox + dns.Fqdn(d.Apex.String()),
		Serial:  uint32(b.m.Serial),
		Refresh: soaRefresh,
		Retry:   soaRetry,
		Expire:  soaExpire,
		// RFC 2308, 4: a name that is missing now may be a service with the
		// next map, and an edge may get its first IPv6 address.
		Minttl: seconds(b.m.Steering.EffectiveTTL()),
	}
}

func (b *builder) services() {
	for n := range b.m.Having(landfall.RoleEdge) {
		b.zones.edges[n.ID], b.zones.protocols[n.ID] = addressesOf(n), n.EffectiveProtocols()
	}
	for i, s := range b.m.Services {
		path, host := fmt.Sprintf("service[%d].host", i), s.Host
		if s.External { // its owner's zone has an alias of the name in ours
			host = b.m.SteeredName(s.Host)
		}
		name, err := ParseName(host)
		var d *draft
		if err == nil {
			d = b.in(name)
		}
		switch {
		case d == nil:
			b.fault(path, "name it under "+b.m.Domain+" or in a [[zone]]", "host %q is not a name of a zone", host)
		case d.node(name).Steered != nil:
			b.fault(path, "one host has one service", "host %q is already a service", host)
		case !d.node(name).Empty() && name != d.Apex:
			b.fault(path, "give the service another host", "host %q is a name server", host)
		default:
			d.node(name).Steered = newSteered(s, b.m.Steering, b.m.Ports.EffectiveHTTPS())
			d.hold(name, name)
			b.addressed[name] = true
		}
	}
}

func (b *builder) challenges(values map[string][]string) {
	for _, host := range slices.Sorted(maps.Keys(values)) {
		path := "challenge " + host
		name, err := ParseName(host)
		if err != nil || b.in(name) == nil {
			b.fault(path, "ask for names under "+b.m.Domain+" or in a [[zone]]", "not a name of a zone")
			continue
		}
		for _, v := range values[host] {
			b.place(entry{path, b.in(name), name, parsed{dns.TypeTXT, challengeTTL * time.Second, rdata(&dns.TXT{Txt: textStrings(v)})}})
		}
	}
}

// textStrings cuts a value into the strings of a TXT record (RFC 1035, 3.3.14).
func textStrings(s string) []string {
	var out []string
	for part := range slices.Chunk([]byte(s), 255) {
		out = append(out, escapeText(part))
	}
	if out == nil {
		return []string{""}
	}
	return out
}
