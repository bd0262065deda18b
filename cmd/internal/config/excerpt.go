package config

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Of a long line, excerpt shows excerptWidth characters, excerptLead of them
// before the place that it underlines.
const (
	excerptWidth = 100
	excerptLead  = 40
)

// excerpt makes a line fit to print, and the carets to print below it: from
// the byte from up to the byte to, under one character at least, and at most
// to the end of what is shown. Nothing in the line reaches the terminal that
// could command it. However long the line is, the work is not.
func excerpt(line []byte, from, to int) (text, carets string) {
	first, last := window(line, from)
	var t, c strings.Builder
	if first > 0 {
		t.WriteString("…")
		c.WriteString(" ")
	}
	under := false
	for i := first; i < last; {
		r, size := utf8.DecodeRune(line[i:])
		cell, mark := printable(r), " "
		if i >= from && (i < to || !under) {
			mark, under = "^", true
		}
		t.WriteString(cell)
		if mark == "^" || !under {
			c.WriteString(strings.Repeat(mark, columns(cell)))
		}
		i += size
	}
	if !strings.Contains(c.String(), "^") { // the end of the line, or a mark without a width
		c.WriteString("^")
	}
	if last < len(line) {
		t.WriteString("…")
	}
	return t.String(), c.String()
}

// window is the part of the line to show around the byte at.
func window(line []byte, at int) (first, last int) {
	first = back(line, at, excerptLead)
	last = forward(line, first, excerptWidth)
	return back(line, last, excerptWidth), last
}

// back is where the n characters before at begin.
func back(line []byte, at, n int) int {
	for ; n > 0 && at > 0; n-- {
		_, size := utf8.DecodeLastRune(line[:at])
		at -= size
	}
	return at
}

// forward is where the n characters from at on end.
func forward(line []byte, at, n int) int {
	for ; n > 0 && at < len(line); n-- {
		_, size := utf8.DecodeRune(line[at:])
		at += size
	}
	return at
}

// printable is a character as it is printed.
func printable(r rune) string {
	switch {
	case r == '\t':
		return "    "
	case unicode.IsPrint(r):
		return string(r)
	}
	return string(utf8.RuneError)
}

// columns is how wide a terminal prints s. It knows the scripts that people
// name places in; where it errs, the carets stand a little beside the place.
func columns(s string) int {
	n := 0
	for _, r := range s {
		switch {
		case unicode.In(r, unicode.Mn, unicode.Me):
		case unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul),
			r >= 0xFF01 && r <= 0xFF60, // fullwidth forms
			r >= 0x1F300 && r <= 0x1FAFF:
			n += 2
		default:
			n++
		}
	}
	return n
}

// trimEnd is the line without its end.
func trimEnd(line []byte) []byte {
	return bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
}
