package master

import (
	"path"
	"slices"
	"strings"
)

// include reads another file; what it sets ends with it.
func (s *state) include(args []word) {
	inner, ok := *s, true
	if len(args) == 2 {
		inner.origin, ok = s.name(args[1])
	}
	name := unescape(args[0].text)
	at := Place{s.file, args[0].from, args[0].to}
	switch {
	case !ok:
		return
	case name == "":
		s.r.fault(at, "write $INCLUDE FILE", "no file is named")
		return
	case !path.IsAbs(name) && !inside(name):
		s.r.fault(at, "put the file beside this one or below, or name it in full", "%s leads out of the folder", name)
		return
	case !path.IsAbs(name):
		name = path.Join(path.Dir(s.file), name)
	}
	if slices.Contains(s.r.stack, path.Clean(name)) {
		s.r.fault(at, "take the inclusion out", "%s includes itself", name)
		return
	}
	s.r.file(at, name, &inner)
}

// inside reports whether a relative name stays in its folder.
func inside(name string) bool {
	clean := path.Clean(name)
	return clean != ".." && !strings.HasPrefix(clean, "../")
}

// unescape takes the backslashes out that make bytes ordinary ones.
func unescape(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' && i+1 < len(text) {
			i++
		}
		b.WriteByte(text[i])
	}
	return b.String()
}
