package config

import (
	"bytes"
	"fmt"
	"path"

	"landfall"
	"landfall/geodns/zone"
	"landfall/geodns/zone/master"
)

// MaxZoneFiles bounds the files of zones, each and all together: their records
// go to every node with the map.
const MaxZoneFiles = 4 << 20

// Open brings a file that a network file names, by its name as seen from where
// the user is. Where there are folders, it has to lie below one of them, by
// whatever links: who writes a zone need not be whom the machine's files are
// for, and faults show the lines that they are in.
type Open func(name string, below ...string) ([]byte, error)

// declaredZone is a zone as the file has it: its records in a file, or here,
// and the further folders that they may be in.
type declaredZone struct {
	name, file, text string
	include          []string
}

func zoneFields(z *declaredZone) []field {
	return []field{
		{key: "name", read: words(&z.name)},
		{key: "file", read: words(&z.file)},
		{key: "text", read: words(&z.text)},
		{key: "include", read: several(&z.include, words[string])},
	}
}

// foreign is a place in one of the files.
type foreign struct {
	src *source
	at  span
}

// zoneReader reads the master files of zones.
type zoneReader struct {
	d       *decoder
	open    Open
	files   []string
	others  []*source // files that were read, in order
	sources map[string]*source
	size    int
}

func (r *zoneReader) read(declared []declaredZone) []landfall.Zone {
	var out []landfall.Zone
	for i, z := range declared {
		at := fmt.Sprintf("zone[%d]", i)
		out = append(out, landfall.Zone{Name: z.name})
		if _, err := zone.ParseName(z.name); err != nil {
			continue // the check of the map tells
		}
		switch {
		case z.file != "" && z.text != "":
			r.d.fault(spot{path: at + ".text", owner: fmt.Sprintf("zone %q: ", z.name)}, r.d.place(at+".text"), "keep one of them", "file and text both have its records")
		case z.file != "":
			out[i].Records = r.file(at, z)
		case z.text != "":
			out[i].Records = r.text(at, z)
		}
	}
	return out
}

// file reads a zone from a file of its own.
func (r *zoneReader) file(at string, z declaredZone) []landfall.Record {
	file := r.seen(z.file)
	got := master.Read(z.name, file, func(name string) ([]byte, error) {
		if name == file {
			return r.bring(name)
		}
		return r.included(z, name)
	})
	if len(got.Zone.Records)+len(got.Faults) == 0 {
		got.Faults = append(got.Faults, master.Fault{Place: master.Place{File: file}, Msg: fmt.Sprintf("there is no record of %s in the file", z.name),
			Cure: "put its records back; a zone that shall have none but those of the network needs no file"})
	}
	return r.note(at, got, func(p master.Place) foreign {
		if src := r.sources[p.File]; src != nil {
			return foreign{src, span{p.From, p.To}}
		}
		return foreign{r.d.src, r.d.place(at + ".file")}
	})
}

// text reads a zone that stands in the network file.
func (r *zoneReader) text(at string, z declaredZone) []landfall.Record {
	self, first := r.d.src, true
	whole := r.d.place(at + ".text")
	base := bytes.Index(self.text[whole.from:whole.to], []byte(z.text))
	got := master.Read(z.name, self.name, func(name string) ([]byte, error) {
		if first {
			first = false
			return []byte(z.text), nil
		}
		return r.included(z, name)
	})
	return r.note(at, got, func(p master.Place) foreign {
		switch src := r.sources[p.File]; {
		case p.File != self.name && src != nil:
			return foreign{src, span{p.From, p.To}}
		case base < 0: // it is written with escapes
			return foreign{self, whole}
		}
		return foreign{self, span{whole.from + base + p.From, whole.from + base + p.To}}
	})
}

// note remembers where records stand, and tells what is wrong with them.
func (r *zoneReader) note(at string, got *master.File, where func(master.Place) foreign) []landfall.Record {
	for j, p := range got.Places {
		r.d.foreign(fmt.Sprintf("%s.record[%d]", at, j), where(p))
	}
	for _, f := range got.Faults {
		to := where(f.Place)
		to.src.fault(to.at, f.Cure, "%s", f.Msg)
	}
	return got.Zone.Records
}

// seen is the name of a file from where the user is.
func (r *zoneReader) seen(name string) string {
	if path.IsAbs(name) {
		return name
	}
	return path.Join(path.Dir(r.d.src.name), name)
}

// included reads a file that another names.
func (r *zoneReader) included(z declaredZone, name string) ([]byte, error) {
	below := []string{path.Dir(r.d.src.name)}
	if z.file != "" {
		below = append(below, path.Dir(r.seen(z.file)))
	}
	for _, folder := range z.include {
		below = append(below, r.seen(folder))
	}
	return r.bring(name, below...)
}

// bring reads a file, within what all together may have.
func (r *zoneReader) bring(name string, below ...string) ([]byte, error) {
	if r.open == nil {
		return nil, fmt.Errorf("%s: files are not read here: write the zone into the network file, as text", name)
	}
	r.files = append(r.files, name)
	b, err := r.open(name, below...)
	if err != nil {
		return nil, err
	}
	if r.size += len(b); r.size > MaxZoneFiles {
		return nil, fmt.Errorf("with %s the files of zones have more than %d MiB: the map, which every node has, holds all records; serve the largest zones elsewhere", name, MaxZoneFiles>>20)
	}
	if r.sources[name] == nil {
		r.sources[name] = newSource(name, b)
		r.others = append(r.others, r.sources[name])
	}
	return bytes.TrimPrefix(b, []byte("\ufeff")), nil // as newSource does
}
