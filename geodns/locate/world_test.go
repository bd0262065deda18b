package locate

import (
	"bytes"
	"net"
	"net/netip"
	"testing"

	"landfall"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"
)

// network is a row of a database made for a test.
type network struct {
	prefix string
	place  *landfall.Place // nil: the record has no coordinates
	iso    string
	cont   string
	city   string
}

func at(lat, lon float64) *landfall.Place { return &landfall.Place{Lat: lat, Lon: lon} }

// testNetworks are a small world; later rows lie over earlier ones.
func testNetworks() []network {
	return []network{
		{"1.0.0.0/8", at(50.11, 8.68), "DE", "EU", "Frankfurt am Main"},
		{"1.64.0.0/10", at(48.86, 2.35), "FR", "EU", "Paris"},
		{"1.128.0.0/9", at(50.11, 8.68), "DE", "EU", "Frankfurt am Main"},
		{"2.0.0.0/9", at(40.71, -74.01), "US", "NA", "New York"},
		{"2.128.0.0/9", at(40.71, -74.01), "US", "NA", "New York"},
		{"3.3.3.3/32", at(1.35, 103.82), "SG", "AS", "Singapore"},
		{"4.0.0.0/16", nil, "JP", "AS", ""},
		{"5.0.0.0/16", nil, "", "OC", ""},
		{"6.0.0.0/16", nil, "", "", ""},
		{"7.0.0.0/16", at(99, 999), "SE", "EU", "Nowhere"},
		{"2400::/12", at(1.35, 103.82), "SG", "AS", "Singapore"},
		{"2400:1::/32", at(-33.87, 151.21), "AU", "OC", "Sydney"},
		{"2a00:0:0:1::/64", at(50.11, 8.68), "DE", "EU", "Frankfurt am Main"},
		{"2a00:0:0:2::1/128", at(48.86, 2.35), "FR", "EU", "Paris"},
	}
}

// makeDB writes a database of a type with the rows.
func makeDB(t testing.TB, kind string, version int, rows []network, change ...func(*mmdbwriter.Options)) []byte {
	t.Helper()
	options := mmdbwriter.Options{
		DatabaseType: kind, IPVersion: version, IncludeReservedNetworks: true,
		Description: map[string]string{"en": "made by a test"},
		BuildEpoch:  1,
	}
	for _, f := range change {
		f(&options)
	}
	tree, err := mmdbwriter.New(options)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		p := netip.MustParsePrefix(r.prefix)
		if version == 4 && p.Addr().Is6() {
			continue
		}
		n := &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
		if err := tree.Insert(n, r.record()); err != nil {
			t.Fatal(err)
		}
	}
	var b bytes.Buffer
	if _, err := tree.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func (r network) record() mmdbtype.Map {
	m := mmdbtype.Map{}
	if r.iso != "" {
		m["country"] = mmdbtype.Map{"iso_code": mmdbtype.String(r.iso)}
	}
	if r.cont != "" {
		m["continent"] = mmdbtype.Map{"code": mmdbtype.String(r.cont)}
	}
	if r.city != "" {
		m["city"] = mmdbtype.Map{"names": mmdbtype.Map{"en": mmdbtype.String(r.city)}}
	}
	if r.place != nil {
		m["location"] = mmdbtype.Map{"latitude": mmdbtype.Float64(r.place.Lat), "longitude": mmdbtype.Float64(r.place.Lon)}
	}
	return m
}

func load(t testing.TB, rows []network, over Overrides) *Table {
	t.Helper()
	table, err := Load(makeDB(t, "Test-City", 6, rows), over)
	if err != nil {
		t.Fatal(err)
	}
	return table
}
