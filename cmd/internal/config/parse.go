package config

import (
	"bytes"
	"fmt"
	"slices"
	"unicode/utf8"

	"landfall"
)

// MaxSize is the most bytes that Parse reads. A network of thousands of
// services fits; a log file given by mistake may not.
const MaxSize = 4 << 20

// Parse is Read of a file that names no others, by further checks that know no
// notes.
func Parse(name string, src []byte, further ...func(*landfall.Map) []landfall.Fault) (*landfall.Map, []Problem) {
	var judges []Judge
	for _, check := range further {
		judges = append(judges, func(m *landfall.Map) (faults, notes []landfall.Fault) { return check(m), nil })
	}
	r := Read(name, src, nil, judges...)
	return r.Map, r.Problems
}

// Judge is a part that knows more than Map.Check: what is wrong with a map,
// and what may not be meant. It gets the map to read, and it may have faults.
type Judge func(*landfall.Map) (faults, notes []landfall.Fault)

// Reading is what became of a network file.
type Reading struct {
	Map      *landfall.Map // checked; nil if there are problems
	Problems []Problem     // all that is wrong
	Notes    []Problem     // what works, but may not be meant
	Files    []string      // that were read besides, or could not be
}

// Read reads a network.toml. The name is how the user calls the file, for the
// problems; without open it may name no other files. What judges find is told
// with the rest.
func Read(name string, src []byte, open Open, judges ...Judge) Reading {
	if len(src) > MaxSize {
		s := newSource(name, nil)
		s.fault(span{}, "give the network file", "the file has %d bytes, more than %d", len(src), MaxSize)
		return Reading{Problems: s.problems()}
	}
	s := newSource(name, src)
	if !s.readable() {
		return Reading{Problems: s.problems()}
	}
	root, whole := grow(s)
	m := new(landfall.Map)
	d := &decoder{src: s, places: map[string]span{}, whole: whole}
	var zones []declaredZone
	d.fields(spot{}, root, top(m, &zones))
	z := &zoneReader{d: d, open: open, sources: map[string]*source{}}
	m.Zones = z.read(zones)
	if whole { // else it would miss what could not be read
		d.check(m.Check())
		for _, judge := range judges {
			faults, notes := judge(m)
			d.check(faults)
			d.note(notes)
		}
	}
	r := Reading{Map: m, Files: z.files}
	for _, s := range slices.Concat([]*source{s}, z.others) {
		r.Problems = append(r.Problems, s.told(false)...)
		r.Notes = append(r.Notes, s.told(true)...)
	}
	if len(r.Problems) > 0 {
		r.Map = nil
	}
	return r
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
