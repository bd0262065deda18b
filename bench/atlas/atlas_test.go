package atlas

import (
	"path/filepath"
	"testing"

	"landfall/geodns/locate"
)

// The counts are of GeoLite2-Country of 2014-10-08; how near a world has to
// come is in per cent.
func TestWorldIsLikeTheDatabaseItImitates(t *testing.T) {
	for seed := uint64(1); seed <= 3; seed++ {
		w, err := New(seed)
		if err != nil {
			t.Fatal(err)
		}
		c := w.Census()
		t.Logf("seed %d: %v", seed, c)
		for _, count := range []struct {
			of             string
			got, want, per int
		}{
			{"leaves", c.Leaves, 178_050, 1}, {"ranges by country", c.Countries, 107_020, 7},
			{"ranges by continent", c.Continents, 37_686, 15}, {"prefixes for 3 regions", c.Regions, 63_696, 2},
			{"ranges for 3 regions", c.RegionRanges, 25_676, 25}, {"prefixes with unknown space joined", c.Joined, 49_743, 5},
		} {
			if off := 100 * (count.got - count.want); max(off, -off) > count.per*count.want {
				t.Errorf("seed %d: %d %s, want %d within %d %%", seed, count.got, count.of, count.want, count.per)
			}
		}
	}
}

func TestDatabaseSaysWhatTheWorldSays(t *testing.T) {
	w, err := New(1)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "city.mmdb")
	if err := w.WriteMMDB(file); err != nil {
		t.Fatal(err)
	}
	table, err := locate.Open(locate.Sources{Places: file}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(w.IPv4); i += 97 {
		l := w.IPv4[i]
		if got, _ := table.Locate(l.Prefix.Addr()); got != w.Location(l) {
			t.Errorf("%v: the database says %+v, the world %+v", l.Prefix, got, w.Location(l))
		}
	}
}
