package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"landfall"
)

// spot is where a reader is: the path as Map.Check writes it, the thing that
// the value belongs to, and the key.
type spot struct {
	path  string // "node[0].addresses[1]"
	owner string // `node "nyc1": `, or nothing
	key   string // "addresses"
}

// set writes the value as the file would at this place.
func (s spot) set(value string) string {
	if strings.HasSuffix(s.path, "]") { // one of a list
		return value
	}
	return s.key + " = " + value
}

// reader takes a value in, or tells what is wrong with it.
type reader func(d *decoder, s spot, v *value)

// field is a key that a table may have.
type field struct {
	key  string
	read reader
	need string // if the key must be there: the cure where it is not
}

// decoder reads the tree of one file.
type decoder struct {
	src    *source
	places map[string]span // of every value by its path
	failed map[string]bool // paths of values that a fault has been told about
	whole  bool            // nothing of the file is left out of the tree
}

func (d *decoder) fault(s spot, at span, cure, format string, args ...any) {
	d.failed[s.path] = true
	d.src.fault(at, cure, "%s%s", s.owner, fmt.Sprintf(format, args...))
}

// mistyped tells that a value is of the wrong kind.
func (d *decoder) mistyped(s spot, v *value, want kind, cure string) {
	d.fault(s, v.at, cure, "%s is %s, want %s", s.key, v.kind, want)
}

// fields reads a table. Keys that are not known are faults; one that looks
// like a slip of the hand is read as what was meant.
func (d *decoder) fields(s spot, v *value, fields []field) {
	for _, e := range v.keys {
		i := slices.IndexFunc(fields, func(f field) bool { return f.key == e.name })
		if i < 0 {
			i = d.unknown(s, v, e, fields)
		}
		if i >= 0 {
			f := fields[i]
			inner := spot{join(s.path, f.key), s.owner, f.key}
			d.places[inner.path] = e.value.at
			f.read(d, inner, e.value)
		}
	}
	for _, f := range fields {
		inner := join(s.path, f.key)
		if _, there := d.places[inner]; f.need != "" && !there && d.whole {
			d.fault(spot{path: inner, owner: s.owner}, v.at, f.need, "there is no %s", f.key)
		}
	}
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// unknown tells of a key that is none of the fields, and gives the index of
// the field that was probably meant, or -1.
func (d *decoder) unknown(s spot, v *value, e *entry, fields []field) int {
	var free []string
	for _, f := range fields {
		if _, set := v.byName[f.key]; !set {
			free = append(free, f.key)
		}
	}
	cure := "keys here: " + keys(fields)
	meant, ok := Nearest(e.name, free)
	if ok {
		cure = "did you mean " + meant + "? " + cure
	} else if where := elsewhere(e.name); where != "" {
		cure = fmt.Sprintf("%s %s; %s", e.name, where, cure)
	}
	d.src.fault(e.at, cure, "%sunknown key %s", s.owner, strconv.Quote(e.name))
	return slices.IndexFunc(fields, func(f field) bool { return ok && f.key == meant })
}

func keys(fields []field) string {
	var out []string
	for _, f := range fields {
		out = append(out, f.key)
	}
	return strings.Join(out, ", ")
}

// section reads a [table].
func section(fields []field) reader {
	return func(d *decoder, s spot, v *value) {
		if v.kind != table {
			d.mistyped(s, v, table, fmt.Sprintf("write [%s] on a line of its own and its keys below", s.key))
			return
		}
		d.fields(spot{path: s.path, owner: s.key + ": "}, v, fields)
	}
}

// tables reads a list of tables, [[key]] each. In faults each is called by
// the noun and the value of the key by.
func tables[T any](to *[]T, noun, by string, fields func(*T) []field) reader {
	return func(d *decoder, s spot, v *value) {
		items := v.items
		switch v.kind {
		case list:
		case table:
			d.fault(s, v.at, fmt.Sprintf("write [[%s]]", s.key), "%s is a table, want a list of tables", s.key)
			items = []*value{v}
		default:
			d.mistyped(s, v, "a list of tables", fmt.Sprintf("write [[%s]] on a line of its own and its keys below", s.key))
			return
		}
		*to = make([]T, len(items))
		for i, item := range items {
			at := spot{path: fmt.Sprintf("%s[%d]", s.path, i), key: s.key}
			d.places[at.path] = item.at
			if item.kind != table {
				d.mistyped(at, item, table, fmt.Sprintf("write [[%s]] on a line of its own and its keys below", s.key))
				continue
			}
			at.owner = s.key + ": "
			if name, ok := item.byName[by]; ok && name.value.kind == text {
				at.owner = fmt.Sprintf("%s %q: ", noun, name.value.text)
			}
			d.fields(at, item, fields(&(*to)[i]))
		}
	}
}

// several reads a list of values, each with what elem makes for it. The
// place of a bad one is kept, so that paths still count right.
func several[T any](to *[]T, elem func(*T) reader) reader {
	return func(d *decoder, s spot, v *value) {
		items := v.items
		switch v.kind {
		case list:
		case table:
			d.mistyped(s, v, list, fmt.Sprintf("write %s = [...]", s.key))
			return
		default:
			written := string(d.src.text[v.at.from:v.at.to])
			d.fault(s, v.at, fmt.Sprintf("write %s = [%s]", s.key, written), "%s is %s, want a list", s.key, v.kind)
			items = []*value{v}
		}
		*to = make([]T, len(items))
		for i, item := range items {
			at := spot{fmt.Sprintf("%s[%d]", s.path, i), s.owner, s.key}
			d.places[at.path] = item.at
			elem(&(*to)[i])(d, at, item)
		}
	}
}

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
	return func(d *decoder, s spot, v *value) {
		words(to)(d, s, v)
		if v.kind != text || *to == "" || slices.Contains(known, *to) {
			return
		}
		var names, quoted []string
		for _, k := range known {
			names = append(names, string(k))
			quoted = append(quoted, strconv.Quote(string(k)))
		}
		cure := "want " + strings.Join(quoted, " or ")
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
func number[T int | uint16](to *T, low, high T) reader {
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
