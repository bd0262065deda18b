package certs

import (
	"context"
	"sync"
)

// shelf holds the newest bundle, and wakes those who wait for another.
type shelf struct {
	mu      sync.Mutex // guards what follows
	version string     // empty while there is none
	bundle  []byte
	changed chan struct{} // closed when there is another
}

func newShelf() *shelf { return &shelf{changed: make(chan struct{})} }

// put replaces the bundle, if it is another.
func (s *shelf) put(bundle []byte) {
	version := versionOf(bundle)
	s.mu.Lock()
	defer s.mu.Unlock()
	if version == s.version {
		return
	}
	s.version, s.bundle = version, bundle
	close(s.changed)
	s.changed = make(chan struct{})
}

// wait returns a bundle of another version than after as soon as there is one.
func (s *shelf) wait(ctx context.Context, after string) ([]byte, error) {
	for {
		s.mu.Lock()
		version, bundle, changed := s.version, s.bundle, s.changed
		s.mu.Unlock()
		if version != "" && version != after {
			return bundle, nil
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-changed:
		}
	}
}
