package zone

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/miekg/dns"
)

// Name is a domain name in wire form (RFC 1035, 3.1) and lower case, with the
// empty label of the root at its end: "\x04chat\x08landfall\x04test\x00".
type Name string

// ParseName reads a fully qualified name, with or without its final dot.
func ParseName(s string) (Name, error) {
	var b [256]byte
	n, err := dns.PackDomainName(dns.Fqdn(s), b[:], 0, nil, false)
	if err != nil || n > 255 || s == "" {
		return "", fmt.Errorf("%q is not a domain name", s)
	}
	return Lower(b[:n]), nil
}

// Lower is the Name of a well-formed name in wire form. Only ASCII letters
// have a lower case (RFC 4343, 3), and the length of a label is never one.
func Lower(wire []byte) Name {
	b := make([]byte, len(wire))
	for i, c := range wire {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		b[i] = c
	}
	return Name(b)
}

// String is the name as people write it, without the final dot.
func (n Name) String() string {
	s, _, err := dns.UnpackDomainName([]byte(n), 0)
	if err != nil {
		return fmt.Sprintf("%q", string(n))
	}
	return strings.TrimSuffix(s, ".")
}

// Within reports whether n is apex or lies below it.
func (n Name) Within(apex Name) bool {
	for len(n) > len(apex) {
		n = n.parent()
	}
	return n == apex
}

// HasLabel reports whether one of the name's labels is the given one, in lower
// case.
func (n Name) HasLabel(label string) bool {
	for ; len(n) > 1; n = n.parent() {
		if n[1:1+int(n[0])] == Name(label) {
			return true
		}
	}
	return false
}

// Compare tells whether n comes before o (-1), is o (0) or comes after it (1)
// in canonical order (RFC 4034, 6.1): by labels, from the root down.
func (n Name) Compare(o Name) int {
	var ns, os [128]uint8 // where labels begin
	i, j := n.labels(&ns), o.labels(&os)
	for i > 0 && j > 0 {
		i, j = i-1, j-1
		if c := cmp.Compare(n.label(ns[i]), o.label(os[j])); c != 0 {
			return c
		}
	}
	return cmp.Compare(i, j)
}

// labels notes where labels begin, but for the root's, and returns how many
// there are.
func (n Name) labels(at *[128]uint8) (count int) {
	for i := 0; n[i] != 0; i += 1 + int(n[i]) {
		at[count] = uint8(i)
		count++
	}
	return count
}

func (n Name) label(at uint8) Name { return n[at+1:][:n[at]] }

// parent is the name without its first label; the root has none.
func (n Name) parent() Name { return n[1+int(n[0]):] }

// Wildcard is the name whose records names below n are answered with that do
// not exist (RFC 4592, 2.1.1).
func (n Name) Wildcard() Name { return n.child("*") }

// IsWildcard reports whether the first label of the name is an asterisk (RFC
// 4592, 2.1.1).
func (n Name) IsWildcard() bool { return len(n) > 1 && n[0] == 1 && n[1] == '*' }

// child is the name with a label in front.
func (n Name) child(label string) Name {
	return Name([]byte{byte(len(label))}) + Name(label) + n
}
