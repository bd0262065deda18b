package lab

import (
	"bytes"
	"fmt"
	"net"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"
)

// Database is a geographic database in MaxMind's format (GeoLite2-City) that
// knows where the hosts are and nothing else.
func (l *Lab) Database() ([]byte, error) {
	tree, err := mmdbwriter.New(mmdbwriter.Options{
		DatabaseType: "GeoLite2-City",
		Description:  map[string]string{"en": "The hosts of a lab. No MaxMind data."},
		Languages:    []string{"en"},
		RecordSize:   24,
		// Addresses for documentation are as good as any here.
		IncludeReservedNetworks: true,
	})
	if err != nil {
		return nil, fmt.Errorf("geographic database: %w", err)
	}
	for _, h := range l.config.Hosts {
		place := l.config.Places[h.Place]
		record := mmdbtype.Map{
			"location": mmdbtype.Map{"latitude": mmdbtype.Float64(place.Lat), "longitude": mmdbtype.Float64(place.Lon)},
		}
		for _, a := range h.Addresses {
			one := &net.IPNet{IP: a.AsSlice(), Mask: net.CIDRMask(a.BitLen(), a.BitLen())}
			if err := tree.Insert(one, record); err != nil {
				return nil, fmt.Errorf("geographic database: %v: %w", a, err)
			}
		}
	}
	var b bytes.Buffer
	if _, err := tree.WriteTo(&b); err != nil {
		return nil, fmt.Errorf("geographic database: %w", err)
	}
	return b.Bytes(), nil
}
