package mapsync

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"landfall"
)

// shelf keeps signed maps in a directory, one file for each serial. A file is
// the document that travels, so that a copy from any node will do.
type shelf struct {
	disk disk
	key  landfall.MapKey
	keep int // how many of the newest maps stay
}

// The file of serial 7 is map-00000000000000000007.signed: as wide as any
// serial, so that listings are in order.
const (
	filePrefix = "map-"
	fileSuffix = ".signed"
	badSuffix  = ".bad"
)

func fileName(s landfall.Serial) string {
	return fmt.Sprintf("%s%020d%s", filePrefix, s, fileSuffix)
}

func parseFileName(name string) (landfall.Serial, bool) {
	n, err := strconv.ParseUint(strings.TrimSuffix(strings.TrimPrefix(name, filePrefix), fileSuffix), 10, 64)
	return landfall.Serial(n), err == nil && name == fileName(landfall.Serial(n))
}

// serials are the maps on the shelf, newest first.
func (s shelf) serials() ([]landfall.Serial, error) {
	names, err := s.disk.names()
	if err != nil {
		return nil, err
	}
	var out []landfall.Serial
	for _, name := range names {
		if n, ok := parseFileName(name); ok {
			out = append(out, n)
		}
	}
	slices.SortFunc(out, func(a, b landfall.Serial) int { return cmp.Compare(b, a) })
	return out, nil
}

// load takes a map off the shelf; errors name the file.
func (s shelf) load(n landfall.Serial) (Signed, *landfall.Map, error) {
	name := fileName(n)
	b, err := s.disk.read(name)
	if err != nil {
		return Signed{}, nil, fmt.Errorf("map file %s: %w", s.disk.path(name), err)
	}
	m, err := Verify(b, s.key)
	if err == nil && m.Serial != n {
		err = refuse("serial", "holds serial %d", m.Serial)
	}
	if err != nil {
		return Signed{}, nil, fmt.Errorf("map file %s: %w", s.disk.path(name), err)
	}
	return Signed{n, b}, m, nil
}

// save puts a map on the shelf for good.
func (s shelf) save(d Signed) error {
	name := fileName(d.Serial)
	if err := place(s.disk, name, d.Bytes, disk.rename); err != nil {
		return fmt.Errorf("map file %s: %w", s.disk.path(name), err)
	}
	return nil
}

// prune takes off all but the newest, and what an interrupted save left.
func (s shelf) prune() error {
	names, err := s.disk.names()
	if err != nil {
		return err
	}
	for _, name := range names {
		if whole, ok := strings.CutSuffix(name, tempSuffix); ok && strings.HasPrefix(whole, filePrefix) {
			err = errors.Join(err, forget(s.disk, name))
		}
	}
	serials, failed := s.serials()
	for i, n := range serials {
		if i >= s.keep {
			err = errors.Join(err, forget(s.disk, fileName(n)))
		}
	}
	return errors.Join(err, failed)
}

// setAside takes a bad file out of the way of a good one, without losing it.
func (s shelf) setAside(n landfall.Serial) (as string, err error) {
	for i := range 100 {
		as = fileName(n) + badSuffix
		if i > 0 {
			as += strconv.Itoa(i + 1)
		}
		if err = s.disk.link(fileName(n), as); err == nil {
			return as, errors.Join(s.disk.remove(fileName(n)), s.disk.sync())
		}
		if !errors.Is(err, fs.ErrExist) {
			break
		}
	}
	return "", fmt.Errorf("set %s aside: %w", s.disk.path(fileName(n)), err)
}
