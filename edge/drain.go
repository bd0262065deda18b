package edge

import (
	"context"
	"net/http"
	"sync"
	"time"

	"landfall/edge/forward"
)

// farewell is how long ended requests have to tell their clients so.
const farewell = 250 * time.Millisecond

// drain stops accepting, lets requests finish within the grace, ends the
// rest, and returns when no goroutine of a connection or request is left.
//
//	accepting -> grace -> cut -> farewell -> closed
func (s *Server) drain(srv *http.Server, serving *sync.WaitGroup, cut context.CancelCauseFunc) {
	grace, cancel := context.WithTimeout(context.Background(), s.cfg.Grace)
	defer cancel()
	srv.Shutdown(grace) // it waits for requests; nothing new comes in
	serving.Wait()
	cut(forward.ErrStopping)
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		s.guests.serve.Wait()
	}()
	late := time.NewTimer(farewell)
	defer late.Stop()
	select {
	case <-gone:
	case <-late.C:
	}
	s.guests.cut() // without TLS's farewell, which waits for slow readers
	srv.Close()
	<-gone
	s.gate.close()
}

// gate counts the requests being handled, so that the last can be waited
// for: net/http waits neither for upgraded connections nor for the handlers
// of HTTP/2 streams.
type gate struct {
	mu     sync.Mutex // guards what follows
	inside int
	empty  chan struct{} // not nil: closing, and to be closed when nobody is inside
}

// enter reports whether the gate is still open.
func (g *gate) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.empty != nil {
		return false
	}
	g.inside++
	return true
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inside--
	if g.inside == 0 && g.empty != nil {
		close(g.empty)
	}
}

// close lets nobody in any more and waits until all have left.
func (g *gate) close() {
	g.mu.Lock()
	if g.empty == nil {
		g.empty = make(chan struct{})
		if g.inside == 0 {
			close(g.empty)
		}
	}
	g.mu.Unlock()
	<-g.empty
}
