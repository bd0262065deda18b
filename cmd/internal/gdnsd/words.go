package gdnsd

import "strings"

// word is a word of a zone file, as it is written: escapes stay, quotes do
// not.
type word struct {
	at     place
	text   string
	quoted bool
}

// line is an entry of a zone file (RFC 1035, 5.1), which goes on over the ends
// of lines within parentheses and quotes.
type line struct {
	at    place
	owned bool // the first word stands at the beginning of the line
	words []word
}

// lines reads a zone file line by line.
type lines struct {
	cursor
	f *files
}

// next is the next line with words in it; false at the end of the file.
func (l *lines) next() (out line, ok bool) {
	for !l.done() {
		out = line{at: l.place()}
		out.owned = strings.IndexByte(" \t\f\r\n;()", l.peek()) < 0
		if l.fill(&out) && len(out.words) > 0 {
			return out, true
		}
	}
	return line{}, false
}

// fill takes the words up to the end of the line, and reports whether they
// can be read.
func (l *lines) fill(out *line) bool {
	good, depth := true, 0
	for !l.done() {
		switch l.peek() {
		case ' ', '\t', '\f', '\r':
			l.cursor.next()
		case ';':
			l.comment()
		case '(':
			l.cursor.next()
			depth++
		case ')':
			if depth--; depth < 0 {
				l.f.fault(l.place(), "take it out", "there is no parenthesis to close")
				good, depth = false, 0
			}
			l.cursor.next()
		case '\n':
			l.cursor.next()
			if depth == 0 {
				return good
			}
		default:
			w, ok := l.word()
			out.words = append(out.words, w)
			good = good && ok
		}
	}
	if depth > 0 {
		l.f.fault(out.at, "write the )", "a parenthesis is never closed")
	}
	return good && depth == 0
}

// word takes a word.
func (l *lines) word() (word, bool) {
	w := word{at: l.place()}
	w.quoted = l.accept('"')
	from := l.at
	for !l.done() {
		c := l.peek()
		if w.quoted && c == '"' {
			w.text = l.text[from:l.at]
			l.cursor.next()
			return w, true
		}
		if !w.quoted && strings.IndexByte(" \t\f\r\n;()\"", c) >= 0 {
			break
		}
		if l.cursor.next() == '\\' {
			if _, ok := l.escape(); !ok {
				l.f.fault(w.at, `write \ and three digits up to 255, or \\`, "the escape is not complete")
				l.comment()
				return w, false
			}
		}
	}
	w.text = l.text[from:l.at]
	if w.quoted {
		l.f.fault(w.at, `write the "`, "the string is never closed")
	}
	return w, !w.quoted
}
