package locate

import (
	_ "embed"
	"strings"

	"landfall"
)

// countries has a line for each country of ISO 3166-1, and Kosovo: its code,
// its continent, and a point near the middle of its people, not of its area,
// for what is wanted is the way that most of its packets have to go.
//
//go:embed countries.txt
var countries string

// country is a line of countries.
type country struct {
	continent string
	place     landfall.Place
}

// world reads countries, by code.
func world() map[string]country {
	out := make(map[string]country, 256)
	for line := range strings.Lines(countries) {
		f := strings.Fields(line)
		if place, err := landfall.ParsePlace(f[2] + "," + f[3]); err == nil {
			out[f[0]] = country{f[1], place}
		}
	}
	return out
}

// continentPlace is where to measure from when not even the country is told.
func continentPlace(code string) (landfall.Place, bool) {
	switch code {
	case "AF":
		return landfall.Place{Lat: 8, Lon: 18}, true
	case "AN":
		return landfall.Place{Lat: -77.8, Lon: 166.7}, true
	case "AS":
		return landfall.Place{Lat: 26, Lon: 96}, true
	case "EU":
		return landfall.Place{Lat: 50, Lon: 12}, true
	case "NA":
		return landfall.Place{Lat: 36, Lon: -93}, true
	case "OC":
		return landfall.Place{Lat: -31, Lon: 152}, true
	case "SA":
		return landfall.Place{Lat: -17, Lon: -55}, true
	}
	return landfall.Place{}, false
}
