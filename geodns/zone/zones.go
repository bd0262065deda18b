package zone

import (
	"fmt"
	"slices"

	"landfall"
)

// Zones are all zones of a map: its domain's, and those that it holds besides.
// A zone that lies within another is delegated there.
type Zones struct {
	byApex map[Name]*Zone
	all    []*Zone // by apex, in canonical order
	domain *Zone
	notes  []landfall.Fault

	edges     map[landfall.NodeID]Addresses
	protocols map[landfall.NodeID][]string // of edges
}

// Build makes the zones of a map, with TXT records for challenges by name. The
// faults are zones, records and challenges that had to be left out; what
// remains is good without them, so that one bad record never holds a map up.
// Zones are nil only if the map's domain is not a name.
func Build(m *landfall.Map, challenges map[string][]string) (*Zones, []landfall.Fault) {
	apex, err := ParseName(m.Domain)
	if err != nil || len(apex) == 1 || len(apex)+len(mailbox) > maxName {
		return nil, []landfall.Fault{{
			Path: "domain", Msg: fmt.Sprintf("%q is not a domain name, or too long for names below it", m.Domain),
			Cure: `give the zone to answer for, such as domain = "edge.example.com"`,
		}}
	}
	b := newBuilder(m)
	b.zones.domain = b.open(apex)
	b.openZones()
	b.read()
	b.servers()
	b.services()
	b.records()
	b.authority()
	b.challenges(challenges)
	b.finish()
	b.remark()
	return b.zones, b.faults
}

// Of is the zone with the longest apex that a name, in lower case, is or lies
// below; nil if there is none.
func (z *Zones) Of(name Name) *Zone {
	for at := name; len(at) > 1; at = at.parent() {
		if zone := z.byApex[at]; zone != nil {
			return zone
		}
	}
	return nil
}

// For is the zone that answers a query: Of, but a DS record stands in the zone
// above (RFC 4035, 3.1.4.1), if that is ours too.
func (z *Zones) For(name Name, rrtype uint16) *Zone {
	zone := z.Of(name)
	if rrtype == typeDS && zone != nil && zone.Apex == name {
		if above := z.Of(name.parent()); above != nil {
			return above
		}
	}
	return zone
}

// All are the zones by apex, in canonical order (RFC 4034, 6.1). Nobody may
// change the slice.
func (z *Zones) All() []*Zone { return z.all }

// Domain is the zone of the map's domain, where the names of name servers are.
func (z *Zones) Domain() *Zone { return z.domain }

// Edge are the public addresses of an edge.
func (z *Zones) Edge(id landfall.NodeID) Addresses { return z.edges[id] }

// put adds a zone where canonical order has it.
func (z *Zones) put(zone *Zone) {
	i, _ := slices.BinarySearchFunc(z.all, zone.Apex, func(z *Zone, apex Name) int { return z.Apex.Compare(apex) })
	z.all = slices.Insert(z.all, i, zone)
	z.byApex[zone.Apex] = zone
}
