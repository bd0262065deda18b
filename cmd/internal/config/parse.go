package config

import (
	"bytes"
	"fmt"
	"maps"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"landfall"
)

// MaxSize is the most bytes that Parse reads. A network of thousands of
// services fits; a log file given by mistake may not.
const MaxSize = 4 << 20

// Parse reads a network.toml. The name is how the user calls the file, for
// the problems. There is either a map, checked, or at least one problem.
// Further checks, of parts that know more than Map.Check, are told with the
// rest; each gets the map to read, and it may have faults.
func Parse(name string, src []byte, further ...func(*landfall.Map) []landfall.Fault) (*landfall.Map, []Problem) {
	if len(src) > MaxSize {
		s := newSource(name, nil)
		s.fault(span{}, "give the network file", "the file has %d bytes, more than %d", len(src), MaxSize)
		return nil, s.problems()
	}
	s := newSource(name, src)
	if !s.readable() {
		return nil, s.problems()
	}
	root, whole := grow(s)
	m := new(landfall.Map)
	d := &decoder{src: s, places: map[string]span{}, failed: map[string]bool{}, whole: whole}
	d.fields(spot{}, root, top(m))
	if whole { // else it would miss what could not be read
		d.check(m.Check())
		for _, check := range further {
			d.check(check(m))
		}
	}
	if len(s.found) > 0 {
		return nil, s.problems()
	}
	return m, nil
}

// readable tells of bytes that are not UTF-8, once, and lets question marks
// stand in for them so that the rest can be read.
func (s *source) readable() bool {
	if bytes.HasPrefix(s.text, []byte("\xff\xfe")) || bytes.HasPrefix(s.text, []byte("\xfe\xff")) {
		s.fault(span{}, "save the file as UTF-8", "the file is UTF-16")
		return false
	}
	if utf8.Valid(s.text) {
		return true
	}
	first, bad := 0, 0
	clean := bytes.Clone(s.text)
	for i := 0; i < len(clean); {
		r, size := utf8.DecodeRune(clean[i:])
		if r == utf8.RuneError && size == 1 {
			if bad++; bad == 1 {
				first = i
			}
			clean[i] = '?'
		}
		i += size
	}
	more := ""
	if bad > 1 {
		more = fmt.Sprintf(", and %d more are not", bad-1)
	}
	s.fault(span{first, first + 1}, "save the file as UTF-8", "byte 0x%02x is not UTF-8%s", s.text[first], more)
	s.text = clean
	return true
}

// check adds what a check of the whole map finds to what was found before,
// except what only follows from it or says it again.
func (d *decoder) check(faults []landfall.Fault) {
	told := maps.Clone(d.failed)
	for _, f := range faults {
		if d.follows(f.Path) {
			continue
		}
		d.src.fault(d.place(f.Path), f.Cure, "%s", d.withLines(f.Msg))
		told[f.Path] = true
		if f.Path == "domain" {
			d.failed[f.Path] = true
		}
	}
	d.failed = told
}

// follows reports whether a fault at the path may be there only because a
// value could not be read: the same one, one of its list, what it is part
// of, or one that it is compared with.
func (d *decoder) follows(path string) bool {
	for failed := range d.failed {
		switch item, below := strings.CutPrefix(failed, path); {
		case failed == path,
			below && strings.HasPrefix(item, "[") && strings.IndexByte(item, ']') == len(item)-1,
			strings.HasPrefix(path, failed+"."),
			strings.HasPrefix(path, failed+"["),
			failed == "domain" && hangsOnDomain(path),
			isRegionID(failed) && strings.HasPrefix(path, "node[") && strings.HasSuffix(path, ".region"):
			return true
		}
	}
	return false
}

func isRegionID(path string) bool {
	return strings.HasPrefix(path, "region[") && strings.HasSuffix(path, ".id")
}

func hangsOnDomain(path string) bool {
	return strings.HasPrefix(path, "service[") && strings.HasSuffix(path, ".host") ||
		strings.HasPrefix(path, "record[") && strings.HasSuffix(path, ".name")
}

// place is where the value of a path stands, or else what it would be part
// of, or else the beginning of the file.
func (d *decoder) place(path string) span {
	for path != "" {
		if at, ok := d.places[path]; ok {
			return at
		}
		path = path[:max(0, strings.LastIndexAny(path, ".["))]
	}
	return span{}
}

// withLines puts line numbers where a message of Map.Check speaks of a table
// by its number.
func (d *decoder) withLines(msg string) string {
	return regexp.MustCompile(`\b\w+\[\d+\]`).ReplaceAllStringFunc(msg, func(path string) string {
		at, ok := d.places[path]
		if !ok {
			return path
		}
		return "at line " + strconv.Itoa(d.src.line(at.from))
	})
}
