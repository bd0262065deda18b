package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"landfall"
	"landfall/cmd/internal/node"
)

// Change makes the next map at a home that does not run, for what keeps it
// from running, such as an address that it does not have any more.
func Change(ctx context.Context, dir string, log *slog.Logger, change func(*landfall.Map) error) (m *landfall.Map, err error) {
	l, err := ReadLocal(dir)
	if err != nil {
		return nil, err
	}
	if err := complete(dir, l); err != nil {
		return nil, err
	}
	now, err := node.DiskMap(dir, l.Node, l.MapKey)
	if err != nil {
		return nil, err
	}
	if self, _ := now.Node(l.Node); !self.Has(landfall.RoleOrigin) {
		return nil, fmt.Errorf("%s is no home server, and only that can change the map", l.Node)
	}
	err = AsOwner(dir, func() (err error) {
		state, err := node.OpenState(dir)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, state.Close()) }()
		home, err := node.OpenHome(l.Node, state, now.Network, now.Domain, log)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, home.Close()) }()
		m, err = home.Control.Change(ctx, change)
		return err
	})
	return m, err
}
