package locate

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"slices"
	"strings"

	"landfall"

	"github.com/oschwald/geoip2-golang/v2"
	"github.com/oschwald/maxminddb-golang/v2"
)

// Overrides are places that operators know better than the database does. The
// longest prefix wins, and any prefix wins over the database. A Location that
// is not Known hides what the database says.
type Overrides map[netip.Prefix]landfall.Location

// Open reads and flattens the database in a file. The whole file is read, not
// mapped: a mapped file that somebody shortens kills the process.
func Open(path string, over Overrides) (*Table, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("geo database: %w", err)
	}
	t, err := Load(data, over)
	if err != nil {
		return nil, fmt.Errorf("geo database %s: %w", path, err)
	}
	return t, nil
}

// Load flattens a database of the City, Country or Enterprise kind. Whatever
// is wrong with it is an error that tells the cure; the Table keeps nothing of
// data.
func Load(data []byte, over Overrides) (*Table, error) {
	if len(data) == 0 {
		return nil, errors.New("the file is empty: download it again")
	}
	db, err := maxminddb.OpenBytes(data)
	if err != nil {
		return nil, fmt.Errorf("not a whole MaxMind DB file, download it again: %w", err)
	}
	defer db.Close()
	if kind := db.Metadata.DatabaseType; !hasPlaces(kind) {
		return nil, fmt.Errorf("it is of type %q, which tells no places: use a City or Country database", kind)
	}
	if err := db.Verify(); err != nil {
		return nil, fmt.Errorf("the file is damaged, download it again: %w", err)
	}
	f := flattener{index: map[landfall.Location]uint32{{}: unknown}, locations: []landfall.Location{{}}}
	if err := f.addDatabase(db); err != nil {
		return nil, err
	}
	if len(f.locations) == 1 {
		return nil, errors.New("no network in it has a place: use a City or Country database")
	}
	if err := f.addOverrides(over); err != nil {
		return nil, err
	}
	return f.table(), nil
}

// hasPlaces reports whether databases of a type tell places. The names of
// other makers hold the same words: "DBIP-City-Lite", "DBIP-Country".
func hasPlaces(kind string) bool {
	return slices.ContainsFunc([]string{"City", "Country", "Enterprise"}, func(s string) bool {
		return strings.Contains(kind, s)
	})
}

// maxShared is how many times over a tree may hold its own nodes. The format
// shows the IPv4 part in three more places; a damaged file could show each
// half of each half twice, and be walked through for ever.
const maxShared = 8

// addDatabase collects the networks of the database that have a place. Many
// networks share one record, which is decoded once.
func (f *flattener) addDatabase(db *maxminddb.Reader) error {
	seen := map[uintptr]uint32{}
	embedded := embeddedIPv4()
	left := maxShared * (int(db.Metadata.NodeCount) + 1)
	for r := range db.Networks(maxminddb.IncludeAliasedNetworks(), maxminddb.IncludeNetworksWithoutData()) {
		if err := r.Err(); err != nil {
			return fmt.Errorf("the file is damaged, download it again: %w", err)
		}
		if left--; left < 0 {
			return errors.New("the file is damaged, download it again: its tree meets itself")
		}
		if !r.Found() || slices.ContainsFunc(embedded, func(e netip.Prefix) bool { return within(r.Prefix(), e) }) {
			continue
		}
		loc, ok := seen[r.Offset()]
		if !ok {
			var record geoip2.City
			if err := r.Decode(&record); err != nil {
				return fmt.Errorf("network %v, download the file again: %w", r.Prefix(), err)
			}
			loc = f.intern(location(&record))
			seen[r.Offset()] = loc
		}
		f.add(entry{prefix: r.Prefix(), loc: loc})
	}
	return nil
}

// embeddedIPv4 are the parts of the IPv6 space where databases show IPv4 a
// second time: mapped addresses, which Locate unmaps, Teredo and 6to4, which
// are no longer (RFC 7526).
func embeddedIPv4() []netip.Prefix {
	return []netip.Prefix{
		netip.MustParsePrefix("::ffff:0:0/96"),
		netip.MustParsePrefix("2001::/32"),
		netip.MustParsePrefix("2002::/16"),
	}
}

// within reports whether p is wide or a part of it.
func within(p, wide netip.Prefix) bool {
	return wide.Bits() <= p.Bits() && wide.Contains(p.Addr())
}

func (f *flattener) addOverrides(over Overrides) error {
	var faults []error
	for _, p := range slices.SortedFunc(maps.Keys(over), netip.Prefix.Compare) {
		loc := over[p]
		switch {
		case !p.IsValid() || p != p.Masked():
			faults = append(faults, fmt.Errorf("override %v: not a network: want %v", p, p.Masked()))
		case p.Addr().Is4In6():
			faults = append(faults, fmt.Errorf("override %v: write IPv4 networks as such", p))
		case loc.Known && !loc.Place.Valid():
			faults = append(faults, fmt.Errorf("override %v: %v is no place on the Earth", p, loc.Place))
		case !loc.Known && loc != (landfall.Location{}):
			faults = append(faults, fmt.Errorf("override %v: a location that is not known has no fields", p))
		default:
			f.add(entry{prefix: p, loc: f.intern(loc), override: true})
		}
	}
	return errors.Join(faults...)
}

// location is what a record says, without what a place cannot be made of.
func location(r *geoip2.City) landfall.Location {
	country := r.Country.ISOCode
	if country == "" {
		country = r.RegisteredCountry.ISOCode
	}
	loc := landfall.Location{
		Known:     true,
		Country:   country,
		Continent: r.Continent.Code,
		City:      r.City.Names.English,
	}
	if lat, lon := r.Location.Latitude, r.Location.Longitude; lat != nil && lon != nil {
		loc.Place = landfall.Place{Lat: *lat, Lon: *lon}
		if loc.Place.Valid() {
			return loc
		}
	}
	place, ok := countryPlace(country)
	if !ok {
		place, ok = continentPlace(r.Continent.Code)
	}
	if !ok {
		return landfall.Location{}
	}
	loc.Place = place
	return loc
}
