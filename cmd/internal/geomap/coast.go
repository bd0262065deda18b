package geomap

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"

	"landfall"
)

//go:embed coast.txt
var coastText string

// coasts reads closed lines of places; the format is told in coast.txt.
func coasts(text string) ([][]landfall.Place, error) {
	var out [][]landfall.Place
	n := 0
	for line := range strings.Lines(text) {
		n++
		if strings.HasPrefix(line, "#") {
			continue
		}
		var ring []landfall.Place
		lon, lat := 0, 0
		for word := range strings.FieldsSeq(line) {
			x, y, _ := strings.Cut(word, ",")
			dx, err := strconv.Atoi(x)
			dy, err2 := strconv.Atoi(y)
			if err != nil || err2 != nil {
				return nil, fmt.Errorf("coast.txt:%d: %q is not a point", n, word)
			}
			lon, lat = lon+dx, lat+dy
			p := landfall.Place{Lat: float64(lat) / 10, Lon: float64(lon) / 10}
			if !p.Valid() {
				return nil, fmt.Errorf("coast.txt:%d: %v is not on the Earth", n, p)
			}
			ring = append(ring, p)
		}
		out = append(out, ring)
	}
	return out, nil
}
