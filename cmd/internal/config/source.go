package config

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// span is a stretch of the file, in bytes.
type span struct{ from, to int }

// finding is a problem before its place is worked out.
type finding struct {
	at   span
	msg  string
	cure string
	mild bool // it may be meant
}

// maxSaid is the most bytes of a message or a cure: either may quote a value
// of any length.
const maxSaid = 300

// source is the text of a file, and what was found wrong with it.
type source struct {
	name  string
	text  []byte // without its byte order mark
	lines []int  // where each line begins
	found []finding
}

func newSource(name string, src []byte) *source {
	s := &source{name: name, text: bytes.TrimPrefix(src, []byte("\ufeff"))}
	s.lines = append(s.lines, 0)
	for i, c := range s.text {
		if c == '\n' {
			s.lines = append(s.lines, i+1)
		}
	}
	return s
}

func (s *source) fault(at span, cure, format string, args ...any) {
	for at.from > 0 && at.from < len(s.text) && !utf8.RuneStart(s.text[at.from]) {
		at.from-- // the parser counts bytes
	}
	s.found = append(s.found, finding{at: at, msg: fmt.Sprintf(format, args...), cure: cure})
}

// remark is a fault of something that can be served all the same.
func (s *source) remark(at span, cure, msg string) {
	s.fault(at, cure, "%s", msg)
	s.found[len(s.found)-1].mild = true
}

// line is the number, from 1, of the line that holds the byte at.
func (s *source) line(at int) int {
	i, exact := slices.BinarySearch(s.lines, at)
	if exact {
		return i + 1
	}
	return i
}

// problems are the findings with their places, in the order of the file.
func (s *source) problems() []Problem { return s.told(false) }

func (s *source) told(mild bool) []Problem {
	slices.SortStableFunc(s.found, func(a, b finding) int { return cmp.Compare(a.at.from, b.at.from) })
	var out []Problem
	number, column, at := 0, 0, 0 // of the finding before, to count on from
	for _, f := range s.found {
		if f.mild != mild {
			continue
		}
		n := s.line(f.at.from)
		if n != number {
			number, column, at = n, 1, s.lines[n-1]
		}
		column += utf8.RuneCount(s.text[at:f.at.from])
		at = f.at.from
		out = append(out, s.problem(f, n, column))
	}
	return out
}

func (s *source) problem(f finding, line, column int) Problem {
	p := Problem{File: s.name, Line: line, Column: column, Msg: clip(f.msg), Cure: clip(f.cure)}
	if f.at.to > f.at.from {
		start, end := s.lines[line-1], len(s.text)
		if line < len(s.lines) {
			end = s.lines[line]
		}
		p.Text, p.Carets = excerpt(trimEnd(s.text[start:end]), f.at.from-start, f.at.to-start)
	}
	return p
}

func clip(said string) string {
	if len(said) <= maxSaid {
		return said
	}
	return strings.ToValidUTF8(said[:maxSaid], "") + "…"
}
