package gdnsd

import (
	"fmt"
	"strings"
)

// label makes a label of a host name of any name: what cannot be in one
// becomes a hyphen.
func label(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		}
		return '-'
	}, s)
	s = strings.Trim(s[:min(len(s), 50)], "-")
	if s == "" {
		return "x"
	}
	return s
}

// free is a label that is not taken yet.
func free[ID ~string](name string, taken func(ID) bool) ID {
	if !taken(ID(name)) {
		return ID(name)
	}
	return numbered(name, taken)
}

// numbered is a label with the first number that is not taken yet.
func numbered[ID ~string](name string, taken func(ID) bool) ID {
	for i := 1; ; i++ {
		if id := ID(fmt.Sprintf("%s-%d", name, i)); !taken(id) {
			return id
		}
	}
}
