package locate

import (
	"cmp"
	"encoding/binary"
	"net/netip"
	"sort"

	"landfall"
)

// Table is a flattened database. It never changes: any number of goroutines
// may ask it, and a new database is a new Table. The zero Table and the nil
// Table know nothing.
type Table struct {
	v4        family[key4]
	v6        family[key6]
	locations []landfall.Location // what locs point into; 0 is unknown
}

// family holds the disjoint prefixes that cover all addresses of one family,
// in order. Columns, not rows: a search touches starts alone, and nothing in
// them is a pointer for the collector to follow.
type family[K any] struct {
	starts []K
	bits   []uint8
	locs   []uint32
}

// ordered are the keys of a family.
type ordered[K any] interface{ compare(K) int }

type key4 uint32

type key6 struct{ hi, lo uint64 }

func key4Of(a netip.Addr) key4 {
	b := a.As4()
	return key4(binary.BigEndian.Uint32(b[:]))
}

func key6Of(a netip.Addr) key6 {
	b := a.As16()
	return key6{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
}

func (k key4) compare(l key4) int { return cmp.Compare(k, l) }

func (k key6) compare(l key6) int {
	if k.hi != l.hi {
		return cmp.Compare(k.hi, l.hi)
	}
	return cmp.Compare(k.lo, l.lo)
}

// Locate tells where an address is, and the widest prefix around it of which
// the same is true. Unknown space has its exact prefix too. An IPv4-mapped
// address (RFC 4291, 2.5.5.2) is the IPv4 address, and so is its prefix; a
// zone is ignored. The zero Addr is unknown and has no prefix.
func (t *Table) Locate(a netip.Addr) (landfall.Location, netip.Prefix) {
	if t == nil {
		t = &Table{}
	}
	a = a.Unmap().WithZone("")
	if !a.IsValid() {
		return landfall.Location{}, netip.Prefix{}
	}
	var loc uint32
	var bits uint8
	if a.Is4() {
		loc, bits = find(&t.v4, key4Of(a))
	} else {
		loc, bits = find(&t.v6, key6Of(a))
	}
	prefix := netip.PrefixFrom(a, int(bits)).Masked()
	if loc == unknown {
		return landfall.Location{}, prefix
	}
	return t.locations[loc], prefix
}

// find looks for the last prefix that starts at k or before.
func find[K ordered[K]](f *family[K], k K) (loc uint32, bits uint8) {
	i := sort.Search(len(f.starts), func(i int) bool { return f.starts[i].compare(k) > 0 })
	if i == 0 {
		return unknown, 0
	}
	return f.locs[i-1], f.bits[i-1]
}

// Size tells how many disjoint prefixes and how many different locations the
// Table holds, for people and metrics.
func (t *Table) Size() (v4, v6, locations int) {
	return len(t.v4.starts), len(t.v6.starts), max(0, len(t.locations)-1)
}
