package config

import "fmt"

// rateText is what rate reads; of 0 it is nothing.
func rateText(bits int64) string {
	for _, u := range []struct {
		name string
		bits int64
	}{{"Gbit/s", 1e9}, {"Mbit/s", 1e6}, {"kbit/s", 1e3}, {"bit/s", 1}} {
		if bits > 0 && bits%u.bits == 0 {
			return fmt.Sprintf("%d %s", bits/u.bits, u.name)
		}
	}
	return ""
}

// not reads the opposite of what is to be known.
func not(to *bool) reader {
	return func(d *decoder, s spot, v *value) {
		var yes bool
		boolean(&yes)(d, s, v)
		*to = !yes
	}
}
