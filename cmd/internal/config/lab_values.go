package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"landfall"
)

// half reads a round trip and keeps one direction of it.
func half(to *time.Duration) reader {
	return func(d *decoder, s spot, v *value) {
		duration(to)(d, s, v)
		*to /= 2
	}
}

// ratio reads a percentage as a number from 0 to 1.
func ratio(to *float64) reader {
	return func(d *decoder, s spot, v *value) {
		var p landfall.Share
		share(&p)(d, s, v)
		*to = float64(p)
	}
}

// rate reads bits per second, such as "100 Mbit/s".
func rate(to *int64) reader {
	const cure = `want bits per second, such as "100 Mbit/s", "2.5 Gbit/s" or "800 kbit/s"`
	return func(d *decoder, s spot, v *value) {
		n, ok := scaled(v.text, "bit/s", map[string]float64{"": 1, "k": 1e3, "M": 1e6, "G": 1e9})
		switch {
		case v.kind != text:
			d.mistyped(s, v, "a rate in quotes", cure)
		case !ok || n < 1:
			d.fault(s, v.at, cure, "%s %q is not a rate", s.key, v.text)
		default:
			*to = int64(n)
		}
	}
}

// size reads bytes, such as "64 KiB".
func size(to *int) reader {
	const cure = `want bytes, such as "64 KiB", "250 kB" or "9000 B"`
	return func(d *decoder, s spot, v *value) {
		n, ok := scaled(v.text, "B", map[string]float64{"": 1, "k": 1e3, "M": 1e6, "Ki": 1 << 10, "Mi": 1 << 20})
		switch {
		case v.kind == whole:
			d.mistyped(s, v, "a size in quotes", fmt.Sprintf(`write %s = "%s B"`, s.key, v.text))
		case v.kind != text:
			d.mistyped(s, v, "a size in quotes", cure)
		case !ok || n < 1 || n > math.MaxInt32:
			d.fault(s, v.at, cure, "%s %q is not a size", s.key, v.text)
		default:
			*to = int(n)
		}
	}
}

// scaled is a number before a unit with a prefix.
func scaled(text, unit string, prefixes map[string]float64) (float64, bool) {
	rest, ok := strings.CutSuffix(text, unit)
	if !ok {
		return 0, false
	}
	digits := strings.TrimRight(rest, "kKMGi")
	scale, ok := prefixes[rest[len(digits):]]
	n, err := strconv.ParseFloat(strings.TrimSpace(digits), 64)
	return n * scale, ok && err == nil && n >= 0 && n*scale <= math.MaxInt64/2
}

// port reads "tcp/443".
func port(to *LabPort) reader {
	const cure = `want a protocol and a port, such as "tcp/443" or "udp/51820"`
	return func(d *decoder, s spot, v *value) {
		if v.kind != text {
			d.mistyped(s, v, text, cure)
			return
		}
		network, digits, _ := strings.Cut(v.text, "/")
		n, err := strconv.ParseUint(digits, 10, 16)
		if network != "tcp" && network != "udp" || err != nil || n == 0 {
			d.fault(s, v.at, cure, "%s %q is no port", s.key, v.text)
			return
		}
		*to = LabPort{network, uint16(n)}
	}
}

// labCommand reads a program and its arguments.
func labCommand(to *[]string) reader {
	return func(d *decoder, s spot, v *value) {
		if v.kind != text {
			several(to, words[string])(d, s, v)
			return
		}
		var quoted []string
		for word := range strings.FieldsSeq(v.text) {
			quoted = append(quoted, strconv.Quote(word))
		}
		if strings.ContainsAny(v.text, "'\"\\$|&;<>*(){}`\n") { // a shell's work
			quoted = []string{`"sh"`, `"-c"`, strconv.Quote(v.text)}
		}
		d.mistyped(s, v, list, fmt.Sprintf("write %s = [%s]", s.key, strings.Join(quoted, ", ")))
	}
}
