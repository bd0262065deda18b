package atlas

import (
	"cmp"
	_ "embed"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"landfall"
)

//go:embed places.txt
var placesText string

// city is where the clients of a leaf are.
type city struct {
	name    string
	country int // index in countries
	place   landfall.Place
	weight  float64 // its part of the country
}

type country struct {
	code, continent string
	share           float64 // of the addresses in use, in per cent
	cities          []int   // indices in cities
}

// earth is places.txt.
type earth struct {
	countries []country
	cities    []city
	near      [][]int // by city: the others nearest to it, on its continent
}

// neighbours is how many cities are near.
const neighbours = 4

func readEarth() (*earth, error) {
	e := &earth{}
	for i, line := range strings.Split(placesText, "\n") {
		if line == "" || line[0] == '#' {
			continue
		}
		read := e.country
		if line[0] == ' ' {
			read = e.city
		}
		if err := read(strings.Fields(line)); err != nil {
			return nil, fmt.Errorf("places.txt:%d: %w", i+1, err)
		}
	}
	for i := range e.cities {
		e.near = append(e.near, e.around(i))
	}
	return e, nil
}

// around finds the nearest other cities of a continent.
func (e *earth) around(i int) []int {
	var out []int
	for j, c := range e.cities {
		if j != i && e.countries[c.country].continent == e.countries[e.cities[i].country].continent {
			out = append(out, j)
		}
	}
	slices.SortFunc(out, func(a, b int) int {
		from := e.cities[i].place
		return cmp.Compare(from.Distance(e.cities[a].place), from.Distance(e.cities[b].place))
	})
	return out[:min(len(out), neighbours)]
}

// drawNear takes a city near another.
func (e *earth) drawNear(r *rand.Rand, city int) int {
	return e.near[city][r.IntN(len(e.near[city]))]
}

func (e *earth) country(f []string) error {
	if len(f) != 3 {
		return fmt.Errorf("%d fields: want country, continent and share", len(f))
	}
	share, err := strconv.ParseFloat(f[2], 64)
	e.countries = append(e.countries, country{code: f[0], continent: f[1], share: share})
	return err
}

func (e *earth) city(f []string) error {
	if len(f) != 4 || len(e.countries) == 0 {
		return fmt.Errorf("%d fields: want city, latitude, longitude and weight, below a country", len(f))
	}
	place, err := landfall.ParsePlace(f[1] + "," + f[2])
	if err != nil {
		return err
	}
	weight, err := strconv.ParseFloat(f[3], 64)
	last := len(e.countries) - 1
	e.countries[last].cities = append(e.countries[last].cities, len(e.cities))
	e.cities = append(e.cities, city{strings.ReplaceAll(f[0], "-", " "), last, place, weight})
	return err
}

// drawCountry takes a country by its share, or with a continent one of that
// continent, where small ones are likelier: they are many.
func (e *earth) drawCountry(r *rand.Rand, continent string) int {
	return draw(r, len(e.countries), func(i int) float64 {
		switch c := e.countries[i]; {
		case continent == "":
			return c.share
		case continent == c.continent:
			return 0.3 + c.share
		}
		return 0
	})
}

// drawCity takes a city of a country by its weight.
func (e *earth) drawCity(r *rand.Rand, country int) int {
	ids := e.countries[country].cities
	return ids[draw(r, len(ids), func(i int) float64 { return e.cities[ids[i]].weight })]
}

func draw(r *rand.Rand, n int, weight func(int) float64) int {
	sum := 0.0
	for i := range n {
		sum += weight(i)
	}
	at := r.Float64() * sum
	for i := range n {
		if at -= weight(i); at < 0 {
			return i
		}
	}
	return n - 1
}
