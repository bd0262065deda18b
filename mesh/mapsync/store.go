package mapsync

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"

	"landfall"
)

// ErrConflict says that somebody else changed the map meanwhile.
var ErrConflict = errors.New("the map was changed by somebody else")

// Store holds the newest map for all control nodes of the home region. What
// it returns is proven by nobody; whoever uses it verifies it.
type Store interface {
	Source
	// Get returns the newest map; the zero Signed before there is one.
	Get(ctx context.Context) (Signed, error)
	// CompareAndSwap makes next the newest map if the newest is still the
	// one with serial old (0: none), else it returns ErrConflict. When it
	// returns nil, next survives whatever happens to this machine's power.
	CompareAndSwap(ctx context.Context, old landfall.Serial, next Signed) error
}

// history is how many maps a DirStore keeps, for reading and going back.
const history = 200

const lockFile = "lock"

// DirStore is the Store of a home region with one control node: a directory.
type DirStore struct {
	shelf  shelf
	newest *newest
	lock   *os.File // one process at a time

	writing sync.Mutex // held from comparing to swapping
}

// OpenStore opens the store in dir, which stays the caller's to close. Another
// process that has it open, or a newest map that is damaged, is an error, and
// nothing is changed: a store that went back by itself would sign different
// maps under serials that nodes have seen.
func OpenStore(dir *os.Root, key landfall.MapKey) (*DirStore, error) {
	lock, err := takeLock(dir)
	if err != nil {
		return nil, err
	}
	s := &DirStore{shelf: shelf{rootDisk{dir}, key, history}, newest: newNewest(), lock: lock}
	if err := s.load(); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return s, nil
}

func takeLock(dir *os.Root) (*os.File, error) {
	f, err := dir.OpenFile(lockFile, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("map store: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("map store %s is in use by another process: stop it first (%w)", dir.Name(), err)
	}
	return f, nil
}

func (s *DirStore) load() error {
	serials, err := s.shelf.serials()
	if err != nil {
		return fmt.Errorf("map store: %w", err)
	}
	if len(serials) == 0 {
		return nil
	}
	doc, m, err := s.shelf.load(serials[0])
	if err != nil {
		return fmt.Errorf("map store: %w: put back a good copy (every node keeps the file of that name)", err)
	}
	s.newest.set(doc, m)
	return nil
}

// Close lets another process open the store.
func (s *DirStore) Close() error { return s.lock.Close() }

// Get implements Store.
func (s *DirStore) Get(context.Context) (Signed, error) {
	doc, _ := s.newest.get()
	return doc, nil
}

// Watch implements Store.
func (s *DirStore) Watch(ctx context.Context, after landfall.Serial) (Signed, error) {
	doc, _, err := s.newest.wait(ctx, after)
	return doc, err
}

// CompareAndSwap implements Store.
func (s *DirStore) CompareAndSwap(_ context.Context, old landfall.Serial, next Signed) error {
	m, err := Verify(next.Bytes, s.shelf.key)
	if err != nil {
		return fmt.Errorf("store map serial %d: %w", next.Serial, err)
	}
	if m.Serial != next.Serial || next.Serial <= old {
		return fmt.Errorf("store map serial %d: it says serial %d and follows %d", next.Serial, m.Serial, old)
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	if now, _ := s.newest.get(); now.Serial != old {
		return fmt.Errorf("store map serial %d: newest is %d, not %d: %w", next.Serial, now.Serial, old, ErrConflict)
	}
	if err := s.shelf.save(next); err != nil {
		return err
	}
	// The map is safe: what pruning leaves behind, the next one takes away.
	_ = s.shelf.prune()
	s.newest.set(next, m)
	return nil
}

// History are the serials that Load can still return, newest first.
func (s *DirStore) History() ([]landfall.Serial, error) { return s.shelf.serials() }

// Load returns a map of the past.
func (s *DirStore) Load(n landfall.Serial) (*landfall.Map, error) {
	_, m, err := s.shelf.load(n)
	return m, err
}
