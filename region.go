package landfall

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// RegionID names a region: a short label such as "fra".
type RegionID string

// Region is a part of the world with nodes in it.
type Region struct {
	ID    RegionID `json:"id"`
	Title string   `json:"title,omitempty"` // for people: "Frankfurt"
	Place Place    `json:"place"`
	Home  bool     `json:"home,omitempty"` // the one region that holds the data
}

// Place is a point on the Earth, in degrees; north and east are positive.
type Place struct {
	Lat float64 `json:"lat"`
	Lon float64 `json:"lon"`
}

// ParsePlace reads "LAT,LON" in degrees, such as "40.71,-74.01".
func ParsePlace(s string) (Place, error) {
	lat, lon, ok := strings.Cut(s, ",")
	if !ok {
		return Place{}, fmt.Errorf("place %q: want LAT,LON such as 40.71,-74.01", s)
	}
	var p Place
	var err error
	if p.Lat, err = strconv.ParseFloat(strings.TrimSpace(lat), 64); err != nil {
		return Place{}, fmt.Errorf("place %q: latitude %q is not a number", s, lat)
	}
	if p.Lon, err = strconv.ParseFloat(strings.TrimSpace(lon), 64); err != nil {
		return Place{}, fmt.Errorf("place %q: longitude %q is not a number", s, lon)
	}
	if !p.Valid() {
		return Place{}, fmt.Errorf("place %q: latitude goes from -90 to 90 and longitude from -180 to 180", s)
	}
	return p, nil
}

// String is the form that ParsePlace reads.
func (p Place) String() string {
	return strconv.FormatFloat(p.Lat, 'f', -1, 64) + "," + strconv.FormatFloat(p.Lon, 'f', -1, 64)
}

// Valid reports whether p is a point on the Earth.
func (p Place) Valid() bool {
	return p.Lat >= -90 && p.Lat <= 90 && p.Lon >= -180 && p.Lon <= 180
}

// earthRadius is the mean radius of the Earth in kilometres.
const earthRadius = 6371.0088

// Distance is the length in kilometres of the great circle from p to q, by
// the haversine formula, which stays exact for points close together.
func (p Place) Distance(q Place) float64 {
	const rad = math.Pi / 180
	sinLat := math.Sin((q.Lat - p.Lat) * rad / 2)
	sinLon := math.Sin((q.Lon - p.Lon) * rad / 2)
	h := sinLat*sinLat + math.Cos(p.Lat*rad)*math.Cos(q.Lat*rad)*sinLon*sinLon
	return 2 * earthRadius * math.Asin(math.Sqrt(min(h, 1)))
}

// Location is what is known about where an address is.
type Location struct {
	Known     bool   // false: no place is known, and of the other fields only ASN may be told
	Place     Place  // a point to measure distance from
	Country   string // ISO 3166-1 alpha-2, such as "DE"; may be empty
	Continent string // two letters as in MaxMind's databases, such as "EU"; may be empty
	City      string // in English; may be empty
	ASN       uint32 // number of the announcing network; 0 is unknown
}
