package locate

import (
	"net/netip"
	"strings"
	"testing"

	"landfall"

	"github.com/maxmind/mmdbwriter"
)

func TestLocate(t *testing.T) {
	tests := []struct{ addr, want, prefix string }{
		{"1.0.0.1", "DE Frankfurt am Main", "1.0.0.0/10"},
		{"1.63.255.255", "DE Frankfurt am Main", "1.0.0.0/10"},
		{"1.64.0.0", "FR Paris", "1.64.0.0/10"},
		{"1.128.0.0", "DE Frankfurt am Main", "1.128.0.0/9"},
		{"1.255.255.255", "DE Frankfurt am Main", "1.128.0.0/9"},
		{"2.1.1.1", "US New York", "2.0.0.0/8"}, // two rows of the same
		{"3.3.3.3", "SG Singapore", "3.3.3.3/32"},
		{"3.3.3.2", "", "3.3.3.2/32"},
		{"3.3.3.1", "", "3.3.3.0/31"},
		{"0.0.0.0", "", "0.0.0.0/8"},
		{"255.255.255.255", "", "128.0.0.0/1"},
		{"4.0.200.1", "JP", "4.0.0.0/16"},
		{"5.0.0.1", " OC", "5.0.0.0/16"},
		{"6.0.0.1", "", "6.0.0.0/8"},            // a record without a place is unknown space
		{"7.0.0.1", "SE Nowhere", "7.0.0.0/16"}, // not on the Earth: Sweden then
		{"::ffff:1.64.0.0", "FR Paris", "::ffff:1.64.0.0/106"},
		{"2400::1", "SG Singapore", "2400::/32"},
		{"2400:1::1", "AU Sydney", "2400:1::/32"},
		{"2400:8000::1", "SG Singapore", "2400:8000::/17"},
		{"2a00:0:0:1::ff", "DE Frankfurt am Main", "2a00:0:0:1::/64"},
		{"2a00:0:0:1::ff%eth0", "DE Frankfurt am Main", "2a00:0:0:1::/64"},
		{"2a00:0:0:2::1", "FR Paris", "2a00:0:0:2::1/128"},
		{"2a00:0:0:2::2", "", "2a00:0:0:2::2/127"},
		{"2002:0140::1", "FR Paris", "2002:140::/26"},
		{"64:ff9b::1.64.0.0", "FR Paris", "64:ff9b::140:0/106"},
		{"64:ff9b:1::1.64.0.0", "", "64:ff9b:1::/48"}, // each network has its own IPv4 there
		{"::1", "", "::/81"},                          // not as far as where mapped addresses begin
		{"::1.64.0.0", "", "::/81"},                   // where databases keep IPv4 is not where IPv6 clients are
		{"ffff::", "", "8000::/1"},
	}
	table := loaded(t, testNetworks())
	for _, tt := range tests {
		loc, prefix := table.Locate(netip.MustParseAddr(tt.addr))
		got := strings.TrimSuffix(loc.Country+" "+loc.City, " ")
		if loc.Country == "" && loc.Known {
			got = " " + loc.Continent
		}
		if got != tt.want || prefix.String() != tt.prefix {
			t.Errorf("%s: %q in %v, want %q in %s", tt.addr, got, prefix, tt.want, tt.prefix)
		}
		if loc.Known && !loc.Place.Valid() || loc.Known && loc.Place == (landfall.Place{}) {
			t.Errorf("%s: place %v", tt.addr, loc.Place)
		}
	}
	if loc, prefix := table.Locate(netip.Addr{}); loc.Known || prefix.IsValid() {
		t.Errorf("no address: %v in %v", loc, prefix)
	}
	for _, empty := range []*Table{nil, {}} {
		if loc, prefix := empty.Locate(netip.MustParseAddr("1.2.3.4")); loc.Known || prefix.String() != "0.0.0.0/0" {
			t.Errorf("empty table: %v in %v", loc, prefix)
		}
	}
}

func TestCountriesArePlaces(t *testing.T) {
	table := loaded(t, testNetworks())
	loc, _ := table.Locate(netip.MustParseAddr("4.0.0.1"))
	if tokyo := (landfall.Place{Lat: 35.68, Lon: 139.69}); loc.Place.Distance(tokyo) > 1000 {
		t.Errorf("Japan is at %v", loc.Place)
	}
	codes, all := map[string]bool{}, world()
	for line := range strings.Lines(countries) {
		code := strings.Fields(line)[0]
		c, ok := all[code]
		_, known := continentPlace(c.continent)
		if !ok || !known || !c.place.Valid() || len(code) != 2 || codes[code] {
			t.Errorf("line %q: %v, %v", line, c, ok)
		}
		codes[code] = true
	}
	if len(codes) != 250 {
		t.Errorf("%d countries, want the 249 of ISO 3166-1 and Kosovo", len(codes))
	}
	for _, code := range []string{"AF", "AN", "AS", "EU", "NA", "OC", "SA"} {
		if p, ok := continentPlace(code); !ok || !p.Valid() {
			t.Errorf("continent %s: %v, %v", code, p, ok)
		}
	}
}

func TestKindsOfDatabases(t *testing.T) {
	places, numbers := makeDB(t, "Test-City", 6, testNetworks()), testNumbers()
	for _, kind := range []string{"GeoLite2-City", "GeoIP2-Country", "GeoIP2-Enterprise", "DBIP-City-Lite", "DBIP-Country"} {
		if table, err := Load(Data{Places: makeDB(t, kind, 6, testNetworks())}, nil); err != nil || table.About().Places.Type != kind {
			t.Errorf("%s: %v", kind, err)
		}
	}
	for _, kind := range []string{"GeoLite2-ASN", "GeoIP2-ISP", "DBIP-ASN-Lite (compat=GeoLite2-ASN)"} {
		for _, version := range []int{4, 6} {
			table, err := Load(Data{Places: places, Networks: makeDB(t, kind, version, numbers)}, nil)
			if err != nil {
				t.Fatalf("%s: %v", kind, err)
			}
			loc, prefix := table.Locate(netip.MustParseAddr("1.0.3.4"))
			if loc.ASN != 64500 || prefix.String() != "1.0.0.0/16" || table.Organization(loc.ASN) != "Example One" || table.About().Networks.Type != kind {
				t.Errorf("%s: %v in %v", kind, loc, prefix)
			}
		}
	}
	table, err := Load(Data{Places: makeDB(t, "GeoLite2-City", 4, testNetworks())}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if loc, prefix := table.Locate(netip.MustParseAddr("1.64.0.0")); loc.City != "Paris" || prefix.String() != "1.64.0.0/10" {
		t.Errorf("database of IPv4 alone: %v in %v", loc, prefix)
	}
	if loc, prefix := table.Locate(netip.MustParseAddr("2400::1")); loc.Known || prefix.String() != "2400::/6" {
		t.Errorf("database of IPv4 alone: %v in %v", loc, prefix)
	}
}

// Some makers write coordinates as short numbers, and 0,0 for none.
func TestCoordinatesOfOtherMakers(t *testing.T) {
	rows := testNetworks()
	rows[0].short = true
	rows = append(rows, network{prefix: "8.0.0.0/8", place: at(0, 0), iso: "ZZ", cont: "ZZ"}, network{prefix: "9.0.0.0/8", place: at(0, 0), iso: "SE"})
	table := loaded(t, rows)
	for addr, want := range map[string]landfall.Place{"1.1.1.1": {Lat: 50.11, Lon: 8.68}, "8.8.8.8": {}, "9.9.9.9": world()["SE"].place} {
		loc, _ := table.Locate(netip.MustParseAddr(addr))
		if loc.Place.Distance(want) > 1 || loc.Known != (want != landfall.Place{}) {
			t.Errorf("%s: %+v, want %v", addr, loc, want)
		}
	}
}

// A network of the IPv6 tree may be so wide that all IPv4 addresses are in it.
func TestWideNetworkHoldsIPv4(t *testing.T) {
	rows := []network{{prefix: "::/8", place: at(50.11, 8.68), iso: "DE", cont: "EU", city: "Frankfurt am Main"}}
	table, err := Load(Data{Places: makeDB(t, "Test-City", 6, rows, func(o *mmdbwriter.Options) { o.DisableIPv4Aliasing = true })}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for addr, want := range map[string]string{"1.2.3.4": "0.0.0.0/0", "::1": "::/8"} {
		if loc, prefix := table.Locate(netip.MustParseAddr(addr)); loc.Country != "DE" || prefix.String() != want {
			t.Errorf("%s: %v in %v, want DE in %s", addr, loc, prefix, want)
		}
	}
}

func TestSize(t *testing.T) {
	table := loaded(t, testNetworks())
	if v4, v6 := table.Places().Len(); v4 < 20 || v6 < 20 || table.Locations() != 8 {
		t.Errorf("%d prefixes, %d prefixes, %d locations", v4, v6, table.Locations())
	}
}

// A description is for people: a database without one is as good.
func TestDatabaseNeedsNoDescription(t *testing.T) {
	table, err := Load(Data{Places: makeDB(t, "Test-City", 6, testNetworks(), func(o *mmdbwriter.Options) { o.Description = map[string]string{} })}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if loc, _ := table.Locate(netip.MustParseAddr("1.1.1.1")); loc.Country != "DE" {
		t.Errorf("got %+v", loc)
	}
}
