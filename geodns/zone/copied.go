package zone

import (
	"encoding/binary"
	"iter"
	"maps"
	"slices"
)

// Nodes are all names of the zone and what is at them, in canonical order,
// with those below cuts.
func (z *Zone) Nodes() iter.Seq2[Name, *Node] {
	return func(yield func(Name, *Node) bool) {
		for _, name := range z.names {
			if !yield(name, z.nodes[name]) {
				return
			}
		}
	}
}

// Serial is that of the zone's SOA record.
func (z *Zone) Serial() uint32 {
	soa, _ := z.nodes[z.Apex].Set(typeSOA)
	return binary.BigEndian.Uint32(soa.Data[0][len(soa.Data[0])-soaTimes:])
}

// soaTimes is the length of what follows the names in an SOA record (RFC 1035,
// 3.3.13).
const soaTimes = 20

// Numbered are the same zones, but with the given serials, by apex.
func (z *Zones) Numbered(serials map[Name]uint32) *Zones {
	if len(serials) == 0 {
		return z
	}
	out := *z
	out.all, out.byApex = slices.Clone(z.all), maps.Clone(z.byApex)
	for i, zone := range z.all {
		serial, ok := serials[zone.Apex]
		if !ok {
			continue
		}
		next := zone.numbered(serial)
		out.all[i], out.byApex[next.Apex] = next, next
		if zone == z.domain {
			out.domain = next
		}
	}
	return &out
}

func (z *Zone) numbered(serial uint32) *Zone {
	out := *z
	out.nodes = maps.Clone(z.nodes)
	apex := *z.nodes[z.Apex]
	apex.Sets = slices.Clone(apex.Sets)
	for i, s := range apex.Sets {
		if s.Type == typeSOA {
			data := slices.Clone(s.Data[0])
			binary.BigEndian.PutUint32(data[len(data)-soaTimes:], serial)
			apex.Sets[i].Data, apex.Sets[i].Sigs = [][]byte{data}, nil
		}
	}
	out.nodes[z.Apex] = &apex
	return &out
}
