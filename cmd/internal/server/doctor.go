package server

import (
	"context"
	"net/netip"

	"landfall/cmd/internal/doctor"
	"landfall/cmd/internal/node"
)

// Examine looks at a node that does not run, by what is on its disk.
func Examine(ctx context.Context, dir string, resolvers []netip.AddrPort) (found []doctor.Finding, err error) {
	l, err := ReadLocal(dir)
	if err != nil {
		return nil, err
	}
	m, err := node.DiskMap(dir, l.Node, l.MapKey)
	if err != nil {
		return nil, err
	}
	err = AsOwner(dir, func() error {
		found = doctor.Examine(ctx, doctor.Config{Map: m, Self: l.Node, Dir: dir, Resolvers: resolvers})
		return nil
	})
	return found, err
}
