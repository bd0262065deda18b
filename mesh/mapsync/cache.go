package mapsync

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"landfall"
)

// Keep puts a signed map into the directory that is to be a Client's Cache,
// for good, and returns the map: how a node that has just joined comes by its
// first. A map that the key has not signed is an error and is not kept.
func Keep(dir *os.Root, key landfall.MapKey, doc []byte) (*landfall.Map, error) {
	m, err := Verify(doc, key)
	if err != nil {
		return nil, fmt.Errorf("keep map: %w", err)
	}
	s := shelf{rootDisk{dir}, key, cached}
	if err := s.save(Signed{m.Serial, doc}); err != nil {
		return nil, fmt.Errorf("keep map: %w", err)
	}
	return m, nil
}

// Newest is the newest good map in a Client's Cache; bad ones are passed over
// and left where they are. Where there is no good one the error names what is
// wrong with each, or is fs.ErrNotExist if there is none at all.
func Newest(dir *os.Root, key landfall.MapKey) (*landfall.Map, error) {
	s := shelf{rootDisk{dir}, key, cached}
	serials, err := s.serials()
	if err != nil {
		return nil, fmt.Errorf("map directory: %w", err)
	}
	if len(serials) == 0 {
		return nil, fmt.Errorf("map directory %s holds no map: %w", dir.Name(), fs.ErrNotExist)
	}
	var bad error
	for _, n := range serials {
		_, m, err := s.load(n)
		if err == nil {
			return m, nil
		}
		bad = errors.Join(bad, err)
	}
	return nil, bad
}

// shelf is the client's directory, if it has one.
func (c *Client) shelf() (s shelf, ok bool) {
	return shelf{rootDisk{c.cfg.Cache}, c.cfg.Key, cached}, c.cfg.Cache != nil
}

// start takes the newest good map off the shelf. A bad one is named in the
// log and set aside, so that a good copy never overwrites it.
func (c *Client) start(s shelf) {
	serials, err := s.serials()
	if err != nil {
		c.cfg.Log.Error("map directory", "node", c.cfg.Self, "err", err)
		return
	}
	for _, n := range serials {
		doc, m, err := s.load(n)
		if err == nil {
			err = c.ours(m)
		}
		if err == nil {
			c.newest.set(doc, m)
			c.cfg.Log.Info("map from disk", "node", c.cfg.Self, "serial", n)
			return
		}
		c.counts.refused(err)
		c.setAside(s, n, err)
	}
}

// setAside takes a bad file out of the way and says so.
func (c *Client) setAside(s shelf, n landfall.Serial, why error) {
	as, err := s.setAside(n)
	if err != nil {
		c.cfg.Log.Error("bad map on disk", "node", c.cfg.Self, "serial", n, "err", errors.Join(why, err))
		return
	}
	c.cfg.Log.Error("bad map on disk, set aside", "node", c.cfg.Self, "serial", n, "file", as, "err", why)
}

// keep writes each map newer than the given one to disk. It comes after the map is in use: news is
// not held up by the disk, and a copy that a crash prevents is fetched again.
func (c *Client) keep(ctx context.Context, s shelf, after landfall.Serial) {
	for {
		doc, _, err := c.newest.wait(ctx, after)
		if err != nil {
			return
		}
		c.save(s, doc)
		after = doc.Serial
	}
}

func (c *Client) save(s shelf, doc Signed) {
	if err := s.save(doc); err != nil {
		c.counts.unsaved.Add(1)
		c.cfg.Log.Error("map not kept", "node", c.cfg.Self, "serial", doc.Serial, "err", err)
		return
	}
	c.counts.saved.Add(1)
	if err := s.prune(); err != nil {
		c.cfg.Log.Warn("old maps not removed", "node", c.cfg.Self, "err", err)
	}
}
