package mapsync

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// disk is a directory, in the steps that a power cut can fall between.
type disk interface {
	path(name string) string // for people
	names() ([]string, error)
	read(name string) ([]byte, error)
	create(name string, b []byte) error // a new file, synced
	rename(from, to string) error
	link(from, to string) error // fails if there is such a file
	remove(name string) error
	sync() error // makes creations, renames and removals last
}

const tempSuffix = ".tmp"

// place writes a file so that it is either there, whole, or not there. The
// last step is disk.rename, which replaces, or disk.link, which does not.
func place(d disk, name string, b []byte, last func(d disk, from, to string) error) error {
	temp := name + tempSuffix
	if err := d.remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := d.create(temp, b); err != nil {
		return errors.Join(err, forget(d, temp))
	}
	if err := last(d, temp, name); err != nil && !errors.Is(err, fs.ErrExist) {
		return errors.Join(err, forget(d, temp))
	}
	return errors.Join(forget(d, temp), d.sync())
}

// forget removes what may be there.
func forget(d disk, name string) error {
	if err := d.remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// rootDisk is a real directory.
type rootDisk struct{ root *os.Root }

func (d rootDisk) path(name string) string { return d.root.Name() + "/" + name }

func (d rootDisk) names() ([]string, error) {
	f, err := d.root.Open(".")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Readdirnames(-1)
}

func (d rootDisk) read(name string) ([]byte, error) {
	f, err := d.root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, MaxSize+1))
	if err == nil && len(b) > MaxSize {
		err = fmt.Errorf("more than %d bytes", MaxSize)
	}
	return b, err
}

func (d rootDisk) create(name string, b []byte) error {
	f, err := d.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func (d rootDisk) rename(from, to string) error { return d.root.Rename(from, to) }
func (d rootDisk) link(from, to string) error   { return d.root.Link(from, to) }
func (d rootDisk) remove(name string) error     { return d.root.Remove(name) }

func (d rootDisk) sync() error {
	f, err := d.root.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
