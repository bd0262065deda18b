package room

import "sync"

// Shares hands out places to holders, who are told apart by K. Its fields are
// set before its first use.
type Shares[K comparable] struct {
	All  int // places there are
	Each int // that one holder may have; 0: as many as are still free, so that one alone has half

	mu    sync.Mutex // guards what follows
	taken int
	held  map[K]int
}

// Take takes a place for a holder, if it may have one more.
func (s *Shares[K]) Take(k K) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	free := s.All - s.taken
	most := s.Each
	if most == 0 {
		most = free
	}
	if free <= 0 || s.held[k] >= most {
		return false
	}
	if s.held == nil {
		s.held = make(map[K]int)
	}
	s.held[k]++
	s.taken++
	return true
}

// Give gives a place back that was taken for a holder.
func (s *Shares[K]) Give(k K) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken--
	if s.held[k]--; s.held[k] == 0 {
		delete(s.held, k)
	}
}

// Taken is how many places are.
func (s *Shares[K]) Taken() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.taken
}
