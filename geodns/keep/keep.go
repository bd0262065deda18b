// Package keep puts a file where it outlives a kill: a directory, a name and
// what is to be in it go in, the file comes out as it was or as it is to be,
// never in between. What is in files, and how it is read, is not its matter.
package keep

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
)

// temporary is what the name of an unfinished file ends with.
const temporary = ".new"

// Write replaces the file of that name by what fill writes. After an error
// the file is as it was. Only one Write of a name may run at a time.
func Write(dir *os.Root, name string, fill func(io.Writer) error) error {
	if err := write(dir, name+temporary, fill); err != nil {
		return fmt.Errorf("keep %s: %w", name, err)
	}
	if err := dir.Rename(name+temporary, name); err != nil {
		return fmt.Errorf("keep %s: %w", name, err)
	}
	if err := syncDir(dir); err != nil {
		return fmt.Errorf("keep %s: %w", name, err)
	}
	return nil
}

func write(dir *os.Root, name string, fill func(io.Writer) error) error {
	f, err := dir.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	b := bufio.NewWriterSize(f, 64<<10)
	err = fill(b)
	if err == nil {
		err = b.Flush()
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// syncDir makes the new name last.
func syncDir(dir *os.Root) error {
	d, err := dir.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
