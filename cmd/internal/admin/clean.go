package admin

import (
	"reflect"
	"strings"
	"unicode"
)

// maxText bounds what a peer may say in one place.
const maxText = 1000

// Clean makes all text in a document of a peer's fit for a terminal: one line
// each, without control characters, of bounded length. v is a pointer to
// structs, slices and text; what else a document may have, it must not have.
func Clean(v any) { clean(reflect.ValueOf(v)) }

func clean(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			clean(v.Elem())
		}
	case reflect.Struct:
		for _, field := range v.Fields() {
			clean(field)
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			clean(v.Index(i))
		}
	case reflect.String:
		if v.CanSet() {
			v.SetString(plain(v.String()))
		}
	}
}

// plain is text in one line, as far as it can be printed.
func plain(s string) string {
	if len(s) > maxText {
		s = s[:maxText] + "..."
	}
	return strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || r != ' ' && !unicode.IsGraphic(r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r) {
			return '?'
		}
		return r
	}, s)
}
