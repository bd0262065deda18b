package atlas

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"

	"landfall"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"
)

// built is when the database says it was made: the same each time.
const built = 1_412_726_400 // 2014-10-08

// WriteMMDB writes the database of the world: of type City, with names,
// countries, continents and coordinates.
func (w *World) WriteMMDB(file string) error {
	tree, err := mmdbwriter.New(mmdbwriter.Options{
		BuildEpoch: built, DatabaseType: "GeoLite2-City", Description: map[string]string{"en": "a world made up to measure name servers in"}, Languages: []string{"en"},
		IncludeReservedNetworks: true, RecordSize: 28,
	})
	if err != nil {
		return err
	}
	records := map[int]mmdbtype.Map{}
	for _, l := range w.all() {
		if l.city == nowhere {
			continue
		}
		if records[l.city] == nil {
			records[l.city] = record(w.Location(l))
		}
		if err := tree.Insert(ipNet(l.Prefix), records[l.city]); err != nil {
			return fmt.Errorf("%v: %w", l.Prefix, err)
		}
	}
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	b := bufio.NewWriterSize(f, 1<<20)
	_, err = tree.WriteTo(b)
	return errors.Join(err, b.Flush(), f.Close())
}

// all are the leaves of both families, the wider before what is nested in them.
func (w *World) all() []Leaf { return slices.Concat(w.IPv4, w.IPv6) }

func record(l landfall.Location) mmdbtype.Map {
	return mmdbtype.Map{
		"city":      mmdbtype.Map{"names": mmdbtype.Map{"en": mmdbtype.String(l.City)}},
		"continent": mmdbtype.Map{"code": mmdbtype.String(l.Continent)},
		"country":   mmdbtype.Map{"iso_code": mmdbtype.String(l.Country)},
		"location": mmdbtype.Map{
			"latitude": mmdbtype.Float64(l.Place.Lat), "longitude": mmdbtype.Float64(l.Place.Lon),
			"accuracy_radius": mmdbtype.Uint16(50),
		},
	}
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}
