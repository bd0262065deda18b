package doctor

import (
	"strconv"
	"strings"
	"unicode"
)

// maxSaid bounds what somebody else is quoted with, and maxWhat all that one
// finding says, in bytes.
const (
	maxSaid = 200
	maxWhat = 2000
)

// said is a text of somebody else's, such as of a peer, which may be a thief's.
// As text it is quoted, in one bounded line of ASCII, so that it passes for no
// words of ours and a terminal finds nothing in it to obey. It is evidence: no
// cure ever holds it.
type said string

func (s said) String() string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		q := strconv.QuoteToASCII(string(r))
		if b.Len()+len(q)-2 > maxSaid-len(`..."`) {
			b.WriteString("...")
			break
		}
		b.WriteString(q[1 : len(q)-1])
	}
	b.WriteByte('"')
	return b.String()
}

// line makes one bounded, printable line of the words of a finding: errors
// tell what a stranger's certificate or answer holds.
func line(s string) string {
	s = strings.ReplaceAll(s, "\n", "; ") // as errors.Join writes
	if len(s) > maxWhat {
		s = s[:maxWhat] + "..."
	}
	return strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}

// plainName reports whether a name that came from outside holds nothing that a
// shell or a zone file could take for more than a name.
func plainName(name string) bool {
	return name != "" && len(name) < 256 && name[0] != '-' && !strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-._", r)
	})
}
