package mapsync

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"landfall"
)

// MaxWait bounds how long a question for a newer map may wait for its answer.
const MaxWait = 30 * time.Second

// sendTime is how long an answer may take on its way.
const sendTime = time.Minute

// mediaType is that of a signed map.
const mediaType = "application/vnd.landfall.map"

// Server answers questions for a newer map:
//
//	GET /map?after=SERIAL&wait=SECONDS
//
// At once with the newest map (200) if its serial is higher than after, else
// as soon as there is one, or with 204 after wait, which is MaxWait at most
// and by default. Every node serves what it has. Whoever waits is answered 503
// when the request's context ends: end it when the node stops.
type Server struct {
	source Source
	mux    *http.ServeMux

	requests atomic.Uint64
	answers  atomic.Uint64
	waiting  atomic.Int64
}

// ServerStats are a Server's counters.
type ServerStats struct {
	Requests uint64 `metric:"requests_total" help:"Questions for a newer map."`
	Answers  uint64 `metric:"maps_sent_total" help:"Questions answered with a map."`
	Waiting  int64  `metric:"waiting" help:"Questions waiting for a newer map now."`
}

// NewServer serves what the source has.
func NewServer(s Source) *Server {
	v := &Server{source: s, mux: http.NewServeMux()}
	v.mux.HandleFunc("GET /map", v.answer)
	return v
}

// Stats returns the counters.
func (v *Server) Stats() ServerStats {
	return ServerStats{v.requests.Load(), v.answers.Load(), v.waiting.Load()}
}

// ServeHTTP implements http.Handler.
func (v *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { v.mux.ServeHTTP(w, r) }

// answer is the one thing that there is to ask.
func (v *Server) answer(w http.ResponseWriter, r *http.Request) {
	v.requests.Add(1)
	after, wait, err := parseQuestion(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	v.waiting.Add(1)
	ctx, cancel := context.WithTimeout(r.Context(), wait)
	doc, err := v.source.Watch(ctx, after)
	cancel()
	v.waiting.Add(-1)
	// Not every carrier has deadlines; those that have none are bounded by
	// the listener's owner.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(sendTime))
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	switch {
	case r.Context().Err() != nil:
		http.Error(w, "this node is stopping: ask another", http.StatusServiceUnavailable)
	case errors.Is(err, context.DeadlineExceeded):
		w.WriteHeader(http.StatusNoContent)
	case err != nil:
		http.Error(w, "this node cannot read its map now: ask another", http.StatusServiceUnavailable)
	case r.Header.Get("If-None-Match") == doc.tag():
		h.Set("ETag", doc.tag())
		w.WriteHeader(http.StatusNotModified)
	default:
		v.answers.Add(1)
		h.Set("ETag", doc.tag())
		h.Set("Content-Type", mediaType)
		h.Set("Content-Length", strconv.Itoa(len(doc.Bytes)))
		w.Write(doc.Bytes)
	}
}

// parseQuestion reads after (0 without it) and wait.
func parseQuestion(r *http.Request) (after landfall.Serial, wait time.Duration, err error) {
	q := r.URL.Query()
	wait = MaxWait
	if s := q.Get("after"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			return 0, 0, errors.New("after: want the serial of a map")
		}
		after = landfall.Serial(n)
	}
	if s := q.Get("wait"); s != "" {
		n, err := strconv.ParseFloat(s, 64)
		if err != nil || !(n >= 0) {
			return 0, 0, errors.New("wait: want a number of seconds")
		}
		wait = time.Duration(min(n, MaxWait.Seconds()) * float64(time.Second))
	}
	return after, wait, nil
}
