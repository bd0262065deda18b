package config

import (
	"fmt"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

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
