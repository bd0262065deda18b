package edge

import (
	"context"
	"net/http"
	"sync"
	"time"

	"landfall/edge/forward"
)

// farewell is how long requests that have ended have to tell their clients.
const farewell = 100 * time.Millisecond

// drain stops accepting, lets requests finish within the grace, ends the
// rest, and returns when no goroutine of a connection or request is left.
//
//	accepting -> grace -> cut -> farewell -> closed
func (s *Server) drain(srv *http.Server, serving *sync.WaitGroup, cut context.CancelCauseFunc) {
	grace, over := context.WithTimeout(context.Background(), s.cfg.Grace)
	defer over()
	closing := make(chan struct{})
	go func() {
		defer close(closing)
		srv.Shutdown(grace) // nothing new comes in
	}()
	serving.Wait()
	// Shutdown would wait a second for each HTTP/2 connection, idle or not.
	await(grace, s.gate.idle())
	cut(forward.ErrStopping)
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		s.guests.serve.Wait()
	}()
	late, on := context.WithTimeout(context.Background(), farewell)
	defer on()
	await(late, gone)
	s.guests.cut() // without TLS's farewell, which waits for slow readers
	srv.Close()
	over()
	<-closing
	<-gone
	s.gate.close()
}

func await(ctx context.Context, done <-chan struct{}) {
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// gate counts the requests being handled, so that the last can be waited
// for: net/http waits neither for upgraded connections nor for the handlers
// of HTTP/2 streams.
type gate struct {
	mu     sync.Mutex // guards what follows
	inside int
	closed bool
	empty  chan struct{} // not nil: somebody waits for inside to be 0
}

// enter reports whether the gate is still open.
func (g *gate) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.closed {
		g.inside++
	}
	return !g.closed
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inside--
	if g.inside == 0 && g.empty != nil {
		close(g.empty)
		g.empty = nil
	}
}

// idle returns a channel that is closed once nobody is inside.
func (g *gate) idle() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.empty == nil {
		g.empty = make(chan struct{})
	}
	c := g.empty
	if g.inside == 0 {
		close(c)
		g.empty = nil
	}
	return c
}

// close lets nobody in any more and waits until all have left.
func (g *gate) close() {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	<-g.idle()
}
