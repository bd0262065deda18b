package doctor

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// state judges whether the state directory is ours, and ours alone.
func (p *patient) state(_ context.Context, n *notes) {
	if p.State != nil {
		n.fail("landfall run --dir DIR, with the directory of this node; to start anew: landfall join TOKEN --dir DIR, with an empty one", "the state directory: %v", p.State)
	}
	if p.Dir == "" {
		return
	}
	info, err := os.Stat(p.Dir)
	if err != nil {
		n.fail("landfall join TOKEN", "the state directory: %v", err)
		return
	}
	if owner := info.Sys().(*syscall.Stat_t).Uid; int(owner) != os.Geteuid() {
		n.fail(fmt.Sprintf("chown -R %d %s", os.Geteuid(), p.Dir), "the state directory %s belongs to user %d, and landfall runs as %d", p.Dir, owner, os.Geteuid())
	}
	judgeMode(n, p.Dir, info.Mode())
	for _, f := range open(p.Dir) {
		n.fail("chmod 600 "+f, "others may read the secret %s", f)
	}
	if len(n.list) == 0 {
		n.ok("the state directory %s is ours alone", p.Dir)
	}
}

func judgeMode(n *notes, dir string, mode fs.FileMode) {
	switch perm := mode.Perm(); {
	case perm&0o022 != 0:
		n.fail("chmod 700 "+dir, "others may write to the state directory %s (mode %o)", dir, perm)
	case perm&0o077 != 0:
		n.warn("chmod 700 "+dir, "others may look into the state directory %s (mode %o)", dir, perm)
	}
}

// open are the secrets in a state directory that others than their owner may
// read.
func open(dir string) (out []string) {
	// What cannot be looked at is not open to others either.
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil
		}
		if info, err := d.Info(); err == nil && info.Mode().IsRegular() && strings.HasSuffix(d.Name(), ".key") && info.Mode().Perm()&0o077 != 0 {
			out = append(out, path)
		}
		return nil
	})
	return out
}
