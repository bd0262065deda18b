package config

import (
	"fmt"
	"strings"
)

// Problem is one thing wrong with a file.
type Problem struct {
	File   string // as the user named it
	Line   int    // from 1
	Column int    // from 1, in characters; a byte order mark is none
	Msg    string // what is wrong
	Cure   string // what to do about it; may be empty

	// Text is the line, or the part of a long one around the place, fit to be
	// printed, and Carets what to print below it. Both are empty where
	// nothing there is to be seen.
	Text, Carets string
}

// Error is the first line of Explain.
func (p Problem) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, p.Msg)
}

// Explain says the problem in full: where and what, the line with the place
// underlined, and the cure. It ends with a newline.
func (p Problem) Explain() string {
	var b strings.Builder
	b.WriteString(p.Error() + "\n")
	if p.Carets != "" {
		fmt.Fprintf(&b, "%5d | %s\n      | %s\n", p.Line, p.Text, p.Carets)
	}
	if p.Cure != "" {
		fmt.Fprintf(&b, "   cure: %s\n", p.Cure)
	}
	return b.String()
}

// Error is what is wrong with one or more files that were read together.
type Error struct{ Problems []Problem }

// Error counts: the problems themselves take several lines each, and Explain
// has them.
func (e *Error) Error() string {
	var files []string
	for _, p := range e.Problems {
		if len(files) == 0 || files[len(files)-1] != p.File {
			files = append(files, p.File)
		}
	}
	faults := "1 fault"
	if n := len(e.Problems); n != 1 {
		faults = fmt.Sprintf("%d faults", n)
	}
	return strings.Join(files, ", ") + ": " + faults
}

// Explain says all problems in full.
func (e *Error) Explain() string {
	var b strings.Builder
	for _, p := range e.Problems {
		b.WriteString(p.Explain())
	}
	return b.String()
}
