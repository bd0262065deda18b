package master

import (
	"fmt"
	"math"
	"path"
	"strconv"
	"strings"
	"time"

	"landfall"
	"landfall/geodns/zone"
)

// Limits on what is read: a few lines can stand for any number of records.
const (
	maxDepth = 8    // files that include each other
	maxFiles = 1000 // files read, those that are read again included
)

// Place is where something stands.
type Place struct {
	File     string // as it was opened
	From, To int    // bytes
}

// Fault is one thing wrong with a file.
type Fault struct {
	Place
	Msg  string // what is wrong
	Cure string // what to do about it
}

// File is what became of a master file.
type File struct {
	Zone   landfall.Zone
	Places []Place // of Zone.Records
	Faults []Fault // all that is wrong; Zone is what is right
}

// Read reads the zone of a name from a file and all that it includes, which
// open brings by their names. Names in $INCLUDE are relative to the file that
// they stand in, and lead out of its folder only if they are full.
func Read(name, file string, open func(file string) ([]byte, error)) *File {
	r := &reader{out: &File{Zone: landfall.Zone{Name: name}}, open: open, sets: map[set]*seen{}, texts: map[string]string{}}
	apex, err := zone.ParseName(name)
	if err != nil {
		r.fault(Place{File: file}, `give the zone's full name, such as "example.com"`, "%v", err)
		return r.out
	}
	r.apex, r.name = apex, apex.String()+"."
	r.file(Place{File: file}, file, &state{origin: r.name})
	return r.out
}

// reader reads a zone.
type reader struct {
	out  *File
	open func(string) ([]byte, error)
	apex zone.Name
	name string // of the zone, with its final dot
	sets map[set]*seen

	texts map[string]string // of the files
	files int
	stack []string // files that are being read, the outermost first
	full  bool     // there are too many records: told
}

// state is what a file has set up to some line.
type state struct {
	r     *reader
	file  string
	scan  *scanner
	owner string // of the record before, in full; empty if there was none

	origin string // in full, with its final dot
	ttl    time.Duration
	hasTTL bool // by $TTL, or by the record before (RFC 1035, 5.1)
	preset bool // by $TTL
}

func (r *reader) fault(at Place, cure, format string, args ...any) {
	r.out.Faults = append(r.out.Faults, Fault{at, printable(fmt.Sprintf(format, args...)), printable(cure)})
}

// printable keeps what commands terminals out of what is said.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return '.'
		}
		return r
	}, strings.ToValidUTF8(s, "."))
}

// file reads a file that is named at a place, beginning with what is set there.
func (r *reader) file(at Place, name string, from *state) {
	r.files++
	switch {
	case len(r.stack) >= maxDepth:
		r.fault(at, "include it from further up", "%s would be the %dth file within another", name, maxDepth+1)
		return
	case r.files > maxFiles:
		r.fault(at, "include fewer files", "%s would be more than %d files", name, maxFiles)
		return
	}
	b, err := r.open(name)
	if err != nil {
		r.fault(at, "name a file that can be read", "%v", err)
		return
	}
	text := string(b)
	r.texts[name] = text
	if i := strings.IndexByte(text, 0); i >= 0 {
		r.fault(Place{name, i, i + 1}, "name a master file (RFC 1035, 5)", "the file is no text")
		return
	}
	r.stack = append(r.stack, path.Clean(name))
	s := &state{r: r, file: name, origin: from.origin, ttl: from.ttl, hasTTL: from.hasTTL, preset: from.preset}
	s.scan = &scanner{text: text, fault: s.fault}
	if strings.HasPrefix(text, "\ufeff") {
		s.scan.at = len("\ufeff")
	}
	for e, ok := s.scan.next(); ok && !r.full; e, ok = s.scan.next() {
		s.entry(e)
	}
	r.stack = r.stack[:len(r.stack)-1]
}

func (s *state) fault(from, to int, cure, format string, args ...any) {
	s.r.fault(Place{s.file, from, to}, cure, format, args...)
}

func (s *state) faultAt(w word, cure, format string, args ...any) {
	s.fault(w.from, w.to, cure, format, args...)
}

func (s *state) entry(e entry) {
	if first := e.words[0]; !e.blank && !first.quoted && strings.HasPrefix(first.text, "$") {
		s.directive(first, e.words[1:])
		return
	}
	s.record(e)
}

func (s *state) directive(d word, args []word) {
	switch name := strings.ToUpper(d.text); {
	case name == "$ORIGIN" && len(args) == 1:
		if full, ok := s.name(args[0]); ok {
			s.origin = full
		}
	case name == "$TTL" && len(args) == 1:
		if ttl, ok := parseTTL(args[0].text); ok {
			s.ttl, s.hasTTL, s.preset = ttl, true, true
		} else {
			s.faultAt(args[0], "write seconds, or units as in 1h30m", "%q is not a TTL", args[0].text)
		}
	case name == "$INCLUDE" && (len(args) == 1 || len(args) == 2):
		s.include(args)
	case name == "$GENERATE" && len(args) >= 4:
		s.generate(d, args)
	default:
		s.faultAt(d, "write $ORIGIN NAME, $TTL TTL, $INCLUDE FILE [NAME] or $GENERATE FROM-TO NAME TYPE DATA", "%s cannot be read", d.text)
	}
}

// parseTTL reads seconds, or numbers with units: w, d, h, m and s.
func parseTTL(text string) (time.Duration, bool) {
	units := map[byte]uint64{'s': 1, 'm': 60, 'h': 3600, 'd': 86400, 'w': 604800}
	var sum uint64
	for text != "" {
		digits := len(text) - len(strings.TrimLeft(text, "0123456789"))
		n, err := strconv.ParseUint(text[:digits], 10, 32)
		if err != nil {
			return 0, false
		}
		text = text[digits:]
		unit := uint64(1)
		if text != "" {
			unit = units[text[0]|0x20]
			text = text[1:]
		}
		if unit == 0 {
			return 0, false
		}
		sum += n * unit
	}
	return time.Duration(sum) * time.Second, sum <= math.MaxInt32 // RFC 2181, 8
}
