package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// The units of rates, largest first.
var rateUnits = [...]struct {
	name string
	bits int64
}{{"Gbit/s", 1e9}, {"Mbit/s", 1e6}, {"kbit/s", 1e3}}

// rate reads bits a second, such as "200 Mbit/s".
func rate(to *int64) reader {
	const cure = `want a number and its unit, such as "200 Mbit/s" or "1.5 Gbit/s"`
	return func(d *decoder, s spot, v *value) {
		bits, ok := parseRate(v.text)
		switch {
		case v.kind == whole:
			d.mistyped(s, v, "a rate in quotes", "write "+s.set(strconv.Quote(v.text+" Mbit/s"))+" if megabits are meant")
		case v.kind != text:
			d.mistyped(s, v, "a rate in quotes", cure)
		case !ok:
			d.fault(s, v.at, cure, "%s %q is not a rate", s.key, v.text)
		default:
			*to = bits
		}
	}
}

// parseRate is exact to the bit, and takes what a link may have: from 1
// kbit/s to 1000 Gbit/s.
func parseRate(s string) (int64, bool) {
	for _, u := range rateUnits {
		number, ok := strings.CutSuffix(s, u.name)
		if !ok {
			continue
		}
		f, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		bits := f * float64(u.bits)
		return int64(math.Round(bits)), err == nil && bits >= 1e3 && bits <= 1e12
	}
	return 0, false
}

// rateText is what parseRate reads; of 0 it is nothing.
func rateText(bits int64) string {
	if bits == 0 {
		return ""
	}
	for _, u := range rateUnits {
		if bits%u.bits == 0 {
			return fmt.Sprintf("%d %s", bits/u.bits, u.name)
		}
	}
	return strconv.FormatFloat(float64(bits)/1e6, 'f', -1, 64) + " Mbit/s"
}

// not reads the opposite of what is to be known.
func not(to *bool) reader {
	return func(d *decoder, s spot, v *value) {
		var yes bool
		boolean(&yes)(d, s, v)
		*to = !yes
	}
}
