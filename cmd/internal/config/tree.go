package config

import (
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

// kindOf is the kind of what the parser found.
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
