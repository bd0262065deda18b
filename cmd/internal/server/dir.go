package server

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"landfall/cmd/internal/config"
	"landfall/cmd/internal/node"
)

// DefaultDir is where a server keeps its state, unless told otherwise.
const DefaultDir = "/var/lib/landfall"

// localFile is written last: a directory without it is no node's yet.
const localFile = "node.toml"

// ErrNoNode says that a directory is not that of a node.
var ErrNoNode = errors.New("this server is in no network yet")

// ReadLocal tells who the server of a directory is. A bad file is a
// *config.Error.
func ReadLocal(dir string) (config.Local, error) {
	name := filepath.Join(dir, localFile)
	b, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return config.Local{}, fmt.Errorf("%s: %w (`landfall init` founds a network, `landfall join` joins one)", dir, ErrNoNode)
	}
	if err != nil {
		return config.Local{}, fmt.Errorf("state directory: %w", err)
	}
	l, problems := config.ParseLocal(name, b)
	if len(problems) > 0 {
		return config.Local{}, &config.Error{Problems: problems}
	}
	return l, nil
}

func writeLocal(dir string, l config.Local) error {
	return node.WriteFile(filepath.Join(dir, localFile), []byte(l.String()), 0o600)
}

// AsOwner does something as the owner of a directory, if that is not root and
// we are: what root makes there, the service could not read.
func AsOwner(dir string, do func() error) error {
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("state directory: %w", err)
	}
	owner := info.Sys().(*syscall.Stat_t)
	if os.Geteuid() != 0 || owner.Uid == 0 {
		return do()
	}
	// The Go runtime does this on all threads (syscall.Setegid). The group
	// first and last: only root may change it.
	if err := errors.Join(syscall.Setegid(int(owner.Gid)), syscall.Seteuid(int(owner.Uid))); err != nil {
		return fmt.Errorf("become user %d, who owns %s: %w", owner.Uid, dir, err)
	}
	err = do()
	return errors.Join(err, syscall.Seteuid(0), syscall.Setegid(0))
}
