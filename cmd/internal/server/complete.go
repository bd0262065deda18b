package server

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"landfall/cmd/internal/config"
)

// complete refuses a state directory that has lost what cannot be made again:
// new keys would only bring errors that blame what is good.
func complete(dir string, l config.Local) error {
	lost := func(name, cure string) error {
		_, err := os.Stat(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s is lost: %s", filepath.Join(dir, name), cure)
		}
		return err
	}
	again := fmt.Sprintf("put back a copy, or remove node %s at its home, move %s away and join again", l.Node, dir)
	errs := []error{lost("node.key", again), lost("sealing.key", again)}
	if _, err := os.Stat(filepath.Join(dir, "control")); err == nil {
		errs = append(errs, lost("control/map.key", "put back the copy of it; without one, the network has to be founded anew"))
	}
	return errors.Join(errs...)
}
