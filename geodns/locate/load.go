package locate

import (
	"errors"
	"fmt"

	"landfall"
	"landfall/geodns/prefix"

	"github.com/oschwald/geoip2-golang/v2"
	"github.com/oschwald/maxminddb-golang/v2"
)

// Data are databases in memory, as Sources name them.
type Data struct {
	Places   []byte
	Networks []byte // nil: networks have no numbers
}

// Open reads and flattens the databases in files. They are read whole, not
// mapped: a mapped file that somebody shortens kills the process. Every error
// names the file, or the override, and the cure.
func Open(s Sources, over []landfall.Override) (*Table, error) {
	if s.Places == "" {
		return nil, errors.New("geo database: no file is named")
	}
	var t *Table
	for _, file := range s.list() {
		var err error
		if t, err = file.into(t); err != nil {
			return nil, err
		}
	}
	return t.strictly(over)
}

// Load flattens databases in memory. The Table keeps nothing of them.
func Load(d Data, over []landfall.Override) (*Table, error) {
	t, err := (*Table)(nil).withPlaces("", d.Places)
	if err != nil {
		return nil, err
	}
	if d.Networks != nil {
		if t, err = t.withNetworks("", d.Networks); err != nil {
			return nil, err
		}
	}
	return t.strictly(over)
}

// withPlaces is t with places by another database, and without overrides.
func (t *Table) withPlaces(path string, data []byte) (*Table, error) {
	l := loader{book: bookOf(nil), world: world(), table: *t.bare()}
	l.table.about.Faults = 0
	if err := l.loadPlaces(data); err != nil {
		return nil, fmt.Errorf("geo database%s: %w", named(path), err)
	}
	l.table.locations = l.locations
	return &l.table, nil
}

// withNetworks is t with networks by another database, and without overrides.
func (t *Table) withNetworks(path string, data []byte) (*Table, error) {
	l := loader{table: *t.bare()}
	if err := l.loadNetworks(data); err != nil {
		return nil, fmt.Errorf("network database%s: %w", named(path), err)
	}
	return &l.table, nil
}

func named(path string) string {
	if path == "" {
		return ""
	}
	return " " + path
}

// loader makes a Table.
type loader struct {
	*book
	world map[string]country
	table Table
}

func (l *loader) loadPlaces(data []byte) error {
	db, err := openDatabase(data, "places", "use a City or Country database", "City", "Country", "Enterprise")
	if err != nil {
		return err
	}
	defer db.Close()
	leaves, err := db.leaves(func(r maxminddb.Result) (uint32, error) {
		var record geoip2.City
		if err := r.Decode(&record); err != nil {
			return 0, err
		}
		return l.intern(l.location(&record)), nil
	})
	if err != nil {
		return err
	}
	if len(l.locations) == 1 {
		return errors.New("no network in it has a place: use a City or Country database")
	}
	l.table.places = prefix.Build(leaves)
	l.table.about.Places = db.about()
	return nil
}

func (l *loader) loadNetworks(data []byte) error {
	db, err := openDatabase(data, "networks", "use an ASN database", "ASN", "ISP")
	if err != nil {
		return err
	}
	defer db.Close()
	l.table.organizations = map[uint32]string{}
	numbered := false
	leaves, err := db.leaves(func(r maxminddb.Result) (uint32, error) {
		var record geoip2.ASN
		if err := r.Decode(&record); err != nil {
			return 0, err
		}
		asn := uint32(record.AutonomousSystemNumber)
		if uint(asn) != record.AutonomousSystemNumber {
			return 0, fmt.Errorf("%d is not the number of a network", record.AutonomousSystemNumber)
		}
		numbered = numbered || asn != 0
		if name := record.AutonomousSystemOrganization; asn != 0 && name != "" {
			l.table.organizations[asn] = name
		}
		return asn, nil
	})
	if err != nil {
		return err
	}
	if !numbered {
		return errors.New("no network in it has a number: use an ASN database")
	}
	l.table.networks = prefix.Build(leaves)
	l.table.about.Networks = db.about()
	return nil
}

// location is what a record says, without what a place cannot be made of. No
// coordinates and 0,0 in the sea, which some makers write, are the same.
func (l *loader) location(r *geoip2.City) landfall.Location {
	code := r.Country.ISOCode
	if code == "" {
		code = r.RegisteredCountry.ISOCode
	}
	at, known := l.world[code]
	loc := landfall.Location{Known: true, Country: code, Continent: r.Continent.Code, City: r.City.Names.English}
	if loc.Continent == "" {
		loc.Continent = at.continent
	}
	if lat, lon := r.Location.Latitude, r.Location.Longitude; lat != nil && lon != nil && (*lat != 0 || *lon != 0) {
		if loc.Place = (landfall.Place{Lat: *lat, Lon: *lon}); loc.Place.Valid() {
			return loc
		}
		l.table.about.Faults++
	}
	if loc.Place = at.place; known {
		return loc
	}
	loc.Place, loc.Known = continentPlace(r.Continent.Code)
	return loc
}
