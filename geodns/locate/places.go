package locate

import (
	_ "embed"
	"strconv"
	"strings"

	"landfall"
)

// countries has a line for each country of ISO 3166-1, and Kosovo: its code
// and a point near the middle of its people, not of its area, for what is
// wanted is the way that most of its packets have to go.
//
//go:embed countries.txt
var countries string

// countryPlace is where to measure from when a database tells the country
// alone.
func countryPlace(code string) (landfall.Place, bool) {
	for line := range strings.Lines(countries) {
		if f := strings.Fields(line); f[0] == code {
			lat, err1 := strconv.ParseFloat(f[1], 64)
			lon, err2 := strconv.ParseFloat(f[2], 64)
			return landfall.Place{Lat: lat, Lon: lon}, err1 == nil && err2 == nil
		}
	}
	return landfall.Place{}, false
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
