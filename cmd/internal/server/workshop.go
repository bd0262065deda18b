package server

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"landfall/cmd/internal/config"
	"landfall/cmd/internal/node"
)

// inWorkshop has a directory filled beside the one that is wanted, and moves
// it there in one step. Until then it is ours alone: whoever is to own it
// gets it, with all that is in it, last.
func (f Founding) inWorkshop(fill func(dir string) error) error {
	parent := filepath.Dir(f.Dir)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return fmt.Errorf("state directory: %w: choose another place with --dir", err)
	}
	if err := ours(parent); err != nil {
		return err
	}
	pattern := "." + filepath.Base(f.Dir) + ".init-"
	if err := sweep(parent, pattern); err != nil {
		return err
	}
	workshop, err := os.MkdirTemp(parent, pattern+"*")
	if err != nil {
		return fmt.Errorf("state directory: %w: nothing can be written to %s; choose another place with --dir", err, parent)
	}
	lock, err := node.Lock(workshop)
	if err != nil {
		return errors.Join(err, os.RemoveAll(workshop))
	}
	defer lock.Close()
	if err := f.furnish(workshop, fill); err != nil {
		return errors.Join(err, os.RemoveAll(workshop))
	}
	d, err := os.Open(parent)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// furnish fills the workshop and puts it where it belongs.
func (f Founding) furnish(workshop string, fill func(dir string) error) error {
	if err := fill(workshop); err != nil {
		return err
	}
	// The file first: with it alone, init can be called again; a network
	// without it would have lost its manual.
	if err := node.WriteFile(f.File, []byte(config.Write(f.Map, true)), 0o644); err != nil {
		return err
	}
	if err := handOver(workshop, f.Dir); err != nil {
		return err
	}
	// Not os.Rename: it does not replace directories, empty ones neither.
	if err := unix.Rename(workshop, f.Dir); err != nil {
		return fmt.Errorf("state directory: put it at %s: %w", f.Dir, err)
	}
	return nil
}

// ours refuses a parent directory in which somebody else could exchange what
// we make there.
func ours(parent string) error {
	info, err := os.Stat(parent)
	if err != nil {
		return fmt.Errorf("state directory: %w", err)
	}
	owner := int(info.Sys().(*syscall.Stat_t).Uid)
	open := info.Mode().Perm()&0o022 != 0 && info.Mode()&fs.ModeSticky == 0
	if owner != 0 && owner != os.Geteuid() || open {
		return fmt.Errorf("state directory: others may change what is in %s (owner %d, mode %v): choose a place that is ours alone", parent, owner, info.Mode())
	}
	return nil
}

// sweep removes workshops that an init before us left, killed. One at work
// holds the lock in its own.
func sweep(parent, prefix string) error {
	found, err := filepath.Glob(filepath.Join(parent, prefix+"*"))
	if err != nil {
		return err
	}
	for _, dir := range found {
		if info, err := os.Lstat(dir); err != nil || !info.IsDir() {
			continue // not one that we made
		}
		lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|unix.O_NOFOLLOW, 0)
		if err == nil {
			busy := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
			lock.Close()
			if busy != nil {
				continue
			}
		}
		if err := os.RemoveAll(dir); err != nil {
			return fmt.Errorf("state directory: what an init left behind: %w", err)
		}
	}
	return nil
}

// handOver gives the workshop to the owner of the directory that it will
// replace, such as the package's service user: what is in it first, through a
// descriptor and never through a link, and the directory itself last.
func handOver(workshop, dir string) error {
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) || os.Geteuid() != 0 {
		return nil
	}
	if err != nil {
		return err
	}
	owner := info.Sys().(*syscall.Stat_t)
	uid, gid := int(owner.Uid), int(owner.Gid)
	root, err := os.OpenRoot(workshop)
	if err != nil {
		return err
	}
	defer root.Close()
	err = fs.WalkDir(root.FS(), ".", func(name string, _ fs.DirEntry, err error) error {
		if err != nil || name == "." {
			return err
		}
		return root.Lchown(name, uid, gid)
	})
	if err != nil {
		return err
	}
	return os.Lchown(workshop, uid, gid)
}
