package origin

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"landfall/origin/auth"
	"landfall/origin/wire"
)

// patience is how long answering a request may take.
const patience = 10 * time.Second

// Handler serves everything to clients that come straight to it.
func (s *Server) Handler() http.Handler { return http.HandlerFunc(s.serve) }

// EdgeHandler is Handler for a listener that only our own edges reach: it
// believes what they say of the client's address, scheme and host in
// X-Forwarded-For, X-Forwarded-Proto and X-Forwarded-Host.
func (s *Server) EdgeHandler() http.Handler { return wire.FromEdge(s.Handler()) }

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	if !s.requests.begin(s.stopping) {
		wire.ReplyProblem(w, r, wire.NewProblem(http.StatusServiceUnavailable, "Server is stopping: try again"))
		return
	}
	counted := &countedWriter{ResponseWriter: w}
	defer func() { s.requests.end(counted.status) }()
	hurry(counted, r)
	s.route(counted, r.WithContext(auth.WithClient(r.Context(), wire.ClientOf(r))))
}

// route picks the part that a request is for.
func (s *Server) route(w http.ResponseWriter, r *http.Request) {
	host := strings.ToLower(wire.BaseOf(r).Host)
	switch {
	case r.URL.Path == "/ws":
		s.lasting(s.socket, w, r)
	case strings.HasPrefix(host, "stream."):
		s.lasting(s.stream, w, r)
	case strings.HasPrefix(r.URL.Path, "/stream/"):
		s.lasting(http.StripPrefix("/stream", s.stream), w, r)
	case !strings.HasPrefix(host, "api.") && s.web.Has(r):
		s.brief(s.web, w, r)
	default:
		s.brief(s.api, w, r)
	}
}

// brief serves a request that is answered and done. What it reads is given up
// when it takes too long, so that the few who read at once come free; what it
// commits is not.
func (s *Server) brief(h http.Handler, w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	h.ServeHTTP(w, r.WithContext(ctx))
}

// lasting serves a request that has no end of its own: it ends with the
// server.
func (s *Server) lasting(h http.Handler, w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	defer context.AfterFunc(s.stopping, func() { cancel(errStopping) })()
	h.ServeHTTP(w, r.WithContext(ctx))
}

// requests counts the requests that are being answered, and the answers.
type requests struct {
	byClass [6]atomic.Uint64 // by the first digit of the status

	mu   sync.Mutex
	open int
	idle chan struct{} // closed when open is 0, once somebody waits for it
}

// begin takes a request in, unless the server is stopping.
func (q *requests) begin(stopping context.Context) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if stopping.Err() != nil {
		return false
	}
	q.open++
	return true
}

func (q *requests) end(status int) {
	if class := status / 100; class < len(q.byClass) {
		q.byClass[class].Add(1)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.open--; q.open == 0 && q.idle != nil {
		close(q.idle)
		q.idle = nil
	}
}

// drain waits until no request is open, or for as long as given, and returns
// how many are open still.
func (q *requests) drain(wait time.Duration) int {
	q.mu.Lock()
	if q.open == 0 {
		q.mu.Unlock()
		return 0
	}
	idle := make(chan struct{})
	q.idle = idle
	q.mu.Unlock()
	timeout := time.NewTimer(wait)
	defer timeout.Stop()
	select {
	case <-idle:
	case <-timeout.C:
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.open
}

// countedWriter remembers the status of an answer.
type countedWriter struct {
	http.ResponseWriter
	status int // 0: hijacked, or nothing was said
}

// WriteHeader implements http.ResponseWriter.
func (w *countedWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *countedWriter) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach what is below.
func (w *countedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
