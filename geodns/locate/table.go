package locate

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"landfall"
	"landfall/geodns/prefix"
)

// unknown is the index of the zero Location.
const unknown = 0

// Table is what databases and overrides say, flattened. It never changes: any
// number of goroutines may ask it, and a new database is a new Table. The zero
// Table and the nil Table know nothing.
type Table struct {
	places        *prefix.Table // labels point into locations
	networks      *prefix.Table // labels are AS numbers
	locations     []landfall.Location
	organizations map[uint32]string
	about         About
	under         *Table // without overrides; nil if there are none
}

// About is what is known of the databases that a Table was made of.
type About struct {
	Places, Networks Database // zero where there was none
	Faults           int      // records whose coordinates are not on the Earth
}

// Database is what a file says of itself.
type Database struct {
	Type  string    // such as "GeoLite2-City"
	Built time.Time // when its maker made it
}

// Coarse reports whether a database is one of Landfall's own, which places
// addresses on continents only, by lists that hardly age. Its type says so.
func (d Database) Coarse() bool { return strings.Contains(d.Type, "Coarse") }

// Of makes a Table of what is given. The longest prefix wins.
func Of(networks map[netip.Prefix]landfall.Location) *Table {
	b := bookOf(nil)
	var places, numbers []prefix.Leaf
	for _, p := range slices.SortedFunc(maps.Keys(networks), netip.Prefix.Compare) {
		loc := networks[p]
		numbers = append(numbers, prefix.Leaf{Prefix: p, Label: loc.ASN})
		places = append(places, prefix.Leaf{Prefix: p, Label: b.intern(loc)})
	}
	return &Table{places: prefix.Build(places), networks: prefix.Build(numbers), locations: b.locations}
}

// Locate tells where an address is, and the widest prefix around it of which
// the same is true. Unknown space has its exact prefix too; of a Location that
// is not Known the ASN alone may be told. The prefix is of the address's own
// family, for IPv4 inside IPv6 too (see prefix.Fold); a zone is ignored. The
// zero Addr is unknown and has no prefix.
func (t *Table) Locate(a netip.Addr) (landfall.Location, netip.Prefix) {
	if !a.IsValid() {
		return landfall.Location{}, netip.Prefix{}
	}
	i, bits := t.Places().Lookup(a)
	asn, narrow := t.Networks().Lookup(a)
	loc := t.Location(i)
	loc.ASN = asn
	return loc, netip.PrefixFrom(a, max(bits, narrow)).Masked()
}

// Places has for every address the index of its Location; 0 is unknown.
func (t *Table) Places() *prefix.Table {
	if t == nil {
		return nil
	}
	return t.places
}

// Networks has for every address the number of the network that announces it
// (RFC 6793); 0 is unknown.
func (t *Table) Networks() *prefix.Table {
	if t == nil {
		return nil
	}
	return t.networks
}

// Location is what a label of Places means. It has no ASN, for that is what
// Networks tells.
func (t *Table) Location(i uint32) landfall.Location {
	if t == nil || int64(i) >= int64(len(t.locations)) {
		return landfall.Location{}
	}
	return t.locations[i]
}

// Locations is how many different ones there are beside the unknown.
func (t *Table) Locations() int {
	if t == nil {
		return 0
	}
	return max(0, len(t.locations)-1)
}

// Organization is the name of the network with a number; empty if it is not
// known.
func (t *Table) Organization(asn uint32) string {
	if t == nil {
		return ""
	}
	return t.organizations[asn]
}

// About tells what the Table was made of.
func (t *Table) About() About {
	if t == nil {
		return About{}
	}
	return t.about
}

// book gives each Location a number.
type book struct {
	locations []landfall.Location
	index     map[landfall.Location]uint32
}

// bookOf has the numbers that are given already. The first is the unknown.
func bookOf(locations []landfall.Location) *book {
	b := &book{index: make(map[landfall.Location]uint32, len(locations))}
	b.number(landfall.Location{})
	for _, loc := range locations {
		b.number(loc)
	}
	return b
}

// intern gives the number of a Location, without its ASN. All that are not
// Known are one.
func (b *book) intern(loc landfall.Location) uint32 {
	loc.ASN = 0
	if !loc.Known {
		return unknown
	}
	return b.number(loc)
}

func (b *book) number(loc landfall.Location) uint32 {
	i, ok := b.index[loc]
	if !ok {
		i = uint32(len(b.locations))
		b.index[loc] = i
		b.locations = append(b.locations, loc)
	}
	return i
}
