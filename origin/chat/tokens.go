package chat

import (
	"iter"
	"strings"
	"unicode"
	"unicode/utf8"
)

// tokenKind is what a piece of a text means to tags.
type tokenKind int

const (
	bare    tokenKind = iota // a word
	hashtag                  // #word
	mention                  // @word
	link                     // http://… or https://…
)

// tokens are the pieces of a text that may become tags, each without its
// sign. What is inside a link is part of the link.
func tokens(text string) iter.Seq2[tokenKind, string] {
	return func(yield func(tokenKind, string) bool) {
		for i, afterWord := 0, false; i < len(text); {
			kind, sign, n := tokenAt(text[i:])
			if n == 0 || afterWord && kind != bare {
				r, size := utf8.DecodeRuneInString(text[i:])
				afterWord = isWord(r) || r == '/' || r == '&'
				i += size
				continue
			}
			if !yield(kind, text[i+sign:i+sign+n]) {
				return
			}
			i, afterWord = i+sign+n, true
		}
	}
}

// tokenAt looks at the start of a text: what token begins there, how long its
// sign is and how long the rest; 0 when none does.
func tokenAt(text string) (kind tokenKind, sign, n int) {
	switch {
	case strings.HasPrefix(text, "http://"), strings.HasPrefix(text, "https://"):
		return link, 0, linkAt(text)
	case text[0] == '#':
		return hashtag, 1, wordAt(text[1:])
	case text[0] == '@':
		return mention, 1, wordAt(text[1:])
	}
	return bare, 0, wordAt(text)
}

// linkAt is the length of the link at the start of a text, which ends where
// a space begins.
func linkAt(text string) int {
	if n := strings.IndexFunc(text, unicode.IsSpace); n >= 0 {
		return n
	}
	return len(text)
}

// wordAt is the length of the word at the start of a text: letters, digits,
// underscores, and single dashes between them.
func wordAt(text string) int {
	end, dash := 0, false
	for i, r := range text {
		switch {
		case isWord(r):
			end, dash = i+utf8.RuneLen(r), false
		case r == '-' && i > 0 && !dash:
			dash = true
		default:
			return end
		}
	}
	return end
}

func isWord(r rune) bool {
	return r == '_' || r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r))
}
