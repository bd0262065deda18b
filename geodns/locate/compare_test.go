package locate

import (
	"net/netip"
	"testing"

	"landfall"
)

func TestCompare(t *testing.T) {
	p := netip.MustParsePrefix
	at := func(lat float64, country string) landfall.Location {
		return landfall.Location{Known: true, Place: landfall.Place{Lat: lat}, Country: country}
	}
	was := Of(map[netip.Prefix]landfall.Location{
		p("1.0.0.0/8"): at(50, "DE"), p("2.0.0.0/8"): at(40, "ES"), p("3.0.0.0/8"): at(30, "MA"), p("4.0.0.0/8"): at(20, "ML"),
		p("2400::/16"): at(1, "SG"), p("2600::/16"): at(2, "MY"),
	})
	is := Of(map[netip.Prefix]landfall.Location{
		p("1.0.0.0/8"): at(50.5, "DE"), // a walk
		p("2.0.0.0/9"): at(45, "ES"), p("2.128.0.0/9"): at(40, "PT"), p("3.0.0.0/8"): at(30, "MA"), p("5.0.0.0/8"): at(20, "ML"),
		p("2400::/16"): at(1, "SG"), p("2600::/16"): at(2, "ID"),
	})
	d := Compare(was, is, 100)
	if d.V4.Known != 5<<24 || d.V4.Moved != 3<<24 || d.V4.Share() != 0.6 {
		t.Errorf("IPv4: %+v", d.V4)
	}
	if d.V6.Known != 2 || d.V6.Moved != 1 {
		t.Errorf("IPv6: %+v", d.V6)
	}
	want := []struct {
		from, to string
		size     float64
	}{{"ML", "", 1 << 24}, {"", "ML", 1 << 24}, {"ES", "ES", 1 << 23}, {"ES", "PT", 1 << 23}, {"MY", "ID", 0}}
	if len(d.Largest) != len(want) {
		t.Fatalf("moves: %+v", d.Largest)
	}
	for i, w := range want {
		if m := d.Largest[i]; m.From.Country != w.from || m.To.Country != w.to || m.Addresses != w.size || m.Prefixes != 1 {
			t.Errorf("move %d: %+v", i, m)
		}
	}
	if d := Compare(was, was, 0); d.V4.Moved != 0 || d.V6.Moved != 0 || len(d.Largest) != 0 {
		t.Errorf("nothing moved: %+v", d)
	}
	if d := Compare(nil, was, 0); d.V4.Share() != 1 || d.V6.Share() != 1 {
		t.Errorf("all is new: %+v", d)
	}
	if d := Compare(nil, nil, 0); d.V4.Share() != 0 {
		t.Errorf("nothing is known: %+v", d)
	}
}
