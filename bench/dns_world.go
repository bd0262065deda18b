package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"landfall/bench/atlas"
	"landfall/bench/peers"
)

// eachWorld makes the worlds of the seeds, one after the other, each with its
// database in a directory that is gone afterwards.
func (o options) eachWorld(progress io.Writer, f func(peers.Site) error) error {
	for seed := range uint64(o.worlds) {
		fmt.Fprintf(progress, "world %d of %d\n", seed+1, o.worlds)
		if err := makeWorld(seed+1, f); err != nil {
			return fmt.Errorf("world %d: %w", seed+1, err)
		}
	}
	return nil
}

func makeWorld(seed uint64, f func(peers.Site) error) error {
	dir, err := os.MkdirTemp("", "landfall-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	w, err := atlas.New(seed)
	if err != nil {
		return err
	}
	s := peers.Site{World: w, Dir: dir, Database: filepath.Join(dir, "GeoLite2-City.mmdb")}
	if err := w.WriteMMDB(s.Database); err != nil {
		return err
	}
	return f(s)
}

// program gives a site the binary to measure, which is built if none was
// named.
func (o options) program(ctx context.Context, s *peers.Site, progress io.Writer) (err error) {
	if s.Landfall = o.binary; s.Landfall == "" {
		fmt.Fprintln(progress, "building landfall")
		s.Landfall, err = build(ctx, o.root, s.Dir)
		return err
	}
	s.Landfall, err = filepath.Abs(o.binary)
	return err
}
