package config

import (
	"fmt"
	"strings"

	"landfall/mesh/tun/filter"
)

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

// leastRate is the smallest rate that a mesh lives with: below, control alone
// fills it.
const leastRate = 100_000

// meshRate reads how much may leave for the mesh.
func meshRate(to *int64) reader {
	return func(d *decoder, s spot, v *value) {
		rate(to)(d, s, v)
		if *to > 0 && *to < leastRate {
			d.fault(s, v.at, `want "100 kbit/s" at least, or leave the key out for no limit`, "%s %q is too little for a mesh to live on", s.key, v.text)
		}
	}
}

// named reads one of several words, which is not to be empty.
func named(to *string, what string, known ...string) reader {
	return func(d *decoder, s spot, v *value) {
		oneOf(to, what, known...)(d, s, v)
		if v.kind == text && v.text == "" {
			d.fault(s, v.at, `want "`+strings.Join(known, `" or "`)+`", or leave the key out`, "%s is empty", s.key)
		}
	}
}

// not reads the opposite of what is to be known.
func not(to *bool) reader {
	return func(d *decoder, s spot, v *value) {
		var yes bool
		boolean(&yes)(d, s, v)
		*to = !yes
	}
}

// allowed reads something that peers may reach.
func allowed(to *string) reader {
	const cure = `want "tcp/PORT", "udp/PORT" or "all"`
	return func(d *decoder, s spot, v *value) {
		if v.kind != text {
			d.mistyped(s, v, text, cure)
			return
		}
		if _, err := filter.ParseRule(v.text); err != nil {
			d.fault(s, v.at, cure, "%s: %q is nothing that peers could reach", s.key, v.text)
			return
		}
		*to = v.text
	}
}
