package geomap

import (
	"math"
	"testing"

	"landfall"
)

func TestUnprojectUndoesProject(t *testing.T) {
	for lat := -89.0; lat <= 89; lat += 4.45 {
		for lon := -179.0; lon <= 179; lon += 7.3 {
			p := landfall.Place{Lat: lat, Lon: lon}
			got, ok := unproject(project(p))
			if !ok || math.Abs(got.Lat-lat) > 1e-9 || math.Abs(got.Lon-lon) > 1e-9 {
				t.Fatalf("%v became %v, %v", p, got, ok)
			}
		}
	}
	for _, at := range [][2]float64{{3, 0}, {0, 2}, {2.5, 1.2}, {math.NaN(), 0}, {0, math.Inf(1)}} {
		if p, ok := unproject(at[0], at[1]); ok {
			t.Errorf("%v is %v, and lies outside of the world", at, p)
		}
	}
}

// TestAreasAreAsLargeAsOnTheGlobe: between two parallels and two meridians.
func TestAreasAreAsLargeAsOnTheGlobe(t *testing.T) {
	for lat := -80.0; lat < 80; lat += 5 {
		const d = 0.01
		_, south := project(landfall.Place{Lat: lat})
		_, north := project(landfall.Place{Lat: lat + d})
		east, _ := project(landfall.Place{Lat: lat + d/2, Lon: d})
		got := (north - south) * east
		want := (math.Sin(radians(lat+d)) - math.Sin(radians(lat))) * radians(d)
		if math.Abs(got/want-1) > 1e-6 {
			t.Errorf("at %v the area is %v of the true one", lat, got/want)
		}
	}
}

func TestCoastsAreTheWorlds(t *testing.T) {
	rings, err := coasts(coastText)
	if err != nil {
		t.Fatal(err)
	}
	land := func(p landfall.Place) bool {
		in := false
		for _, r := range rings {
			for i, a := range r {
				b := r[(i+1)%len(r)]
				if (a.Lat > p.Lat) != (b.Lat > p.Lat) && p.Lon < (b.Lon-a.Lon)*(p.Lat-a.Lat)/(b.Lat-a.Lat)+a.Lon {
					in = !in
				}
			}
		}
		return in
	}
	for place, want := range map[landfall.Place]bool{
		{Lat: 50, Lon: 10}: true, {Lat: 66, Lon: -173}: true, {Lat: 65, Lon: 170}: true, {Lat: -25, Lon: 135}: true, {Lat: 40, Lon: -100}: true,
		{Lat: 0, Lon: -30}: false, {Lat: 30, Lon: -170}: false, {Lat: -40, Lon: 80}: false, {Lat: 70, Lon: 0}: false, {Lat: 66, Lon: -40}: true,
	} {
		if land(place) != want {
			t.Errorf("%v: land is %v", place, !want)
		}
	}
	for i, r := range rings {
		for j, p := range r {
			if q := r[(j+1)%len(r)]; math.Abs(p.Lon-q.Lon) > 90 {
				t.Errorf("line %d leaps from %v to %v", i, p, q)
			}
		}
	}
	for _, bad := range []string{"1", "1,x", "x,1", "0,9999"} {
		if _, err := coasts(bad); err == nil {
			t.Errorf("%q is read as a coast", bad)
		}
	}
}
