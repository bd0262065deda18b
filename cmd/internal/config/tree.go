package config

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// kind is what a value is, in the words that a fault uses.
type kind string

const (
	text    kind = "text"
	whole   kind = "a whole number"
	decimal kind = "a decimal number"
	truth   kind = "true or false"
	moment  kind = "a date or time"
	list    kind = "a list"
	table   kind = "a table"
)

// made says how a table or list came about, on which it depends what may
// still be added to it (TOML 1.0, Table and Array of Tables).
type made int

const (
	inline  made = iota // { } or [ ]: closed
	implied             // by a header below it: [a.b] makes a
	headed              // by its own header
	dotted              // by a dotted key: a.b = 1 makes a
)

// value is a TOML value that remembers where it stands.
type value struct {
	kind  kind
	at    span
	text  string   // of text and simple values
	items []*value // of a list
	made  made

	keys   []*entry // of a table, in the order of the file
	byName map[string]*entry
}

// entry is a key of a table.
type entry struct {
	name  string
	at    span
	value *value
}

// String is the key as it can be printed.
func (e *entry) String() string {
	if strings.Trim(e.name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == "" && e.name != "" {
		return e.name
	}
	return strconv.Quote(e.name)
}

func newTable(at span, how made) *value {
	return &value{kind: table, at: at, made: how, byName: map[string]*entry{}}
}

func (v *value) add(e *entry) {
	v.keys = append(v.keys, e)
	v.byName[e.name] = e
}

// grower builds the tree of one file.
type grower struct {
	src     *source
	p       unstable.Parser
	base    int    // where in the file the parser began
	root    *value // the whole file
	current *value // the table under the last header
}

// grow makes the tree of the file. It is whole if the text is TOML; else it
// is what could be made out.
func grow(src *source) (root *value, ok bool) {
	root = newTable(span{}, headed)
	g := &grower{src: src, root: root, current: root}
	ok = true
	for rest := src.text; ; {
		g.p.Reset(rest[:len(rest):len(rest)])
		for g.p.NextExpression() {
			g.expression(g.p.Expression())
		}
		if g.p.Error() == nil {
			return root, ok
		}
		ok = false
		stopped := g.syntax(g.p.Error())
		next := resume(src.text, stopped)
		g.base, rest = next, src.text[next:]
	}
}

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

// expression adds one line, or one value over several lines, to the tree.
func (g *grower) expression(n *unstable.Node) {
	switch n.Kind {
	case unstable.Table:
		g.header(g.names(n), false)
	case unstable.ArrayTable:
		g.header(g.names(n), true)
	case unstable.KeyValue:
		g.keyValue(g.current, n)
	}
}

// names are the parts of a dotted key.
func (g *grower) names(n *unstable.Node) []*entry {
	var out []*entry
	for it := n.Key(); it.Next(); {
		k := it.Node()
		out = append(out, &entry{name: string(k.Data), at: g.span(k.Raw)})
	}
	return out
}

func (g *grower) span(r unstable.Range) span {
	from := g.base + int(r.Offset)
	return span{from, from + int(r.Length)}
}

// headerSpan widens the span of the names between brackets to the brackets.
func (g *grower) headerSpan(names []*entry) span {
	at := span{names[0].at.from, names[len(names)-1].at.to}
	for at.from > 0 && strings.IndexByte("[ \t", g.src.text[at.from-1]) >= 0 {
		at.from--
	}
	for g.src.text[at.from] != '[' {
		at.from++
	}
	for at.to < len(g.src.text) && strings.IndexByte(" \t", g.src.text[at.to]) >= 0 {
		at.to++
	}
	for at.to < len(g.src.text) && g.src.text[at.to] == ']' {
		at.to++
	}
	return at
}

// header makes the table of [a.b] or, if many, the next one of [[a.b]], and
// lets the lines below go into it.
func (g *grower) header(names []*entry, many bool) {
	at := g.headerSpan(names)
	parent := g.root
	for _, n := range names[:len(names)-1] {
		if parent = g.under(parent, n); parent == nil {
			g.current = newTable(at, headed) // told already; read on, out of the way
			return
		}
	}
	last := names[len(names)-1]
	g.current = newTable(at, headed)
	old, ok := parent.byName[last.name]
	switch {
	case !ok && many:
		last.value = &value{kind: list, at: at, made: headed, items: []*value{g.current}}
		parent.add(last)
	case !ok:
		last.value = g.current
		parent.add(last)
	default:
		g.again(old, at, many)
	}
}

// again is header for a name that there is already.
func (g *grower) again(old *entry, at span, many bool) {
	v := old.value
	first := g.src.line(v.at.from)
	switch {
	case v.kind == list && v.made == headed:
		v.items = append(v.items, g.current)
		if !many {
			g.src.fault(at, fmt.Sprintf("write [[%v]]", old), "%v is a list since line %d", old, first)
		}
	case many && v.kind == table && v.made == headed:
		g.src.fault(v.at, fmt.Sprintf("write [[%v]] here too", old), "%v is a table here and a list from line %d", old, g.src.line(at.from))
		one := *v
		*v = value{kind: list, at: v.at, made: headed, items: []*value{&one, g.current}}
	case !many && v.kind == table && v.made == implied:
		v.made, v.at = headed, at
		g.current = v
	case v.kind == table && v.made == headed:
		g.src.fault(at, "put its keys under the first one", "[%v] is there twice, first at line %d", old, first)
		g.current = v
	default:
		g.src.fault(at, "keep one of the two", "%v is already set at line %d", old, g.src.line(old.at.from))
	}
}

// under finds or makes the table that a part of a header leads through.
func (g *grower) under(parent *value, n *entry) *value {
	old, ok := parent.byName[n.name]
	if !ok {
		n.value = newTable(n.at, implied)
		parent.add(n)
		return n.value
	}
	switch v := old.value; {
	case v.kind == list && v.made == headed:
		return v.items[len(v.items)-1]
	case v.kind == table && v.made != inline:
		return v
	}
	g.src.fault(n.at, "keep one of the two", "%v is already set at line %d", n, g.src.line(old.at.from))
	return nil
}

// keyValue adds KEY = VALUE to a table.
func (g *grower) keyValue(to *value, n *unstable.Node) {
	names := g.names(n)
	last := names[len(names)-1]
	last.value = g.value(n.Value(), g.valueSpan(last.at.to, g.span(n.Raw).to))
	for _, part := range names[:len(names)-1] {
		old, ok := to.byName[part.name]
		if ok && (old.value.kind != table || old.value.made != dotted) {
			g.twice(part, old)
			return
		}
		if !ok {
			part.value = newTable(part.at, dotted)
			to.add(part)
			old = part
		}
		to = old.value
	}
	if old, ok := to.byName[last.name]; ok {
		g.twice(last, old)
		return
	}
	to.add(last)
}

func (g *grower) twice(e, old *entry) {
	g.src.fault(e.at, "keep one of the two", "%v is set twice, first at line %d", e, g.src.line(old.at.from))
}

// valueSpan is where the value of a key stands that ends at from, when the
// value ends at to.
func (g *grower) valueSpan(from, to int) span {
	for from < to && strings.IndexByte(" \t=", g.src.text[from]) >= 0 {
		from++
	}
	return span{from, to}
}

// value makes a value; around is where it or what it is part of stands, for
// lists and tables do not know themselves.
func (g *grower) value(n *unstable.Node, around span) *value {
	v := &value{kind: kindOf(n.Kind), at: around, text: string(n.Data)}
	switch n.Kind {
	case unstable.Array:
		for it := n.Children(); it.Next(); {
			v.items = append(v.items, g.value(it.Node(), g.itemSpan(it.Node(), around)))
		}
	case unstable.InlineTable:
		v.byName = map[string]*entry{}
		for it := n.Children(); it.Next(); {
			g.keyValue(v, it.Node())
		}
	}
	return v
}

func (g *grower) itemSpan(n *unstable.Node, around span) span {
	if n.Raw.Length == 0 {
		return around
	}
	return g.span(n.Raw)
}

func kindOf(k unstable.Kind) kind {
	switch k {
	case unstable.String:
		return text
	case unstable.Integer:
		return whole
	case unstable.Float:
		return decimal
	case unstable.Bool:
		return truth
	case unstable.Array:
		return list
	case unstable.InlineTable:
		return table
	}
	return moment
}
