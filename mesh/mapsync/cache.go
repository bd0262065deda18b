package mapsync

import (
	"context"
	"errors"

	"landfall"
)

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
