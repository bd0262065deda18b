package master

import "strings"

// word is a word of an entry, in the bytes from up to to.
type word struct {
	text     string // as it is written, escapes and all, without the quotes
	quoted   bool
	from, to int
}

// master is the word as a master file has it.
func (w word) master() string {
	if w.quoted {
		return `"` + w.text + `"`
	}
	return w.text
}

// entry is one line, or several that parentheses make one.
type entry struct {
	words []word
	blank bool // it begins with a space: the owner is that of the entry before
}

// scanner goes through a text.
type scanner struct {
	text  string
	at    int
	fault func(from, to int, cure, format string, args ...any)
}

// next is the next entry with words in it; false at the end. What cannot be
// one is told, and passed over up to the end of its line.
func (s *scanner) next() (entry, bool) {
	for s.at < len(s.text) {
		if e, ok := s.entry(); ok && len(e.words) > 0 {
			return e, true
		}
	}
	return entry{}, false
}

func (s *scanner) entry() (e entry, ok bool) {
	e.blank = s.text[s.at] == ' ' || s.text[s.at] == '\t'
	var open []int // parentheses
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case '\n':
			s.at++
			if len(open) == 0 {
				return e, true
			}
		case ' ', '\t', '\r':
			s.at++
		case ';':
			s.line()
		case '(':
			open = append(open, s.at)
			s.at++
		case ')':
			if len(open) == 0 {
				s.fault(s.at, s.at+1, "take it out, or open one before", "a parenthesis closes that was not opened")
				s.line()
				return e, false
			}
			open = open[:len(open)-1]
			s.at++
		case '"':
			if !s.quoted(&e) {
				return e, false
			}
		default:
			if !s.word(&e) {
				return e, false
			}
		}
	}
	if len(open) > 0 {
		s.fault(open[0], open[0]+1, "close it where the record ends", "the parenthesis is never closed")
		s.at = open[0]
		s.line()
		return e, false
	}
	return e, true
}

// line goes to the end of the line, but not beyond.
func (s *scanner) line() {
	if i := strings.IndexByte(s.text[s.at:], '\n'); i >= 0 {
		s.at += i
	} else {
		s.at = len(s.text)
	}
}

// quoted takes a text in quotes. One that goes on over the end of a line lacks
// its second quote.
func (s *scanner) quoted(e *entry) bool {
	from := s.at
	if !s.close() {
		return false
	}
	e.words = append(e.words, word{s.text[from+1 : s.at-1], true, from, s.at})
	return true
}

// close goes from one quote to behind the next.
func (s *scanner) close() bool {
	from := s.at
	for s.at++; s.at < len(s.text) && s.text[s.at] != '\n'; s.at++ {
		switch s.text[s.at] {
		case '\\':
			s.escaped()
		case '"':
			s.at++
			return true
		}
	}
	s.fault(from, s.at, "close it on the same line; a text of several parts is written \"one\" \"two\"", "the quoted text does not end")
	return false
}

// word takes what stands up to the next space, with what is in quotes within,
// as in alpn="h2".
func (s *scanner) word(e *entry) bool {
	from := s.at
	for s.at < len(s.text) && strings.IndexByte(" \t\r\n;()", s.text[s.at]) < 0 {
		switch s.text[s.at] {
		case '\\':
			s.escaped()
		case '"':
			if !s.close() {
				return false
			}
			continue
		}
		s.at++
	}
	e.words = append(e.words, word{s.text[from:s.at], false, from, s.at})
	return true
}

// escaped steps onto the byte that a backslash makes an ordinary one.
func (s *scanner) escaped() {
	if s.at+1 < len(s.text) && s.text[s.at+1] != '\n' {
		s.at++
	}
}
