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
	sizes  sizes   // of apexes
	domain *Zone
	notes  []landfall.Fault
	types  map[uint16]bool // of sets

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
	b.zones.types = typesOf(b.zones.all)
	return b.zones, b.faults
}

// Of is the zone with the longest apex that a name, in lower case, is or lies
// below; nil if there is none.
func (z *Zones) Of(name Name) *Zone {
	for at := name; len(at) > 1; at = at.parent() {
		if !z.sizes.has(len(at)) {
			continue
		}
		if zone := z.byApex[at]; zone != nil {
			return zone
		}
	}
	return nil
}

// sizes are the lengths that some names have. A name may have a hundred labels,
// and few of the names that it lies below are worth being looked up.
type sizes [4]uint64

func (s *sizes) add(size int) { s[size>>6] |= 1 << (size & 63) }

func (s *sizes) has(size int) bool { return s[size>>6]&(1<<(size&63)) != 0 }

// For is the zone that answers a query for a name of a zone, or of none: that
// one, but a DS record stands in the zone above (RFC 4035, 3.1.4.1), if that is
// ours too.
func (z *Zones) For(of *Zone, name Name, rrtype uint16) *Zone {
	if rrtype == typeDS && of != nil && of.Apex == name {
		if above := z.Of(name.parent()); above != nil {
			return above
		}
	}
	return of
}

// Has reports whether any name has a set of a type. What signatures add does
// not count.
func (z *Zones) Has(rrtype uint16) bool { return z.types[rrtype] }

func typesOf(all []*Zone) map[uint16]bool {
	types := map[uint16]bool{}
	for _, z := range all {
		for _, n := range z.nodes {
			for _, s := range n.Sets {
				types[s.Type] = true
			}
		}
	}
	return types
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
	z.sizes.add(len(zone.Apex))
}
