package config

import (
	"bytes"
	"fmt"
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
	d := &decoder{src: s, places: map[string]span{}, whole: whole}
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
	if i := bytes.IndexByte(s.text, 0); i >= 0 {
		s.fault(span{i, i + 1}, "give the network file", "the file is no text")
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
