package gdnsd

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"landfall/cmd/internal/config"
)

// Limits on what is read: files that include each other must come to an end.
const (
	maxFile  = 64 << 20 // bytes of one file
	maxFiles = 1000     // files read, those that are read again included
)

// place is where something stands; the zero place is nowhere.
type place struct {
	file         string
	line, column int // from 1, the column in characters
}

// Note is something that has no counterpart, or another one than it seems.
type Note struct {
	File         string
	Line, Column int    // from 1; 0 if it is about the file as a whole
	Msg          string // what it is
	Cure         string // what to do about it; may be empty
}

// String is the note on one line, without its cure.
func (n Note) String() string {
	if n.Line == 0 {
		return n.File + ": " + n.Msg
	}
	return fmt.Sprintf("%s:%d:%d: %s", n.File, n.Line, n.Column, n.Msg)
}

// files reads files, and remembers what is wrong with them and what of them
// has no counterpart.
type files struct {
	root   fs.FS // of the whole machine
	read   int
	open   []string // files that are being read, the outermost first
	faults []config.Problem
	notes  []Note
}

// fault is about something that gdnsd would not start with, or that nothing
// can be made of.
func (f *files) fault(at place, cure, format string, args ...any) {
	f.faults = append(f.faults, config.Problem{
		File: at.file, Line: at.line, Column: at.column, Msg: printable(fmt.Sprintf(format, args...)), Cure: cure,
	})
}

// note is about something that has no counterpart.
func (f *files) note(at place, cure, format string, args ...any) {
	f.notes = append(f.notes, Note{at.file, at.line, at.column, printable(fmt.Sprintf(format, args...)), cure})
}

// maxSaid is how much of a value from a file is repeated.
const maxSaid = 300

// printable keeps what commands terminals out of what is printed.
func printable(s string) string {
	if len(s) > maxSaid {
		s = s[:maxSaid] + "…"
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return '.'
		}
		return r
	}, strings.ToValidUTF8(s, "."))
}

// inside is a file's name as fs.FS has it.
func inside(name string) string {
	return cmp.Or(strings.TrimPrefix(path.Join("/", name), "/"), ".")
}

// text reads the file that is named at a place, and calls use with it. Files
// that lead back to themselves are read once.
func (f *files) text(at place, name string, use func(text string)) {
	name = path.Clean(name)
	if slices.Contains(f.open, name) {
		f.fault(at, "take the inclusion out", "%s includes itself", name)
		return
	}
	if f.read++; f.read > maxFiles {
		f.fault(at, "include fewer files", "%s would be more than %d files", name, maxFiles)
		return
	}
	b, err := f.bytes(name)
	if err != nil {
		f.fault(at, "name a file that can be read", "%v", err)
		return
	}
	f.open = append(f.open, name)
	use(string(b))
	f.open = f.open[:len(f.open)-1]
}

func (f *files) bytes(name string) ([]byte, error) {
	info, err := fs.Stat(f.root, inside(name))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", name, reason(err))
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s: not a file", name)
	case info.Size() > maxFile:
		return nil, fmt.Errorf("%s: larger than %d MiB", name, maxFile>>20)
	}
	b, err := fs.ReadFile(f.root, inside(name))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, reason(err))
	}
	return b, nil
}

// reason is an error without the name that fs knows the file by.
func reason(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	return err
}

// cursor goes through a text byte by byte and knows where it is.
type cursor struct {
	file string
	text string
	at   int

	line, column int
}

func newCursor(file, text string) cursor {
	return cursor{file: file, text: strings.TrimPrefix(text, "\ufeff"), line: 1, column: 1}
}

func (c *cursor) place() place { return place{c.file, c.line, c.column} }
func (c *cursor) done() bool   { return c.at >= len(c.text) }

// peek is the next byte, or 0 at the end.
func (c *cursor) peek() byte {
	if c.done() {
		return 0
	}
	return c.text[c.at]
}

// next takes a byte; there must be one.
func (c *cursor) next() byte {
	b := c.text[c.at]
	c.at++
	switch {
	case b == '\n':
		c.line, c.column = c.line+1, 1
	case b&0xc0 != 0x80: // not the rest of a character in UTF-8
		c.column++
	}
	return b
}

// accept takes the byte if it is the next.
func (c *cursor) accept(b byte) bool {
	if c.done() || c.peek() != b {
		return false
	}
	c.next()
	return true
}

// skip takes bytes as long as they are among those given.
func (c *cursor) skip(set string) {
	for !c.done() && strings.IndexByte(set, c.peek()) >= 0 {
		c.next()
	}
}

// comment takes what is left of the line, but not its end.
func (c *cursor) comment() {
	for !c.done() && c.peek() != '\n' {
		c.next()
	}
}

// escape takes what follows a backslash: any byte but a digit stands for
// itself, three digits for the byte of that value (RFC 1035, 5.1).
func (c *cursor) escape() (b byte, ok bool) {
	if c.done() {
		return 0, false
	}
	b = c.next()
	if b < '0' || b > '9' {
		return b, true
	}
	n := int(b - '0')
	for range 2 {
		if d := c.peek(); d < '0' || d > '9' {
			return 0, false
		}
		n = 10*n + int(c.next()-'0')
	}
	return byte(n), n <= 255
}
