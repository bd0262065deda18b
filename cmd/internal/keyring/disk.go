package keyring

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// temp begins the names of files that are being written.
const temp = ".new-"

// sweep removes what a process that was killed was about to write. Whoever else
// writes waits for the lock.
func sweep(dir string) error {
	left, err := filepath.Glob(filepath.Join(dir, temp+"*"))
	for _, f := range left {
		err = errors.Join(err, os.Remove(f))
	}
	return err
}

// write makes a file appear whole or not at all, whenever the machine stops.
func write(name string, b []byte, perm os.FileMode) error {
	dir := filepath.Dir(name)
	f, err := os.CreateTemp(dir, temp+"*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone already once renamed
	_, err = f.Write(b)
	err = errors.Join(err, f.Chmod(perm), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
