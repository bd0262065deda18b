package zone

import (
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

const typeSOA = dns.TypeSOA

// Build makes the zone of a map, with TXT records for challenges by name. The
// faults are records and challenges that had to be left out; the Zone is good
// without them, so that one bad record never holds a map up. It is nil only
// if the map's domain is not a name.
func Build(m *landfall.Map, challenges map[string][]string) (*Zone, []landfall.Fault) {
	apex, err := ParseName(m.Domain)
	if err != nil || len(apex) == 1 || len(apex)+len(mailbox) > maxName {
		return nil, []landfall.Fault{{
			Path: "domain", Msg: fmt.Sprintf("%q is not a domain name, or too long for names below it", m.Domain),
			Cure: `give the zone to answer for, such as domain = "edge.example.com"`,
		}}
	}
	b := builder{m: m, zone: &Zone{Apex: apex, nodes: map[Name]*Node{}, edges: map[landfall.NodeID]Addresses{}}}
	b.authority()
	b.services()
	b.records()
	b.challenges(challenges)
	b.fillGaps()
	b.cuts()
	return b.zone, b.faults
}

type builder struct {
	m      *landfall.Map
	zone   *Zone
	faults []landfall.Fault
}

func (b *builder) fault(path, cure, format string, args ...any) {
	b.faults = append(b.faults, landfall.Fault{Path: path, Msg: fmt.Sprintf(format, args...), Cure: cure})
}

// node finds the node of a name, and makes it if need be.
func (b *builder) node(name Name) *Node {
	n := b.zone.nodes[name]
	if n == nil {
		n = &Node{}
		b.zone.nodes[name] = n
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
		if !slices.ContainsFunc(s.Data, func(e []byte) bool { return slices.Equal(d, e) }) {
			s.Data = append(s.Data, d)
		}
	}
}

// authority adds SOA and NS records, and the name servers' addresses. A name
// server that drains is no longer listed but keeps its address for those who
// still have its name.
func (b *builder) authority() {
	apex := b.node(b.zone.Apex)
	b.node(b.zone.Apex.child(resolver.Label)) // names below it are made up by pages: RFC 8020 would deny them with it
	first := b.zone.Apex
	listed := listed(b.m)
	for i, n := range b.m.Nodes {
		if !n.Joined() || !n.Has(landfall.RoleDNS) {
			continue
		}
		name, err := ParseName(ServerName(n.ID, b.m.Domain))
		if err != nil {
			b.fault(fmt.Sprintf("node[%d].id", i), "give the node a shorter name", "name server: %v", err)
			continue
		}
		addrs, node := addressesOf(n), b.node(name)
		node.add(dns.TypeA, stableTTL, addrs.V4...)
		node.add(dns.TypeAAAA, stableTTL, addrs.V6...)
		if n.EffectiveState() != listed {
			continue
		}
		apex.add(dns.TypeNS, stableTTL, []byte(name))
		if first == b.zone.Apex {
			first = name
		}
	}
	apex.add(dns.TypeSOA, stableTTL, rdata(&dns.SOA{
		Ns:   dns.Fqdn(first.String()),
		Mbox: mailbox + dns.Fqdn(b.zone.Apex.String()),
		// RFC 1982: the lower half counts on where the upper half wraps.
		Serial:  uint32(b.m.Serial),
		Refresh: soaRefresh,
		Retry:   soaRetry,
		Expire:  soaExpire,
		// RFC 2308, 4: a name that is missing now may be a service with the
		// next map, and an edge may get its first IPv6 address.
		Minttl: seconds(b.m.Steering.EffectiveTTL()),
	}))
}

func (b *builder) services() {
	for n := range b.m.Having(landfall.RoleEdge) {
		b.zone.edges[n.ID] = addressesOf(n)
	}
	for i, s := range b.m.Services {
		path, host := fmt.Sprintf("service[%d].host", i), s.Host
		if s.External { // its owner's zone has an alias of the name in ours
			host = landfall.SteeredName(s.Host, b.m.Domain)
		}
		name, err := ParseName(host)
		switch {
		case err != nil || !name.Within(b.zone.Apex):
			b.fault(path, "name it under "+b.m.Domain, "host %q is not a name of the zone", host)
		case b.node(name).Steered != nil:
			b.fault(path, "one host has one service", "host %q is already a service", host)
		case !b.node(name).Empty() && name != b.zone.Apex:
			b.fault(path, "give the service another host", "host %q is a name server", host)
		default:
			b.node(name).Steered = newSteered(s, b.m.Steering, b.m.Ports.EffectiveHTTPS())
		}
	}
}

func (b *builder) challenges(values map[string][]string) {
	for _, host := range slices.Sorted(maps.Keys(values)) {
		path := "challenge " + host
		name, err := ParseName(host)
		if err != nil || !name.Within(b.zone.Apex) {
			b.fault(path, "ask for names under "+b.m.Domain, "not a name of the zone")
			continue
		}
		for _, v := range values[host] {
			b.place(path, name, parsed{dns.TypeTXT, challengeTTL * time.Second, rdata(&dns.TXT{Txt: textStrings(v)})})
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
