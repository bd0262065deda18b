package config

import (
	"fmt"

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
