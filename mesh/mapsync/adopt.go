package mapsync

import (
	"context"
	"errors"
	"fmt"

	"landfall"
)

// current is the newest document, once the store has caught up with what the
// network has seen.
func (c *Control) current(ctx context.Context) (Signed, error) {
	for {
		doc, err := c.cfg.Store.Get(ctx)
		if err != nil {
			return Signed{}, err
		}
		seen := doc
		if c.cfg.Seen != nil {
			seen = c.cfg.Seen()
		}
		switch {
		case seen.Serial > doc.Serial:
			if _, err := c.Adopt(ctx, seen.Bytes); err != nil && !errors.Is(err, ErrConflict) {
				return Signed{}, err
			}
		case doc.Serial == 0:
			return Signed{}, errors.New("there is no map yet")
		default:
			return doc, nil
		}
		if err := ctx.Err(); err != nil {
			return Signed{}, err
		}
	}
}

// Adopt puts a signed map that a node has into the store, where it is newer
// than the store's newest: the cure for a store that was put back from an old
// backup. Signing from the old map would number maps that nodes have seen
// already. It returns the newest map after that. Somebody else who changes
// the map at the same time is an ErrConflict.
func (c *Control) Adopt(ctx context.Context, doc []byte) (*landfall.Map, error) {
	m, err := Verify(doc, c.cfg.Key.Public())
	if err != nil {
		return nil, fmt.Errorf("adopt map: %w", err)
	}
	have, err := c.cfg.Store.Get(ctx)
	if err != nil {
		return nil, fmt.Errorf("adopt map serial %d: %w", m.Serial, err)
	}
	if m.Serial <= have.Serial {
		return Verify(have.Bytes, c.cfg.Key.Public())
	}
	if err := c.sameNetwork(have, m); err != nil {
		return nil, err
	}
	if err := c.cfg.Store.CompareAndSwap(ctx, have.Serial, Signed{m.Serial, doc}); err != nil {
		return nil, fmt.Errorf("adopt map serial %d: %w", m.Serial, err)
	}
	c.cfg.Log.Warn("the store was older than the network and took its map over", "had", have.Serial, "serial", m.Serial)
	return m, nil
}

// sameNetwork refuses a map of another network that has the same key.
func (c *Control) sameNetwork(have Signed, m *landfall.Map) error {
	if have.Serial == 0 {
		return nil
	}
	old, err := Verify(have.Bytes, c.cfg.Key.Public())
	if err != nil {
		return fmt.Errorf("adopt map serial %d: %w", m.Serial, err)
	}
	if old.Network != m.Network {
		return fmt.Errorf("adopt map serial %d: it is of the network %q, not %q", m.Serial, m.Network, old.Network)
	}
	return nil
}
