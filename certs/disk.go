package certs

import (
	"crypto/rand"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// tempPrefix begins the names of files that are being written.
const tempPrefix = ".new-"

// writeFile replaces a file as a whole: whatever happens meanwhile, a reader
// finds the old content or the new, and after a crash too.
func writeFile(dir *os.Root, name string, b []byte, mode fs.FileMode) error {
	temp := tempPrefix + rand.Text()
	err := writeSynced(dir, temp, b, mode)
	if err == nil {
		err = dir.Rename(temp, name)
	}
	if err != nil {
		dir.Remove(temp)
		return fmt.Errorf("write %s: %w", filepath.Join(dir.Name(), name), err)
	}
	return syncDir(dir)
}

// readSecret reads a file that nobody but its owner may read.
func readSecret(dir *os.Root, name string) ([]byte, error) {
	info, err := dir.Stat(name)
	if err != nil {
		return nil, err
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		path := filepath.Join(dir.Name(), name)
		return nil, fmt.Errorf("%s may be read by others (mode %o): chmod 600 it, and think of who may have read it", path, mode)
	}
	return dir.ReadFile(name)
}

func writeSynced(dir *os.Root, name string, b []byte, mode fs.FileMode) error {
	f, err := dir.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Write(b); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return f.Close()
}

// syncDir makes a rename last.
func syncDir(dir *os.Root) error {
	d, err := dir.Open(".")
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// sweep removes what a process that was killed was about to write, and
// returns the names of the other files, sorted.
func sweep(dir *os.Root) ([]string, error) {
	entries, err := fs.ReadDir(dir.FS(), ".")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir.Name(), err)
	}
	var files []string
	for _, e := range entries {
		switch {
		case strings.HasPrefix(e.Name(), tempPrefix):
			if err := dir.Remove(e.Name()); err != nil {
				return nil, fmt.Errorf("%s: %w", dir.Name(), err)
			}
		case e.Type().IsRegular():
			files = append(files, e.Name())
		}
	}
	return files, nil
}
