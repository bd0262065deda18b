package gdnsd

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// shape says what the data of a type is made of, a letter for each word: 4
// and 6 addresses, n a name, u a number, t a text, s seconds, r a resource,
// and * any words at the end.
func shape(rrtype string) (s string, ok bool) {
	switch rrtype {
	case "A":
		return "4", true
	case "AAAA":
		return "6", true
	case "NS", "CNAME", "PTR":
		return "n", true
	case "MX":
		return "un", true
	case "SRV":
		return "uuun", true
	case "TXT":
		return "t*", true
	case "NAPTR":
		return "uutttn", true
	case "CAA":
		return "uwt", true
	case "SOA":
		return "nnsssss", true
	case "DYNA", "DYNC":
		return "r", true
	}
	number, generic := strings.CutPrefix(rrtype, "TYPE")
	_, err := strconv.ParseUint(number, 10, 16)
	return "w*", generic && err == nil
}

// data reads the data of a record by the shape of its type.
func (r *zoneReader) data(rec *record, at place, words []word) bool {
	s, ok := shape(rec.rrtype)
	if !ok {
		r.f.fault(at, "write it as TYPE12345 \\# LENGTH DATA (RFC 3597)", "type %q is none that gdnsd knows", rec.rrtype)
		return false
	}
	s, open := strings.CutSuffix(s, "*")
	if len(words) < len(s) || len(words) > len(s) && !open {
		r.f.fault(at, "write as many as the type has", "%s has %d words of data", rec.rrtype, len(words))
		return false
	}
	for i, w := range words {
		d, ok := r.datum(s[min(i, len(s)-1)], w)
		if !ok {
			return false
		}
		rec.data = append(rec.data, d)
	}
	return true
}

// datum is one word of data in master file form.
func (r *zoneReader) datum(kind byte, w word) (string, bool) {
	good, want := true, ""
	switch kind {
	case 'n':
		return r.full(w)
	case 't':
		return quoteText(w.text), true
	case 'u':
		_, err := strconv.ParseUint(w.text, 10, 16)
		good, want = err == nil, "a number up to 65535"
	case 's':
		ttl, ok := parseTTL(w.text)
		return fmt.Sprint(int64(ttl.Seconds())), ok || r.bad(w, "seconds")
	case '4', '6':
		a, err := netip.ParseAddr(w.text)
		good, want = err == nil && a.Is4() == (kind == '4') && a.Zone() == "", "an address of IPv"+string(kind)
	}
	return w.text, good || r.bad(w, want)
}

func (r *zoneReader) bad(w word, want string) bool {
	r.f.fault(w.at, "write "+want, "%q is not %s", w.text, want)
	return false
}

// quoteText writes text, whose escapes stay, between quotes and on one line.
func quoteText(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' && !escaped(s, i):
			b.WriteString(`\"`)
		case c < ' ' || c > '~':
			if escaped(s, i) { // the backslash is written already
				fmt.Fprintf(&b, "%03d", c)
			} else {
				fmt.Fprintf(&b, `\%03d`, c)
			}
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// escapeName writes a name, whose escapes stay, so that no byte of it means
// anything else in a record.
func escapeName(s string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		odd := c <= ' ' || c > '~'
		switch {
		case odd && escaped(s, i): // the backslash is written already
			fmt.Fprintf(&b, "%03d", c)
		case odd, strings.IndexByte(`;()"@$`, c) >= 0 && !escaped(s, i):
			fmt.Fprintf(&b, `\%03d`, c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// unescape is what a word stands for.
func unescape(s string) string {
	c := newCursor("", s)
	var b []byte
	for !c.done() {
		next := c.next()
		if next == '\\' {
			next, _ = c.escape()
		}
		b = append(b, next)
	}
	return string(b)
}
