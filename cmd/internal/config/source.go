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
}

// maxMsg is the most bytes of a message: it may quote a value of any length.
const maxMsg = 200

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
	s.found = append(s.found, finding{at, fmt.Sprintf(format, args...), cure})
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
func (s *source) problems() []Problem {
	slices.SortStableFunc(s.found, func(a, b finding) int { return cmp.Compare(a.at.from, b.at.from) })
	var out []Problem
	for _, f := range s.found {
		out = append(out, s.problem(f))
	}
	return out
}

func (s *source) problem(f finding) Problem {
	for f.at.from > 0 && f.at.from < len(s.text) && !utf8.RuneStart(s.text[f.at.from]) {
		f.at.from-- // the parser counts bytes
	}
	n := s.line(f.at.from)
	start, end := s.lines[n-1], len(s.text)
	if n < len(s.lines) {
		end = s.lines[n] - 1
	}
	text := s.text[start:end]
	stop := min(f.at.to, start+len(bytes.TrimSuffix(text, []byte("\r"))))
	length := 0
	if f.at.to > f.at.from {
		length = max(1, utf8.RuneCount(s.text[f.at.from:max(stop, f.at.from)]))
	}
	msg := f.msg
	if len(msg) > maxMsg {
		msg = strings.ToValidUTF8(msg[:maxMsg], "") + "…"
	}
	return Problem{
		File:   s.name,
		Line:   n,
		Column: utf8.RuneCount(s.text[start:f.at.from]) + 1,
		Text:   strings.TrimSuffix(string(text), "\r"),
		Length: length,
		Msg:    msg,
		Cure:   f.cure,
	}
}
