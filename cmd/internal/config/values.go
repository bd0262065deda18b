package config

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"landfall"
)

// words reads text as it stands.
func words[T ~string](to *T) reader {
	return func(d *decoder, s spot, v *value) {
		switch v.kind {
		case text:
		case list, table:
			d.mistyped(s, v, text, "write "+s.set(`"..."`))
			return
		default:
			d.mistyped(s, v, text, "write "+s.set(strconv.Quote(v.text)))
		}
		*to = T(v.text)
	}
}

// oneOf reads one of several words.
func oneOf[T ~string](to *T, what string, known ...T) reader {
	var names, quoted []string
	for _, k := range known {
		names = append(names, string(k))
		quoted = append(quoted, strconv.Quote(string(k)))
	}
	return func(d *decoder, s spot, v *value) {
		cure := "want " + strings.Join(quoted, " or ")
		*to = T(v.text)
		if v.kind != text {
			d.mistyped(s, v, text, cure)
		}
		if v.kind != text || *to == "" || slices.Contains(known, *to) {
			return
		}
		meant, ok := Nearest(string(*to), names)
		if ok {
			cure = fmt.Sprintf("did you mean %q? %s", meant, cure)
		}
		d.fault(s, v.at, cure, "unknown %s %q", what, string(*to))
		*to = T(meant)
	}
}

// boolean reads true or false.
func boolean(to *bool) reader {
	return func(d *decoder, s spot, v *value) {
		word := strings.ToLower(v.text)
		*to = slices.Contains([]string{"true", "yes", "on", "1"}, word)
		if v.kind != truth {
			d.mistyped(s, v, truth, fmt.Sprintf("write %s = %t", s.key, *to))
		}
	}
}

// number reads a whole number from low to high.
func number[T int | uint16 | uint32](to *T, low, high T) reader {
	return func(d *decoder, s spot, v *value) {
		cure := fmt.Sprintf("want a whole number from %d to %d", low, high)
		n, err := strconv.ParseInt(strings.ReplaceAll(v.text, "_", ""), 0, 64)
		inRange := err == nil && n >= int64(low) && n <= int64(high)
		switch {
		case v.kind == text && inRange:
			d.mistyped(s, v, whole, fmt.Sprintf("write %s = %d, without quotes", s.key, n))
		case v.kind != whole:
			d.mistyped(s, v, whole, cure)
		case !inRange:
			d.fault(s, v.at, cure, "%s %s is out of range", s.key, v.text)
		}
		if inRange {
			*to = T(n)
		}
	}
}

// duration reads text such as "30s".
func duration(to *time.Duration) reader {
	const cure = `want a number and its unit, such as "30s", "5m" or "1h30m"`
	return func(d *decoder, s spot, v *value) {
		t, err := time.ParseDuration(v.text)
		if seconds, serr := strconv.ParseUint(v.text, 10, 16); serr == nil && v.text != "0" {
			d.fault(s, v.at, fmt.Sprintf("write %s = \"%ds\" if seconds are meant", s.key, seconds), "%s %s has no unit", s.key, v.text)
			*to = time.Duration(seconds) * time.Second
			return
		}
		switch {
		case v.kind != text:
			d.mistyped(s, v, "a duration in quotes", cure)
		case err != nil:
			d.fault(s, v.at, cure, "%s %q is not a duration", s.key, v.text)
		default:
			*to = t
		}
	}
}

// place reads "LAT,LON".
func place(to *landfall.Place) reader {
	const cure = `write latitude and longitude in degrees, north and east positive, such as place = "50.11,8.68"`
	return func(d *decoder, s spot, v *value) {
		if v.kind != text {
			if p, err := landfall.ParsePlace(pair(v)); err == nil {
				*to = p
				d.mistyped(s, v, text, "write "+s.set(strconv.Quote(p.String())))
				return
			}
			d.mistyped(s, v, "a place in quotes", cure)
			return
		}
		p, err := landfall.ParsePlace(v.text)
		if err != nil {
			d.fault(s, v.at, cure, "%v", err)
			return
		}
		*to = p
	}
}

// pair is how a list of two would be written with a comma.
func pair(v *value) string {
	if len(v.items) != 2 {
		return ""
	}
	return v.items[0].text + "," + v.items[1].text
}

// prefix reads an IP prefix.
func prefix(to *netip.Prefix) reader {
	return func(d *decoder, s spot, v *value) {
		if v.kind != text {
			d.mistyped(s, v, "a prefix in quotes", `write a prefix such as "203.0.113.0/24"`)
			return
		}
		p, err := netip.ParsePrefix(v.text)
		if err == nil {
			*to = p
			return
		}
		cure := `want an address and a length, such as "203.0.113.0/24" or "2001:db8::/32"`
		if a, aerr := netip.ParseAddr(v.text); aerr == nil && a.Zone() == "" {
			*to = netip.PrefixFrom(a, a.BitLen())
			cure = fmt.Sprintf("write %q for the one address, or a shorter length", *to)
		}
		d.fault(s, v.at, cure, "prefix %q is not an IP prefix", v.text)
	}
}

// asn reads the number of a network (RFC 6793), which some write with "AS"
// before it.
func asn(to *uint32) reader {
	whole := number(to, 0, math.MaxUint32)
	return func(d *decoder, s spot, v *value) {
		digits, as := strings.CutPrefix(strings.ToUpper(v.text), "AS")
		if n, err := strconv.ParseUint(digits, 10, 32); v.kind == text && as && err == nil {
			*to = uint32(n)
			d.mistyped(s, v, "a whole number", fmt.Sprintf("write %s = %d", s.key, n))
			return
		}
		whole(d, s, v)
	}
}

// share reads a percentage.
func share(to *landfall.Share) reader {
	const cure = `want a percentage in quotes, such as "0.5%"`
	return func(d *decoder, s spot, v *value) {
		p, err := landfall.ParseShare(v.text)
		switch {
		case v.kind != text:
			d.mistyped(s, v, "a percentage in quotes", cure)
		case err != nil:
			d.fault(s, v.at, cure, "%s %q is not a percentage from 0%% to 100%%", s.key, v.text)
		default:
			*to = p
		}
	}
}

// address reads an IP address.
func address(to *netip.Addr) reader {
	return func(d *decoder, s spot, v *value) {
		if v.kind != text {
			d.mistyped(s, v, "an address in quotes", `write an address such as "192.0.2.1"`)
			return
		}
		a, err := netip.ParseAddr(v.text)
		if err == nil {
			*to = a
			return
		}
		cure := `want an IP address such as "192.0.2.1" or "2001:db8::1"`
		if ap, err := netip.ParseAddrPort(v.text); err == nil {
			*to = ap.Addr()
			cure = fmt.Sprintf("write %q: the ports of all nodes stand in [ports]", ap.Addr())
		} else if p, err := netip.ParsePrefix(v.text); err == nil {
			*to = p.Addr()
			cure = fmt.Sprintf("write %q: one address, not a network", p.Addr())
		}
		d.fault(s, v.at, cure, "address %q is not an IP address", v.text)
	}
}

// server reads the address of another's name server, with its port if that is
// not the usual one.
func server(to *netip.AddrPort) reader {
	return func(d *decoder, s spot, v *value) {
		*to = netip.AddrPortFrom(netip.IPv6Loopback(), portDNS) // some server is meant
		if v.kind != text {
			d.mistyped(s, v, "an address in quotes", `write an address such as "192.0.2.7"`)
			return
		}
		if a, err := netip.ParseAddr(v.text); err == nil {
			*to = netip.AddrPortFrom(a, portDNS)
			return
		}
		at, err := netip.ParseAddrPort(v.text)
		if err != nil {
			d.fault(s, v.at, `want an IP address, such as "192.0.2.7" or, with another port, "192.0.2.7:5353" or "[2001:db8::7]:5353"`, "address %q is not one of a server", v.text)
			return
		}
		*to = at
	}
}

// portDNS is where name servers listen (RFC 1035, 4.2).
const portDNS = 53
