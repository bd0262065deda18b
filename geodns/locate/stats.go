package locate

import "time"

// Stats are the counters of a File.
type Stats struct {
	Loads     uint64             `metric:"loads_total" help:"Tables made of databases and overrides."`
	Refused   uint64             `metric:"refused_total" help:"Versions of databases, and sets of overrides, of which something could not be used."`
	Leaves    map[string]int64   `metric:"leaves" label:"family" help:"Prefixes of one place each."`
	Locations int64              `metric:"locations" help:"Different places."`
	Networks  int64              `metric:"networks" help:"Networks whose name is known."`
	Faults    int64              `metric:"records_off_the_earth" help:"Records whose coordinates are not on the Earth; their country's middle is taken."`
	Bytes     int64              `metric:"table_bytes" help:"Memory that the look-up tables take."`
	Built     map[string]float64 `metric:"database_built_seconds" label:"database" help:"When a database was made by its maker, in seconds of Unix time."`
	Stale     map[string]float64 `metric:"database_age_seconds" label:"database" help:"Time since a database was made by its maker."`
}

// Stats are the counters of now. Ages are as of now, too.
func (f *File) Stats() Stats {
	f.mu.Lock()
	s := f.stats
	t := f.table
	f.mu.Unlock()
	s.Built, s.Stale = map[string]float64{}, map[string]float64{}
	about := t.About()
	for name, db := range map[string]Database{"places": about.Places, "networks": about.Networks} {
		if !db.Built.IsZero() && !db.Coarse() {
			s.Built[name] = float64(db.Built.Unix())
			s.Stale[name] = time.Since(db.Built).Seconds()
		}
	}
	return s
}

// describe fills in what stays the same as long as a Table is used.
func (s *Stats) describe(t *Table) {
	v4, v6 := t.places.Len()
	s.Leaves = map[string]int64{"ipv4": int64(v4), "ipv6": int64(v6)}
	s.Locations = int64(t.Locations())
	s.Networks = int64(len(t.organizations))
	s.Faults = int64(t.about.Faults)
	s.Bytes = int64(t.places.Bytes() + t.networks.Bytes())
}
