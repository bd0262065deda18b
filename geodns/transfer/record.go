package transfer

import (
	"bytes"
	"cmp"
	"iter"
	"slices"

	"landfall/geodns/zone"
)

// Types that a transfer treats apart.
const (
	typeSOA   = 6
	typeRRSIG = 46
)

// Record is one record of a zone.
type Record struct {
	Owner zone.Name
	Type  uint16
	TTL   uint32
	Data  []byte // RDATA, uncompressed
}

// compare orders records by name, type, data and TTL.
func (r Record) compare(o Record) int {
	if r.Owner != o.Owner {
		return r.Owner.Compare(o.Owner)
	}
	return cmp.Or(cmp.Compare(r.Type, o.Type), bytes.Compare(r.Data, o.Data), cmp.Compare(r.TTL, o.TTL))
}

// Steered tells the sets of a steered name for nobody in particular.
type Steered func(name zone.Name, n *zone.Node) []zone.Set

// records are those of a zone in order, but for what hangs on its serial: the
// SOA record and the signatures over it, which come apart.
func records(z *zone.Zone, steered Steered) (soa Record, proof, all []Record) {
	for name, n := range z.Nodes() {
		for s := range sets(name, n, steered) {
			first := len(all)
			for _, data := range s.Data {
				all = append(all, Record{name, s.Type, s.TTL, data})
			}
			for _, data := range s.Sigs {
				all = append(all, Record{name, typeRRSIG, s.TTL, data})
			}
			if s.Type == typeSOA {
				soa, proof, all = all[first], slices.Clone(all[first+1:]), all[:first]
			}
		}
	}
	slices.SortFunc(all, Record.compare)
	return soa, proof, all
}

func sets(name zone.Name, n *zone.Node, steered Steered) iter.Seq[zone.Set] {
	return func(yield func(zone.Set) bool) {
		for _, s := range n.Sets {
			if !yield(s) {
				return
			}
		}
		if n.Steered == nil {
			return
		}
		for _, s := range steered(name, n) {
			if !yield(s) {
				return
			}
		}
	}
}

// differ tells what is only in the one and only in the other of two lists.
func differ(old, new []Record) (deleted, added []Record) {
	for len(old) > 0 && len(new) > 0 {
		switch c := old[0].compare(new[0]); {
		case c < 0:
			deleted, old = append(deleted, old[0]), old[1:]
		case c > 0:
			added, new = append(added, new[0]), new[1:]
		default:
			old, new = old[1:], new[1:]
		}
	}
	return append(deleted, old...), append(added, new...)
}
