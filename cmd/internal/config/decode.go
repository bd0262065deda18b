package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
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
	places map[string]span    // of every value by its path
	told   blame              // for values that a fault has been told about
	others map[string]foreign // of what stands in another file, by its path
	whole  bool               // nothing of the file is left out of the tree
	apart  bool               // the file has nothing in common with a network file
}

func (d *decoder) fault(s spot, at span, cure, format string, args ...any) {
	d.told.add(s.path)
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
	} else if where := elsewhere(e.name); where != "" && !d.apart {
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
			written := v.text
			if v.kind == text {
				written = strconv.Quote(written)
			}
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
