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
	asn    uint32
	org    string
	short  bool // coordinates of 32 bits
	wide   bool // a number of 64 bits
}

func at(lat, lon float64) *landfall.Place { return &landfall.Place{Lat: lat, Lon: lon} }

// testNetworks are a small world; later rows lie over earlier ones.
func testNetworks() []network {
	return []network{
		{prefix: "1.0.0.0/8", place: at(50.11, 8.68), iso: "DE", cont: "EU", city: "Frankfurt am Main"},
		{prefix: "1.64.0.0/10", place: at(48.86, 2.35), iso: "FR", cont: "EU", city: "Paris"},
		{prefix: "1.128.0.0/9", place: at(50.11, 8.68), iso: "DE", cont: "EU", city: "Frankfurt am Main"},
		{prefix: "2.0.0.0/9", place: at(40.71, -74.01), iso: "US", cont: "NA", city: "New York"},
		{prefix: "2.128.0.0/9", place: at(40.71, -74.01), iso: "US", cont: "NA", city: "New York"},
		{prefix: "3.3.3.3/32", place: at(1.35, 103.82), iso: "SG", cont: "AS", city: "Singapore"},
		{prefix: "4.0.0.0/16", place: nil, iso: "JP", cont: "AS", city: ""},
		{prefix: "5.0.0.0/16", place: nil, iso: "", cont: "OC", city: ""},
		{prefix: "6.0.0.0/16", place: nil, iso: "", cont: "", city: ""},
		{prefix: "7.0.0.0/16", place: at(99, 999), iso: "SE", cont: "EU", city: "Nowhere"},
		{prefix: "2400::/12", place: at(1.35, 103.82), iso: "SG", cont: "AS", city: "Singapore"},
		{prefix: "2400:1::/32", place: at(-33.87, 151.21), iso: "AU", cont: "OC", city: "Sydney"},
		{prefix: "2a00:0:0:1::/64", place: at(50.11, 8.68), iso: "DE", cont: "EU", city: "Frankfurt am Main"},
		{prefix: "2a00:0:0:2::1/128", place: at(48.86, 2.35), iso: "FR", cont: "EU", city: "Paris"},
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
	if r.asn != 0 {
		m["autonomous_system_number"] = mmdbtype.Uint32(r.asn)
	}
	if r.wide {
		m["autonomous_system_number"] = mmdbtype.Uint64(1) << 32
	}
	if r.org != "" {
		m["autonomous_system_organization"] = mmdbtype.String(r.org)
	}
	if r.iso != "" {
		m["country"] = mmdbtype.Map{"iso_code": mmdbtype.String(r.iso)}
	}
	if r.cont != "" {
		m["continent"] = mmdbtype.Map{"code": mmdbtype.String(r.cont)}
	}
	if r.city != "" {
		m["city"] = mmdbtype.Map{"names": mmdbtype.Map{"en": mmdbtype.String(r.city)}}
	}
	switch {
	case r.place != nil && r.short:
		m["location"] = mmdbtype.Map{"latitude": mmdbtype.Float32(r.place.Lat), "longitude": mmdbtype.Float32(r.place.Lon)}
	case r.place != nil:
		m["location"] = mmdbtype.Map{"latitude": mmdbtype.Float64(r.place.Lat), "longitude": mmdbtype.Float64(r.place.Lon)}
	}
	return m
}

func loaded(t testing.TB, rows []network, over ...landfall.Override) *Table {
	t.Helper()
	table, err := Load(Data{Places: makeDB(t, "Test-City", 6, rows)}, over)
	if err != nil {
		t.Fatal(err)
	}
	return table
}
