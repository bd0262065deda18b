package locate

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"syscall"
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
	data, err := readFile(s.path)
	switch {
	case err == nil:
		return data, nil
	case s.networks:
		return nil, fmt.Errorf("network database: put an ASN database there, or name none: %w", err)
	default:
		return nil, fmt.Errorf("geo database: put a City or Country database there: %w", err)
	}
}

// maxFile is how large a database may be: several times the largest there is.
const maxFile = 4 << 30

// readFile reads a regular file. What is none, such as a pipe, could have us
// wait for ever.
func readFile(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is no regular file", path)
	case info.Size() > maxFile:
		return nil, fmt.Errorf("%s has %d octets, and %d are the most", path, info.Size(), int64(maxFile))
	}
	data := make([]byte, 0, info.Size()+bytes.MinRead)
	b := bytes.NewBuffer(data)
	_, err = b.ReadFrom(io.LimitReader(f, maxFile))
	return b.Bytes(), err
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
