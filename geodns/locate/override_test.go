package locate

import (
	"net/netip"
	"strings"
	"testing"

	"landfall"
)

func helsinki() landfall.Place { return landfall.Place{Lat: 60.17, Lon: 24.94} }

func oslo() landfall.Place { return landfall.Place{Lat: 59.91, Lon: 10.75} }

func over(p string, place landfall.Place, country string) landfall.Override {
	return landfall.Override{Prefix: netip.MustParsePrefix(p), Place: place, Country: country}
}

func overASN(asn uint32, place landfall.Place, country string) landfall.Override {
	return landfall.Override{ASN: asn, Place: place, Country: country}
}

// testNumbers say who announces parts of the networks of testNetworks.
func testNumbers() []network {
	return []network{
		{prefix: "1.0.0.0/16", asn: 64500, org: "Example One"},
		{prefix: "2.0.0.0/8", asn: 64501, org: "Example Two"},
		{prefix: "9.0.0.0/8", asn: 64500, org: "Example One"},
		{prefix: "10.0.0.0/8", asn: 64502},
		{prefix: "2400:1::/32", asn: 64501, org: "Example Two"},
	}
}

func loadedBoth(t testing.TB, over ...landfall.Override) *Table {
	t.Helper()
	table, err := Load(Data{
		Places: makeDB(t, "Test-City", 6, testNetworks()), Networks: makeDB(t, "Test-ASN", 6, testNumbers()),
	}, over)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func TestOverridesWin(t *testing.T) {
	table := loadedBoth(t,
		over("1.0.0.0/8", helsinki(), "FI"), // wider than rows of the database, and as wide
		over("1.64.0.0/16", oslo(), ""),     // its country is not
		over("1.64.128.0/17", landfall.Place{}, ""),
		over("2.2.0.0/16", helsinki(), ""),
		over("200.0.0.0/8", oslo(), ""), // where the database has nothing
		over("4.4.0.0/16", landfall.Place{}, "SE"),
		over("2400:1:2::/48", helsinki(), "FI"),
		over("2400:1:2:3::/64", oslo(), "NO"),
		overASN(64500, oslo(), "NO"),
		overASN(64501, helsinki(), ""),
	)
	for addr, want := range map[string]struct {
		loc    landfall.Location
		prefix string
	}{
		"1.0.0.1":        {landfall.Location{Known: true, Place: helsinki(), Country: "FI", Continent: "EU", ASN: 64500}, "1.0.0.0/16"},
		"1.200.0.1":      {landfall.Location{Known: true, Place: helsinki(), Country: "FI", Continent: "EU"}, "1.128.0.0/9"},
		"1.64.0.1":       {landfall.Location{Known: true, Place: oslo(), Country: "FR", Continent: "EU"}, "1.64.0.0/17"},
		"1.64.128.1":     {landfall.Location{}, "1.64.128.0/17"}, // known not to be known
		"2.2.2.2":        {landfall.Location{Known: true, Place: helsinki(), Country: "US", Continent: "NA", ASN: 64501}, "2.0.0.0/8"},
		"200.1.1.1":      {landfall.Location{Known: true, Place: oslo()}, "200.0.0.0/8"},
		"4.4.1.1":        {landfall.Location{Known: true, Place: world()["SE"].place, Country: "SE", Continent: "EU"}, "4.4.0.0/16"},
		"9.1.1.1":        {landfall.Location{Known: true, Place: oslo(), Country: "NO", Continent: "EU", ASN: 64500}, "9.0.0.0/8"},
		"10.1.1.1":       {landfall.Location{ASN: 64502}, "10.0.0.0/8"},
		"2002:909::":     {landfall.Location{Known: true, Place: oslo(), Country: "NO", Continent: "EU", ASN: 64500}, "2002:900::/24"},
		"2400:1:2::1":    {landfall.Location{Known: true, Place: helsinki(), Country: "FI", Continent: "EU", ASN: 64501}, "2400:1:2::/63"},
		"2400:1:2:3::1":  {landfall.Location{Known: true, Place: oslo(), Country: "NO", Continent: "EU", ASN: 64501}, "2400:1:2:3::/64"},
		"2400:1:2:ff::1": {landfall.Location{Known: true, Place: helsinki(), Country: "FI", Continent: "EU", ASN: 64501}, "2400:1:2:80::/57"},
		"2400:1:3::1":    {landfall.Location{Known: true, Place: helsinki(), Country: "AU", Continent: "OC", ASN: 64501}, "2400:1:3::/48"},
	} {
		loc, prefix := table.Locate(netip.MustParseAddr(addr))
		if loc != want.loc || prefix.String() != want.prefix {
			t.Errorf("%s: %+v in %v, want %+v in %s", addr, loc, prefix, want.loc, want.prefix)
		}
	}
	if got := table.Organization(64501); got != "Example Two" {
		t.Errorf("AS64501 is %q", got)
	}
}

func TestBadOverridesAreToldAtOnce(t *testing.T) {
	_, err := Load(Data{Places: makeDB(t, "Test-City", 6, testNetworks())}, []landfall.Override{
		over("1.2.3.4/8", oslo(), ""),
		over("::ffff:1.0.0.0/104", oslo(), ""),
		over("2002:100::/24", oslo(), ""),
		over("3.0.0.0/8", landfall.Place{Lat: 91}, ""),
		over("4.0.0.0/8", oslo(), "ZZ"),
		overASN(64500, oslo(), ""),
		{},
	})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		"1.2.3.4/8: it has bits beyond its length: want 1.0.0.0/8",
		"::ffff:1.0.0.0/104: write IPv4 networks as such: 1.0.0.0/8",
		"2002:100::/24: write IPv4 networks as such: 1.0.0.0/8",
		"3.0.0.0/8: place 91,0 is not on the Earth",
		`4.0.0.0/8: "ZZ" is no country's code`,
		"AS64500: nobody knows who is in this network: name a database",
		"everybody: it is about nobody",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %q", want, err)
		}
	}
}
