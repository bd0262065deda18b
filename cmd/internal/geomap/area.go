package geomap

import (
	"fmt"
	"strings"

	"landfall"
)

// stripe is the height of the rows in which areas are found, and step the
// distance of the places that are asked in each; between two that differ the
// border is searched. An area narrower than a step may be missed.
const (
	stripe = 1.0
	step   = 6.0
)

// area is who serves somewhere; edge is -1 for nobody, or outside the world.
type area struct {
	edge       int
	substitute bool
}

func nobody() area { return area{edge: -1} }

// serves is who serves what is drawn at a point.
func (p *painter) serves(x, y float64) area {
	place, ok := p.sheet.place(x, y)
	if !ok {
		return nobody()
	}
	id, substitute := p.Serves(place)
	i, ok := p.color[id]
	if !ok {
		return nobody()
	}
	return area{i, substitute}
}

// areas are paths by who serves there.
func (p *painter) areas() map[area]string {
	paths := map[area]*strings.Builder{}
	for y := p.sheet.top; y < p.bottom(); y += stripe {
		h := min(stripe, p.bottom()-y)
		p.row(y+h/2, func(from, to float64, a area) {
			if paths[a] == nil {
				paths[a] = &strings.Builder{}
			}
			fmt.Fprintf(paths[a], "M%.1f %.1fH%.1fv%.1fH%.1fz", from, y, to, h+0.1, from)
		})
	}
	out := map[area]string{}
	for a, b := range paths {
		out[a] = b.String()
	}
	return out
}

// row calls f for each stretch of a row that one edge serves.
func (p *painter) row(y float64, f func(from, to float64, a area)) {
	left, right := p.span(y)
	from, last := left, p.serves(left+0.01, y)
	for x := left + step; from < right; x += step {
		next := nobody()
		if x < right {
			next = p.serves(x, y)
		}
		if next == last && x < right {
			continue
		}
		border := right
		if x < right {
			border = p.border(max(from, x-step), x, y, last)
		}
		if last.edge >= 0 {
			f(from, border, last)
		}
		from, last = border, next
		if x >= right {
			return
		}
	}
}

// border searches where a ends between two points of a row.
func (p *painter) border(from, to, y float64, a area) float64 {
	for to-from > 0.1 {
		middle := (from + to) / 2
		if p.serves(middle, y) == a {
			from = middle
		} else {
			to = middle
		}
	}
	return to
}

// span is how far the world reaches in a row.
func (p *painter) span(y float64) (left, right float64) {
	middle, _ := p.sheet.place(p.sheet.left+p.sheet.width/2, y)
	left, _ = p.sheet.at(landfall.Place{Lat: middle.Lat, Lon: -180})
	right, _ = p.sheet.at(landfall.Place{Lat: middle.Lat, Lon: 180})
	return left, right
}
