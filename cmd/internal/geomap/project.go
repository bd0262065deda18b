package geomap

import (
	"math"

	"landfall"
)

// Equal Earth: Bojan Šavrič, Tom Patterson and Bernhard Jenny, "The Equal Earth
// map projection", International Journal of Geographical Information Science
// 33(3), 2019, equations 9 and 10.
const (
	a1 = 1.340264
	a2 = -0.081106
	a3 = 0.000893
	a4 = 0.003796
)

// half is the sine of the parametric latitude of a pole.
var half = math.Sqrt(3) / 2

// polynomial is the northing of a parametric latitude, and its derivative.
func polynomial(t float64) (y, dy float64) {
	t2 := t * t
	t6 := t2 * t2 * t2
	return t * (a1 + a2*t2 + t6*(a3+a4*t2)), a1 + 3*a2*t2 + t6*(7*a3+9*a4*t2)
}

// project is where a place is on the plane, in radii of the Earth.
func project(p landfall.Place) (x, y float64) {
	t := math.Asin(half * math.Sin(radians(p.Lat)))
	y, dy := polynomial(t)
	return radians(p.Lon) * math.Cos(t) / (half * dy), y
}

// unproject is which place a point of the plane is; false if it is none.
func unproject(x, y float64) (landfall.Place, bool) {
	t := y / a1
	for range 8 { // Newton's; five are enough, but for the poles
		at, dy := polynomial(t)
		t -= (at - y) / dy
	}
	sin := math.Sin(t) / half
	if !(math.Abs(sin) <= 1) {
		return landfall.Place{}, false
	}
	_, dy := polynomial(t)
	p := landfall.Place{Lat: degrees(math.Asin(sin)), Lon: degrees(x * half * dy / math.Cos(t))}
	return p, math.Abs(p.Lon) <= 180
}

func radians(d float64) float64 { return d * math.Pi / 180 }
func degrees(r float64) float64 { return r * 180 / math.Pi }

// sheet is the paper: it scales the plane to units of the drawing.
type sheet struct {
	left, top, width float64 // of the world
	south            float64 // the latitude that it ends at
}

func (s sheet) scale() float64 {
	x, _ := project(landfall.Place{Lon: 180})
	return s.width / (2 * x)
}

// height is how far it is from the north pole to the south of the sheet.
func (s sheet) height() float64 {
	_, north := project(landfall.Place{Lat: 90})
	_, south := project(landfall.Place{Lat: s.south})
	return (north - south) * s.scale()
}

// at is where a place is drawn.
func (s sheet) at(p landfall.Place) (x, y float64) {
	px, py := project(p)
	_, north := project(landfall.Place{Lat: 90})
	return s.left + s.width/2 + px*s.scale(), s.top + (north-py)*s.scale()
}

// place is what is drawn at a point; false outside of the world.
func (s sheet) place(x, y float64) (landfall.Place, bool) {
	_, north := project(landfall.Place{Lat: 90})
	return unproject((x-s.left-s.width/2)/s.scale(), north-(y-s.top)/s.scale())
}
