package steer

import "time"

// What Predict is made of. Light in fibre goes 200 km in a millisecond, so a
// round trip costs at least 0.01 ms a kilometre of great circle. Paths are
// not straight and not idle: between large cities half as much again is
// common (Frankfurt to New York 83 ms where fibre along the great circle would
// give 62; to Singapore 160 where it would give 103). Five milliseconds are
// for the way from a user to the first such path.
const (
	lastMile     = 5 * time.Millisecond
	perKilometre = 15 * time.Microsecond
	fastestPerKm = 10 * time.Microsecond
	halfEquator  = 20_038 // km, the greatest distance on the Earth
)

// Predict is the round-trip time that is typical of a distance in kilometres.
func Predict(km float64) time.Duration {
	return lastMile + time.Duration(within(km)*float64(perKilometre))
}

// Fastest is the round-trip time that no path over a distance in kilometres
// can be below: that of light in fibre along the great circle.
func Fastest(km float64) time.Duration {
	return time.Duration(within(km) * float64(fastestPerKm))
}

func within(km float64) float64 { return min(max(km, 0), halfEquator) }
