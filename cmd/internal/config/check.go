package config

import (
	"regexp"
	"strconv"
	"strings"

	"landfall"
)

// blame remembers the paths that faults have been told about, so that what
// only follows from them is not.
type blame struct {
	paths   map[string]bool
	lists   map[string]bool // those with a bad item
	regions bool            // the id of a region is not known
}

func (b *blame) add(path string) {
	if b.paths == nil {
		b.paths, b.lists = map[string]bool{}, map[string]bool{}
	}
	b.paths[path] = true
	if strings.HasSuffix(path, "]") {
		b.lists[path[:strings.LastIndexByte(path, '[')]] = true
	}
	b.regions = b.regions || strings.HasPrefix(path, "region[") && strings.HasSuffix(path, ".id")
}

// covers reports whether a fault at the path may be there only because a
// value could not be read: the same one, one of its list, what it is part
// of, or one that it is compared with.
func (b *blame) covers(path string) bool {
	if b.lists[path] || b.regions && strings.HasPrefix(path, "node[") && strings.HasSuffix(path, ".region") {
		return true
	}
	for p := path; p != ""; p = parent(p) {
		if b.paths[p] {
			return true
		}
	}
	return false
}

// parent is the path of what a path is part of.
func parent(path string) string { return path[:max(0, strings.LastIndexAny(path, ".["))] }

// check adds what a check of the whole map finds to what was found before,
// except what only follows from it or says it again.
func (d *decoder) check(faults []landfall.Fault) {
	var told []string
	for _, f := range faults {
		if d.told.covers(f.Path) {
			continue
		}
		src, at := d.where(f.Path)
		src.fault(at, f.Cure, "%s", d.withLines(f.Msg))
		told = append(told, f.Path)
	}
	for _, path := range told {
		d.told.add(path)
	}
}

// note tells of what may not be meant.
func (d *decoder) note(notes []landfall.Fault) {
	for _, f := range notes {
		src, at := d.where(f.Path)
		src.remark(at, f.Cure, d.withLines(f.Msg))
	}
}

// foreign notes that the value of a path stands in another file.
func (d *decoder) foreign(path string, at foreign) {
	if d.others == nil {
		d.others = map[string]foreign{}
	}
	d.others[path] = at
}

// where is place, in whichever file.
func (d *decoder) where(path string) (*source, span) {
	for p := path; p != ""; p = parent(p) {
		if f, ok := d.others[p]; ok {
			return f.src, f.at
		}
	}
	return d.src, d.place(path)
}

// place is where the value of a path stands, or else what it would be part
// of, or else the beginning of the file.
func (d *decoder) place(path string) span {
	for path != "" {
		if at, ok := d.places[path]; ok {
			return at
		}
		path = parent(path)
	}
	return span{}
}

// withLines puts line numbers where a message of Map.Check speaks of a table
// by its number.
func (d *decoder) withLines(msg string) string {
	return regexp.MustCompile(`\b\w+\[\d+\]`).ReplaceAllStringFunc(msg, func(path string) string {
		at, ok := d.places[path]
		if !ok {
			return path
		}
		return "at line " + strconv.Itoa(d.src.line(at.from))
	})
}
