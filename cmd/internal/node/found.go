package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"landfall"
	"landfall/mesh/mapsync"
)

// Found makes the control of a new network in a state directory, and its
// first map from a draft. The directory has the node's keys already.
func Found(ctx context.Context, dir string, self landfall.NodeID, draft *landfall.Map, log *slog.Logger) (m *landfall.Map, key landfall.MapKey, err error) {
	home, err := OpenHome(self, &State{Dir: dir}, draft.Network, draft.Domain, log)
	if err != nil {
		return nil, key, err
	}
	defer func() { err = errors.Join(err, home.Close()) }()
	draft = draft.Clone()
	draft.Authority = home.Authority.PEM()
	if m, err = home.Control.Begin(ctx, draft); err != nil {
		return nil, key, fmt.Errorf("first map: %w", err)
	}
	return m, home.MapKey, nil
}

// DiskMap is the newest map that a state directory has: in the control's
// store at home, or among the last good copies.
func DiskMap(dir string, self landfall.NodeID, key landfall.MapKey) (newest *landfall.Map, err error) {
	var errs []error
	for _, name := range []string{controlMaps, mapCache} {
		root, err := os.OpenRoot(filepath.Join(dir, name))
		if err != nil {
			errs = append(errs, err)
			continue
		}
		m, err := mapsync.Newest(root, key)
		errs = append(errs, err, root.Close())
		if err == nil && (newest == nil || m.Serial > newest.Serial) {
			newest = m
		}
	}
	if newest == nil {
		return nil, fmt.Errorf("node %s has no map to start from (put back a good copy of %s, or join again): %w", self, filepath.Join(dir, mapCache), errors.Join(errs...))
	}
	return newest, nil
}

// KeepMap is how a node that has just joined comes by its first map.
func KeepMap(dir string, key landfall.MapKey, doc []byte) error {
	root, err := openRoot(filepath.Join(dir, mapCache))
	if err != nil {
		return err
	}
	_, err = mapsync.Keep(root, key, doc)
	return errors.Join(err, root.Close())
}
