package landfall

import (
	"fmt"
	"strings"
)

// CanonicalHost folds a host name as a client wrote it (any case, a port, a
// final dot) into the form that maps use. It does not judge the result: a
// name that no map has is simply not found.
func CanonicalHost(host string) string {
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		host = host[:i]
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// InZone reports whether name is domain or lies below it.
func InZone(name, domain string) bool {
	rest, ok := strings.CutSuffix(name, domain)
	return ok && domain != "" && (rest == "" || strings.HasSuffix(rest, "."))
}

// Zone is the name of the zone that a name is in: of the map's domain and its
// zones the longest that the name is or lies below. It is empty if there is
// none.
func (m *Map) Zone(name string) string {
	best := ""
	if InZone(name, m.Domain) {
		best = m.Domain
	}
	for _, z := range m.Zones {
		if len(z.Name) > len(best) && InZone(name, z.Name) {
			best = z.Name
		}
	}
	return best
}

// Holds reports whether a name is in one of the map's zones.
func (m *Map) Holds(name string) bool { return m.Zone(name) != "" }

// SteeredName is the name in one of the map's zones whose answers name edges
// for a host: the host itself if it is in one, else host.domain, which the
// owner of the host's zone makes the host an alias of (RFC 1034, 3.6.2).
func (m *Map) SteeredName(host string) string {
	if m.Holds(host) {
		return host
	}
	return host + "." + m.Domain
}

// badLabel says what keeps s from being one label of a host name (RFC 1123,
// 2.1) in lower case, or is empty.
func badLabel(s string) string {
	switch {
	case s == "":
		return "is missing"
	case len(s) > 63:
		return "is longer than 63 characters"
	case s[0] == '-' || s[len(s)-1] == '-':
		return "begins or ends with a hyphen"
	}
	for _, r := range s {
		switch {
		case r >= 'A' && r <= 'Z':
			return "has a capital letter"
		case (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-':
			return "has characters other than a-z, 0-9 and the hyphen"
		}
	}
	return ""
}

// badDomain says what keeps s from being a host name of two labels or more,
// in lower case and without a final dot, or is empty.
func badDomain(s string) string { return badName(s, 2, badLabel) }

// badRecordName is badDomain for names that may hold service labels such as
// "_acme-challenge" (RFC 8552).
func badRecordName(s string) string {
	return badName(s, 1, func(l string) string { return badLabel(strings.TrimPrefix(l, "_")) })
}

// badZone says what keeps s from being the name of a zone, in lower case and
// without a final dot, or is empty. Zones of addresses may have other
// characters in their labels (RFC 2317, 4).
func badZone(s string) string {
	return badName(s, 1, func(l string) string {
		for _, r := range l {
			switch {
			case r >= 'A' && r <= 'Z':
				return "has a capital letter"
			case r <= ' ' || r >= 0x7f || strings.ContainsRune(`"\\*()@$;`, r):
				return fmt.Sprintf("has the character %q", r)
			}
		}
		if len(l) > 63 {
			return "has a label of more than 63 characters"
		}
		return ""
	})
}

func badName(s string, labels int, bad func(string) string) string {
	switch {
	case s == "":
		return "is missing"
	case strings.HasSuffix(s, "."):
		return "ends with a dot"
	case len(s) > 253:
		return "is longer than 253 characters"
	case strings.Count(s, ".") < labels-1:
		return "has no dot"
	}
	for l := range strings.SplitSeq(s, ".") {
		if l == "" {
			return "has an empty label"
		}
		if why := bad(l); why != "" {
			return why
		}
	}
	return ""
}
