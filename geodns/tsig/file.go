package tsig

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"landfall/geodns/zone"
)

// minSecret is the shortest secret, in bytes: half of what SHA-256 asks for
// (RFC 8945, 8).
const minSecret = 16

// ParseRing reads a file of key statements, such as
//
//	key "transfer.example" {
//		algorithm hmac-sha256;
//		secret "c2l4dGVlbiBieXRlcyBvZiBhIHNlY3JldA==";
//	};
//
// with comments as in C, C++ and shells. The error joins all that is wrong,
// each with its line, and never shows a secret.
func ParseRing(file string, src []byte) (*Ring, error) {
	p := &parser{file: file, words: scan(string(src))}
	r := NewRing()
	for !p.done() {
		at := p.line()
		k, err := p.key()
		if err != nil {
			p.errs = append(p.errs, fmt.Errorf("%s:%d: %w", file, at, err))
			p.skip()
			continue
		}
		if _, twice := r.keys[k.Name]; twice {
			p.errs = append(p.errs, fmt.Errorf("%s:%d: key %q: there are two of that name: keep one", file, at, k.Name))
		}
		r.keys[k.Name] = k
	}
	if err := errors.Join(p.errs...); err != nil {
		return nil, err
	}
	if r.Len() == 0 {
		return nil, fmt.Errorf("%s: no key in it: `tsig-keygen -a hmac-sha256 NAME` writes one", file)
	}
	return r, nil
}

// word is a part of the file: a name, text in quotes, or one of {};.
type word struct {
	text string
	line int
}

// scan cuts a file into words.
func scan(s string) (out []word) {
	line := 1
	for s != "" {
		n := 1
		switch {
		case s[0] == '\n', s[0] == ' ', s[0] == '\t', s[0] == '\r':
		case s[0] == '#', strings.HasPrefix(s, "//"):
			n = end(s, "\n", 0)
		case strings.HasPrefix(s, "/*"):
			n = end(s[2:], "*/", 2) + 2
		case s[0] == '"':
			n = end(s[1:], `"`, 1) + 1
			out = append(out, word{strings.Trim(s[:n], `"`), line})
		case strings.ContainsRune("{};", rune(s[0])):
			out = append(out, word{s[:1], line})
		default:
			if n = strings.IndexAny(s, " \t\r\n{};\"#"); n < 0 {
				n = len(s)
			}
			out = append(out, word{s[:n], line})
		}
		line += strings.Count(s[:n], "\n")
		s = s[n:]
	}
	return out
}

// end is where s first holds mark, and beyond it by the given bytes; its end
// if it never does.
func end(s, mark string, beyond int) int {
	if i := strings.Index(s, mark); i >= 0 {
		return i + beyond
	}
	return len(s)
}

type parser struct {
	file  string
	words []word
	errs  []error
}

func (p *parser) done() bool { return len(p.words) == 0 }

func (p *parser) line() int { return p.words[0].line }

// next is the next word; empty at the end.
func (p *parser) next() string {
	if p.done() {
		return ""
	}
	w := p.words[0].text
	p.words = p.words[1:]
	return w
}

// skip goes on to the next statement.
func (p *parser) skip() {
	for !p.done() && p.words[0].text != "key" {
		p.next()
	}
}

// key reads one statement.
func (p *parser) key() (k Key, err error) {
	if w := p.next(); w != "key" {
		return k, fmt.Errorf("%q where a key statement begins: want key \"NAME\" { algorithm hmac-sha256; secret \"…\"; };", w)
	}
	called := p.next()
	if k.Name, err = zone.ParseName(called); err != nil {
		return k, fmt.Errorf("key: %w", err)
	}
	if w := p.next(); w != "{" {
		return k, fmt.Errorf("key %q: want { after its name", called)
	}
	for w := p.next(); w != "}"; w = p.next() {
		value := p.next()
		if err := k.set(w, value); err != nil {
			return k, fmt.Errorf("key %q: %w", called, err)
		}
		if p.next() != ";" {
			return k, fmt.Errorf("key %q: want ; after its %s", called, w)
		}
	}
	if p.next() != ";" {
		return k, fmt.Errorf("key %q: want ; after its }", called)
	}
	return k, k.whole()
}

// set takes one of a key's properties.
func (k *Key) set(what, value string) (err error) {
	switch what {
	case "algorithm":
		for a := SHA256; a <= SHA512; a++ {
			if a.String() == strings.ToLower(strings.TrimSuffix(value, ".")) {
				k.Algorithm = a
				return nil
			}
		}
		return fmt.Errorf("algorithm %q: want %s, %s or %s", value, SHA256, SHA384, SHA512)
	case "secret":
		if k.Secret, err = base64.StdEncoding.DecodeString(value); err != nil {
			return errors.New("its secret is not base64 (RFC 4648, 4)")
		}
		if len(k.Secret) < minSecret {
			return fmt.Errorf("its secret has %d bytes, want at least %d: `tsig-keygen -a hmac-sha256 NAME` writes a good one", len(k.Secret), minSecret)
		}
		return nil
	case "":
		return errors.New("the file ends inside it")
	}
	return fmt.Errorf("%q is neither algorithm nor secret", what)
}

func (k Key) whole() error {
	switch {
	case k.Algorithm == 0:
		return fmt.Errorf("key %q: has no algorithm: write algorithm hmac-sha256;", k.Name)
	case k.Secret == nil:
		return fmt.Errorf("key %q: has no secret", k.Name)
	}
	return nil
}
