package mapsync

import (
	"context"
	"sync"

	"landfall"
)

// Source gives the newest signed map to whoever serves it.
type Source interface {
	// Watch returns the newest map as soon as its serial is higher than
	// after, or the context's error.
	Watch(ctx context.Context, after landfall.Serial) (Signed, error)
}

// newest holds the newest map and wakes those who wait for a newer one.
type newest struct {
	mu      sync.Mutex
	doc     Signed
	m       *landfall.Map // what doc says
	changed chan struct{} // closed and replaced at each change
}

func newNewest() *newest { return &newest{changed: make(chan struct{})} }

func (n *newest) get() (Signed, *landfall.Map) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.doc, n.m
}

// set replaces the map if it is newer, and reports whether it was.
func (n *newest) set(doc Signed, m *landfall.Map) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if doc.Serial <= n.doc.Serial {
		return false
	}
	n.doc, n.m = doc, m
	close(n.changed)
	n.changed = make(chan struct{})
	return true
}

// wait returns once there is a map newer than after.
func (n *newest) wait(ctx context.Context, after landfall.Serial) (Signed, *landfall.Map, error) {
	for {
		n.mu.Lock()
		doc, m, changed := n.doc, n.m, n.changed
		n.mu.Unlock()
		if doc.Serial > after {
			return doc, m, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return Signed{}, nil, ctx.Err()
		}
	}
}
