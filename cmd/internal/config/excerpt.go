package config

import (
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

// excerpt makes a line fit to print, and the carets to print below it:
// length characters from the one numbered from (from 0), at least one, at
// most to the end of what is shown. Nothing in the line reaches the terminal
// that could command it.
func excerpt(line string, from, length int) (text, carets string) {
	cells := cells(line)
	from = min(max(from, 0), len(cells))
	first, last := 0, len(cells)
	if len(cells) > excerptWidth {
		first = max(0, min(from-excerptLead, len(cells)-excerptWidth))
		last = first + excerptWidth
	}
	to := min(from+max(length, 1), last)
	var t strings.Builder
	if first > 0 {
		t.WriteString("…")
	}
	pad, under := columns(t.String()), 0
	for i, c := range cells[first:last] {
		t.WriteString(c)
		switch i += first; {
		case i < from:
			pad += columns(c)
		case i < to:
			under += columns(c)
		}
	}
	if last < len(cells) {
		t.WriteString("…")
	}
	return t.String(), strings.Repeat(" ", pad) + strings.Repeat("^", max(under, 1))
}

// cells gives each character of the line as it is printed.
func cells(line string) []string {
	out := make([]string, 0, len(line))
	for _, r := range line { // a byte that is not UTF-8 comes as U+FFFD
		switch {
		case r == '\t':
			out = append(out, "    ")
		case unicode.IsPrint(r):
			out = append(out, string(r))
		default:
			out = append(out, string(utf8.RuneError))
		}
	}
	return out
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
