package gdnsd

import (
	"slices"
	"strings"
)

// kind is what a value is.
type kind int

// The kinds.
const (
	aText kind = iota
	aList
	aHash
)

// value is a value of a configuration. A hash keeps the order of the file.
type value struct {
	at    place
	kind  kind
	text  string
	items []*value // of a list
	keys  []key    // of a hash

	named map[string]*value
}

// key is a key of a hash, with its value.
type key struct {
	at    place
	name  string
	value *value
}

func newHash(at place) *value { return &value{at: at, kind: aHash, named: map[string]*value{}} }

// of is the value of a key; nil if v is no hash, or has no such key.
func (v *value) of(name string) *value {
	if v == nil {
		return nil
	}
	return v.named[name]
}

// all are the items of a list. Where a list is wanted any other value is one
// of one item.
func (v *value) all() []*value {
	switch {
	case v == nil:
		return nil
	case v.kind == aList:
		return v.items
	}
	return []*value{v}
}

// maxDepth is how deep values may be nested.
const maxDepth = 100

// scanner reads one file in vscf syntax.
type scanner struct {
	cursor
	f      *files
	depth  int
	failed bool
}

// parse reads a file in vscf syntax; nil if it is none.
func (f *files) parse(at place, name string) (v *value) {
	f.text(at, name, func(text string) {
		s := &scanner{cursor: newCursor(name, text), f: f}
		s.space()
		if s.peek() == '[' {
			v = s.list()
			s.space()
		} else {
			v = s.assignments(0)
		}
		if !s.done() {
			s.fail("close what is open, and quote what is meant literally", "unexpected %q", s.peek())
		}
		if s.failed {
			v = nil
		}
	})
	return v
}

// fail tells what is wrong here and ends the file: what follows could mean
// anything.
func (s *scanner) fail(cure, format string, args ...any) {
	if !s.failed {
		s.f.fault(s.place(), cure, format, args...)
	}
	s.failed, s.at = true, len(s.text)
}

// space takes white space and comments.
func (s *scanner) space() {
	for {
		s.skip(" \t\r\n")
		if b := s.peek(); b != ';' && b != '#' {
			return
		}
		s.comment()
	}
}

// comma takes the comma that may come between two things.
func (s *scanner) comma() {
	s.space()
	if s.accept(',') {
		s.space()
	}
}

// assignments are those of a hash up to the closing byte, or of the file.
func (s *scanner) assignments(closing byte) *value {
	h := newHash(s.place())
	for s.space(); !s.done() && s.peek() != closing; s.comma() {
		s.assignment(h)
	}
	return h
}

// assignment is KEY => VALUE, or the inclusion of files that hold more.
func (s *scanner) assignment(h *value) {
	at := s.place()
	if pattern, ok := s.include(); ok {
		for _, v := range s.f.include(at, pattern) {
			s.merge(h, v)
		}
		return
	}
	name, ok := s.word()
	if !ok {
		s.fail("write KEY => VALUE", "want a key, not %q", s.peek())
		return
	}
	s.space()
	if !s.accept('=') {
		s.fail("write "+printable(name)+" => VALUE", "key %q has no value", name)
		return
	}
	s.accept('>')
	s.space()
	if v := s.value(); !s.failed {
		s.add(h, key{at, name, v})
	}
}

func (s *scanner) add(h *value, k key) {
	if first, twice := h.named[k.name]; twice {
		s.f.fault(k.at, "keep one of the two", "key %q is already set in %s at line %d", k.name, first.at.file, first.at.line)
		return
	}
	h.keys = append(h.keys, k)
	h.named[k.name] = k.value
}

func (s *scanner) merge(h, from *value) {
	if from.kind != aHash {
		s.f.fault(from.at, "write KEY => VALUE in it, or KEY => $include{…} here", "a list is included where keys belong")
		return
	}
	for _, k := range from.keys {
		s.add(h, k)
	}
}

// value is a text, a list, a hash, or what is in a file.
func (s *scanner) value() *value {
	at := s.place()
	switch s.peek() {
	case '[':
		return s.list()
	case '{':
		return s.hash()
	}
	if pattern, ok := s.include(); ok {
		if found := s.f.include(at, pattern); len(found) == 1 {
			return found[0]
		} else if len(found) > 1 {
			s.f.fault(at, "name one file", "%d files are included where there is one value", len(found))
		}
		return newHash(at) // told already; read on
	}
	word, ok := s.word()
	if !ok && s.done() {
		s.fail("write the value", "the file ends where a value is wanted")
	} else if !ok {
		s.fail("write a value, or quote what is meant literally", "want a value, not %q", s.peek())
	}
	return &value{at: at, text: word}
}

func (s *scanner) list() *value {
	v := &value{at: s.place(), kind: aList}
	s.nested(']', func() {
		for s.space(); !s.done() && s.peek() != ']'; s.comma() {
			v.items = append(v.items, s.value())
		}
	})
	return v
}

func (s *scanner) hash() (v *value) {
	at := s.place()
	s.nested('}', func() { v = s.assignments('}') })
	if v == nil {
		return newHash(at)
	}
	v.at = at
	return v
}

// nested reads what is between brackets.
func (s *scanner) nested(closing byte, inner func()) {
	at := s.place()
	if s.depth++; s.depth > maxDepth {
		s.fail("nest less", "values are nested more than %d deep", maxDepth)
		return
	}
	opening := s.next()
	inner()
	if s.depth--; !s.accept(closing) {
		s.fail("write the "+string(closing), "the %c of line %d is never closed", opening, at.line)
	}
}

// include takes $include{FILE} and returns FILE.
func (s *scanner) include() (pattern string, ok bool) {
	const keyword = "$include{"
	if !strings.HasPrefix(s.text[s.at:], keyword) {
		return "", false
	}
	for range keyword {
		s.next()
	}
	s.space()
	pattern, ok = s.word()
	s.space()
	if !ok || !s.accept('}') {
		s.fail("write $include{FILE}", "the inclusion is not complete")
	}
	return pattern, ok
}

// word takes a string, with quotes or without.
func (s *scanner) word() (word string, ok bool) {
	var b []byte
	quoted := s.accept('"')
	if !quoted && s.peek() == '$' {
		return "", false
	}
	for !s.done() {
		c := s.peek()
		if quoted && c == '"' {
			s.next()
			return string(b), true
		}
		if !quoted && strings.IndexByte(" \t\r\n{}[];#,\"=", c) >= 0 {
			break
		}
		if s.next() == '\\' {
			if c, ok = s.escape(); !ok {
				s.fail(`write \ and three digits up to 255, or \\`, "the escape is not complete")
				return "", false
			}
		}
		b = append(b, c)
	}
	if quoted {
		s.fail(`write the "`, "the string is never closed")
	}
	return string(b), !quoted && len(b) > 0
}

// only tells of the keys of a hash that are not among those given.
func (f *files) only(v *value, what string, known ...string) {
	if v == nil {
		return
	}
	for _, k := range v.keys {
		if !slices.Contains(known, k.name) {
			f.note(k.at, "", "%s: %q has no counterpart", what, k.name)
		}
	}
}
