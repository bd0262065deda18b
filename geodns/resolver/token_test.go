package resolver

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"landfall"
)

// name is a name in wire form and lower case.
func name(s string) string {
	var b strings.Builder
	for label := range strings.SplitSeq(strings.Trim(strings.ToLower(s), "."), ".") {
		b.WriteByte(byte(len(label)))
		b.WriteString(label)
	}
	return strings.TrimSuffix(b.String(), "\x00") + "\x00"
}

func TestTokenIsTheLabelBeforeSeen(t *testing.T) {
	apex := name("landfall.test")
	const token = "0123456789abcdef"
	for _, c := range []struct {
		name string
		want string // empty: no token
	}{
		{token + ".seen.landfall.test", token},
		{strings.ToUpper(token) + ".sEEn.Landfall.Test", token},
		{strings.Repeat("z", 40) + ".seen.landfall.test", strings.Repeat("z", 40)},
		{strings.Repeat("z", 41) + ".seen.landfall.test", ""},
		{strings.Repeat("z", 15) + ".seen.landfall.test", ""},
		{"0123456789-bcdef.seen.landfall.test", ""},
		{"0123456789_bcdef.seen.landfall.test", ""},
		{token + ".been.landfall.test", ""},
		{token + ".landfall.test", ""},
		{token + ".xseen.landfall.test", ""},
		{token + ".seen.landfall.example", ""},
		{token + ".seen.example.landfall.test", ""},
		{"a." + token + ".seen.landfall.test", ""},
		{token + "." + token + ".seen.landfall.test", ""},
		{"seen.landfall.test", ""},
		{"landfall.test", ""},
		{"test", ""},
		{".", ""},
	} {
		got, ok := Token(name(c.name), apex)
		if ok != (c.want != "") || ok && got != c.want {
			t.Errorf("%s: %q, %v", c.name, got, ok)
		}
	}
	if _, ok := Token("", apex); ok {
		t.Error("no name at all has a token")
	}
	if n := testing.AllocsPerRun(100, func() { Token("\x100123456789abcdef\x04seen"+apex, apex) }); n > 1 { // 1: to join the name
		t.Errorf("%g allocations", n)
	}
}

// Each edge is named as often as the others, in whatever order they are said,
// and by each name server in a way of its own.
func TestEdgesAreNamedAlike(t *testing.T) {
	b, elsewhere := New(), New()
	edges := []landfall.NodeID{"sin1", "fra1", "nyc1"}
	other := []landfall.NodeID{"nyc1", "sin1", "fra1"}
	count, same := map[landfall.NodeID]int{}, 0
	for i := range 9000 {
		token := fmt.Sprintf("%016x", i)
		e := b.Edge(token, edges)
		if e != b.Edge(token, other) {
			t.Fatal("the order of edges matters")
		}
		count[e]++
		if e == elsewhere.Edge(token, edges) {
			same++
		}
	}
	if same < 2700 || same > 3300 {
		t.Errorf("another name server names the same edge for %d of 9000 tokens: who runs one knows them all", same)
	}
	for _, e := range edges {
		if n := count[e]; n < 2700 || n > 3300 {
			t.Errorf("%s is named %d times of 9000", e, n)
		}
	}
	if e := b.Edge("0123456789abcdef", nil); e != "" {
		t.Errorf("%s is named of no edges", e)
	}
	var none *Book
	if e := none.Edge("0123456789abcdef", edges); !slices.Contains(edges, e) {
		t.Errorf("without a Book %q is named", e)
	}
}

func FuzzToken(f *testing.F) {
	apex := name("landfall.test")
	f.Add([]byte("\x100123456789abcdef\x04seen\x08landfall\x04test\x00"))
	f.Add([]byte("\x04seen\x08landfall\x04test\x00"))
	f.Add([]byte("\xff\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		token, ok := Token(string(b), apex)
		if ok && string(b) != string(rune(len(token)))+token+"\x04seen"+string(apex) {
			t.Errorf("%q has the token %q", b, token)
		}
		if ok && !WellFormed(token) {
			t.Errorf("the token %q", token)
		}
	})
}
