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
	"syscall"
)

// temporary is what the name of an unfinished file ends with.
const temporary = ".new"

// Write replaces the file of that name by what fill writes. After an error
// the file is as it was. Whoever writes in a directory, be it another process,
// does so in turn.
func Write(dir *os.Root, name string, fill func(io.Writer) error) error {
	turn, err := lock(dir)
	if err != nil {
		return fmt.Errorf("keep %s: %w", name, err)
	}
	defer turn.Close()
	if err := write(dir, name+temporary, fill); err != nil {
		return fmt.Errorf("keep %s: %w", name, err)
	}
	if err := dir.Rename(name+temporary, name); err != nil {
		return fmt.Errorf("keep %s: %w", name, err)
	}
	if err := turn.Sync(); err != nil { // makes the new name last
		return fmt.Errorf("keep %s: %w", name, err)
	}
	return nil
}

// lock waits for a turn, which ends when the directory is closed.
func lock(dir *os.Root) (turn *os.File, err error) {
	if turn, err = dir.Open("."); err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(turn.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(os.NewSyscallError("flock", err), turn.Close())
	}
	return turn, nil
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
