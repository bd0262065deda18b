package config

import (
	"bytes"
	"errors"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// syntax tells a fault of TOML itself and returns where it is.
func (g *grower) syntax(err error) int {
	at, msg := g.base, err.Error()
	if perr, ok := errors.AsType[*unstable.ParserError](err); ok {
		at += cap(g.p.Data()) - cap(perr.Highlight) // a slice of Data
		at = max(g.base, min(at, len(g.src.text)))
		g.src.fault(span{at, at + max(1, len(perr.Highlight))}, g.syntaxCure(at), "%s", perr.Message)
		return at
	}
	g.src.fault(span{at, at}, "", "%s", msg)
	return at
}

// syntaxCure guesses from the line what was meant.
func (g *grower) syntaxCure(at int) string {
	start := g.src.lines[g.src.line(at)-1]
	before := strings.TrimSpace(string(g.src.text[start:at]))
	word := g.src.text[at:]
	switch {
	case strings.Count(before, `"`)%2 == 1 && (len(word) == 0 || word[0] == '\n' || word[0] == '\r'):
		return `close the text with a double quote on the same line`
	case strings.HasSuffix(before, "=") && len(word) > 0 && isLetter(word[0]):
		return `text goes in double quotes; yes and no are written true and false`
	case strings.HasSuffix(before, "="):
		return `a value goes after "=": text in double quotes, a number, true, false or a [list]`
	}
	return `the file is TOML: lines of the form KEY = VALUE under a [section] or [[section]], text in double quotes`
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// resume finds where reading can go on after a syntax error at the byte at:
// at the next line that looks like a header or, if the error was not in a
// header, like a key. What lies between is not told about.
func resume(text []byte, at int) int {
	start := bytes.LastIndexByte(text[:at], '\n') + 1
	keys := !isHeader(text[start:])
	for {
		i := bytes.IndexByte(text[at:], '\n')
		if i < 0 {
			return len(text)
		}
		at += i + 1
		word := bytes.TrimLeft(text[at:], "[ \t")
		if len(word) > 0 && isLetter(word[0]) && (keys || isHeader(text[at:])) {
			return at
		}
	}
}

func isHeader(line []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(line, " \t"), []byte("["))
}
