package gdnsd

import (
	"io/fs"
	"path"
	"strings"
)

// include reads the files that a pattern names, relative to the file at the
// place: of a directory all in it.
func (f *files) include(at place, pattern string) []*value {
	if !path.IsAbs(pattern) {
		pattern = path.Join(path.Dir(at.file), pattern)
	}
	names := []string{pattern}
	if info, err := fs.Stat(f.root, inside(pattern)); err == nil && info.IsDir() {
		names = f.glob(at, path.Join(pattern, "*"))
	} else if strings.ContainsAny(pattern, "*?[") {
		if names = f.glob(at, pattern); len(names) == 0 {
			f.fault(at, "name files that there are", "no file is named %s", pattern)
		}
	}
	var out []*value
	for _, name := range names {
		if v := f.parse(at, name); v != nil {
			out = append(out, v)
		}
	}
	return out
}

// glob are the files that match a pattern, but for hidden ones, in order.
func (f *files) glob(at place, pattern string) []string {
	found, err := fs.Glob(f.root, inside(pattern))
	if err != nil {
		f.fault(at, "write * and ? for what may be anything", "%s: %v", pattern, err)
	}
	hidden := strings.HasPrefix(path.Base(pattern), ".")
	var out []string
	for _, name := range found {
		if strings.HasPrefix(path.Base(name), ".") == hidden {
			out = append(out, "/"+name)
		}
	}
	return out
}
