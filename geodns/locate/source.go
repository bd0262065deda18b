package locate

import (
	"fmt"
	"os"
)

// Sources are the files that a Table is made of.
type Sources struct {
	Places   string // a City, Enterprise or Country database
	Networks string // an ASN or ISP database; empty: networks have no numbers
}

// source is one of the files.
type source struct {
	path     string
	networks bool // it tells networks, not places
}

// list has the files that are named, places first.
func (s Sources) list() []source {
	var out []source
	for _, f := range []source{{s.Places, false}, {s.Networks, true}} {
		if f.path != "" {
			out = append(out, f)
		}
	}
	return out
}

func (s source) read() ([]byte, error) {
	data, err := os.ReadFile(s.path)
	switch {
	case err == nil:
		return data, nil
	case s.networks:
		return nil, fmt.Errorf("network database: put an ASN database there, or name none: %w", err)
	default:
		return nil, fmt.Errorf("geo database: put a City or Country database there: %w", err)
	}
}

// into is t with what the file says in place of another.
func (s source) into(t *Table) (*Table, error) {
	data, err := s.read()
	switch {
	case err != nil:
		return nil, err
	case s.networks:
		return t.withNetworks(s.path, data)
	default:
		return t.withPlaces(s.path, data)
	}
}

// followed is a file that a File follows.
type followed struct {
	source
	awaited bool
	seen    *stamp // of the version that was read last, whole or not; nil before the first
	loaded  bool   // some version is in use
	refused bool   // the last version could not be used
}

// renew is t with a new version of the file; nil if there is none.
func (f *followed) renew(t *Table) (*Table, error) {
	now := look(f.path)
	if f.seen != nil && now.same(*f.seen) {
		return nil, nil
	}
	f.seen = &now
	if os.IsNotExist(now.err) && f.awaited && !f.loaded {
		return nil, nil
	}
	next, err := f.into(t)
	f.loaded = f.loaded || err == nil
	return next, err
}

// stamp tells whether a file is another file, or a longer or younger one, or
// may be read now.
type stamp struct {
	info os.FileInfo // nil if it cannot be opened
	err  error       // why not
}

func look(path string) stamp {
	f, err := os.Open(path)
	if err != nil {
		return stamp{err: err}
	}
	defer f.Close()
	info, err := f.Stat()
	return stamp{info, err}
}

func (s stamp) same(o stamp) bool {
	if s.err != nil || o.err != nil {
		return s.err != nil && o.err != nil && s.err.Error() == o.err.Error()
	}
	return os.SameFile(s.info, o.info) && s.info.Size() == o.info.Size() && s.info.ModTime().Equal(o.info.ModTime())
}
